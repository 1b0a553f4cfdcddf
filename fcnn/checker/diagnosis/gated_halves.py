"""Mistakes in one half of a gated unit: x holds a and b side by side, as in glu.

If the gradient of only one half is wrong, that half is diagnosed as a leaf, and the other half is
treated as a second leaf.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fcnn.checker.diagnosis import factor, formula
from fcnn.checker.diagnosis.context import Context, Hypothesis

NAMES = ("the first half", "the second half")


def halves(c: Context) -> Iterator[Hypothesis]:
    n = c.R.shape[-1] if c.R.ndim else 0
    if n < 2 or n % 2:
        return
    parts = np.arange(n) < n // 2, np.arange(n) >= n // 2
    for k, half in enumerate(parts):
        if c.wrong()[..., ~half].any():
            continue
        part = replace(
            c,
            i=0,
            names=(f"{NAMES[k]} of {c.names[c.i]}", NAMES[1 - k]),
            x=[c.argument[..., half], c.argument[..., ~half]],
            G=c.G[..., half],
            references=[c.R[..., half], c.R[..., ~half]],
            reference=lambda x, dy: None,
            jvp=lambda v: None,
            claimed=lambda x: [],
        )
        for mistakes in (factor.constant, factor.of_an_argument, formula.elementwise):
            for hypothesis in mistakes(part):
                gradient = c.R.copy()
                gradient[..., half] = hypothesis.gradient
                yield Hypothesis(
                    hypothesis.kind, f"{NAMES[k]}, along the last axis, {hypothesis.says}", gradient
                )
