"""Gradients of the form Σ dy · value, as of a scale, with a wrong value.

The right gradient of γ in y = γ z + β is the sum of dy z over the axes along which γ is repeated. A
backward pass with x in place of z is no single change of the program, since z is computed from x in
several steps. So the sum is computed for every value of the program that has the shape of y.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fcnn.checker.equation.mutation import Run
from fcnn.checker.equation.place import Place


def products(
    run: Run, place: Place, dy: Sequence[Any], shape: tuple[int, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """Names of values, and the sums of dy · value over the axes that an array of `shape` lacks."""
    avals = place.program.avals
    for d in dy:
        axes = _repeated(d.shape, shape)
        if axes is None:
            continue
        for slot, value in run.values.items():
            if avals[slot].shape == d.shape and not place.is_cotangent(slot):
                if place.floating(slot):
                    yield place.named(slot), (d * value).sum(axes).reshape(shape)


def _repeated(whole, part):
    """The axes along which an array of shape `part` is repeated to shape `whole`, or None."""
    lead = len(whole) - len(part)
    if lead < 0 or any(n not in (1, m) for n, m in zip(part, whole[lead:], strict=True)):
        return None
    ones = [lead + k for k, n in enumerate(part) if n == 1 and whole[lead + k] > 1]
    return (*range(lead), *ones)
