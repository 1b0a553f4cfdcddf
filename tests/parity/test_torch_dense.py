"""dense against torch.nn.functional.linear."""

import numpy as np
import pytest
import torch.nn.functional as F
from agreement import agree

import fcnn


@pytest.mark.parametrize("seed", range(20))
def test_dense(seed):
    rng = np.random.default_rng(seed)
    lead = tuple(rng.integers(1, 4, size=rng.integers(0, 4)))
    c, o = rng.integers(1, 7, size=2)
    x, w, b = (rng.standard_normal(s) for s in ((*lead, c), (c, o), (o,)))
    agree(fcnn.dense, lambda x, w, b: F.linear(x, w.T, b), (x, w, b))
    agree(fcnn.dense, lambda x, w, b: F.linear(x, w.T), (x, w, None))
