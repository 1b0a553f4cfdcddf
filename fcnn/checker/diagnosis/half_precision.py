"""A mistake in one half of a gated unit: x holds a and b side by side, as in glu, and one is wrong.

The half is then looked at by itself, with the other as its argument.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from fcnn.checker.diagnosis import factor, formula
from fcnn.checker.diagnosis.context import Context, Hypothesis

NAMES = ("the first half", "the second half")


def halves(s: Context) -> Iterator[Hypothesis]:
    n = s.R.shape[-1] if s.R.ndim else 0
    if n < 2 or n % 2:
        return
    parts = np.arange(n) < n // 2, np.arange(n) >= n // 2
    for k, half in enumerate(parts):
        if s.wrong()[..., ~half].any():
            continue
        part = replace(
            s,
            i=0,
            names=(f"{NAMES[k]} of {s.names[s.i]}", NAMES[1 - k]),
            x=[s.own[..., half], s.own[..., ~half]],
            G=s.G[..., half],
            rights=[s.R[..., half], s.R[..., ~half]],
            right=lambda x, dy: None,
            push=lambda v: None,
        )
        for mistakes in (factor.constant, factor.of_an_argument, formula.elementwise):
            for guess in mistakes(part):
                whole = s.R.copy()
                whole[..., half] = guess.gradient
                yield Hypothesis(
                    guess.kind, f"{NAMES[k]}, along the last axis, {guess.says}", whole
                )
