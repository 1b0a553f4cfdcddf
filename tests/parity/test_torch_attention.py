"""Attention, embedding and one_hot against torch.

torch has the heads before the sequence; the lambdas exchange the two. Its own plain arithmetic is
called (MATH), as its fused kernels have no float64 masks with gradients everywhere. A row that may
look nowhere is NaN there, 0 here; masks here leave every query a key.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree
from torch.nn.attention import SDPBackend, sdpa_kernel

import fcnn


def theirs(q, k, v, mask=None, **how):
    heads_first = (a.transpose(1, 2) for a in (q, k, v))
    with sdpa_kernel(SDPBackend.MATH):
        y = F.scaled_dot_product_attention(*heads_first, attn_mask=mask, enable_gqa=True, **how)
    return y.transpose(1, 2)


@pytest.mark.parametrize("impl", ["plain", "blocked"])
@pytest.mark.parametrize("seed", range(20))
def test_attention(seed, impl):
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 6, 7)
    q, k, v = (rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e)))
    shape = [a if rng.random() < 0.6 else 1 for a in (n, g * r, t, s)]
    look = rng.random(shape) < 0.6
    look[..., 0] = True
    mask = [None, look, rng.standard_normal(shape)][seed % 3]
    how = {"scale": [None, 0.7][seed % 2]}
    ours = lambda *a: fcnn.dot_product_attention(*a, **how, impl=impl, block=2)
    agree(ours, lambda *a: theirs(*a, **how), (q, k, v, mask))
    # both count `causal` from the start
    ours = lambda *a: fcnn.dot_product_attention(*a, **how, causal=True, impl=impl, block=2)
    agree(ours, lambda *a: theirs(*a, **how, is_causal=True), (q, k, v))


@pytest.mark.parametrize("seed", range(20))
def test_multi_head_attention(seed):
    """torch's weights are (features out, features in), its q, k and v of one width, no groups."""
    rng = np.random.default_rng(seed)
    n, t, s, h, d, j = rng.integers(1, 5, 6)
    c = h * d
    itself = seed % 2
    s, j = (t, c) if itself else (s, j)
    draw = rng.standard_normal
    x, context = draw((n, t, c)), None if itself else draw((n, s, j))
    weights = draw((c, h, d)), draw((j, h, d)), draw((j, h, d)), draw((h, d, c))
    biases = draw((h, d)), draw((h, d)), draw((h, d)), draw(c)
    look = rng.random((n, h, t, s)) < 0.7
    look[..., 0] = True
    mask = [None, look, draw((n, h, t, s))][seed % 3]

    def torchs(x, wq, wk, wv, wo, bq, bk, bv, bo, context=None, mask=None):
        source = (x if context is None else context).transpose(0, 1)
        flat = lambda w, width: w.reshape(width, c).T
        if mask is not None:  # there True hides
            mask = (mask if mask.is_floating_point() else ~mask).reshape(n * h, t, s)
        y, _ = F.multi_head_attention_forward(
            x.transpose(0, 1),
            source,
            source,
            int(c),
            int(h),
            None,
            torch.cat([b.reshape(c) for b in (bq, bk, bv)]),
            None,
            None,
            False,
            0.0,
            flat(wo, c),
            bo,
            need_weights=False,
            attn_mask=mask,
            use_separate_proj_weight=True,
            q_proj_weight=flat(wq, c),
            k_proj_weight=flat(wk, j),
            v_proj_weight=flat(wv, j),
        )
        return y.transpose(0, 1)

    with sdpa_kernel(SDPBackend.MATH):
        agree(fcnn.multi_head_attention, torchs, (x, *weights, *biases, context, mask))


@pytest.mark.parametrize("seed", range(20))
def test_embedding_and_one_hot(seed):
    rng = np.random.default_rng(seed)
    k, c = rng.integers(1, 7, 2)
    ids = rng.integers(0, k, rng.integers(1, 5, rng.integers(0, 4)))
    ids = np.asarray(ids)
    table = rng.standard_normal((k, c))
    agree(fcnn.embedding, lambda table, ids: F.embedding(ids, table), (table, ids))
    wanted = F.one_hot(torch.tensor(ids), int(k)).numpy()
    np.testing.assert_array_equal(fcnn.one_hot(ids, classes=k), wanted)
