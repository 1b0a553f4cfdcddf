"""Missing terms: G - R has the form of the term that is missing.

In y = (x - m) / s, every entry of x also changes the mean m and the standard deviation s. Along the
normalized axes

    term through            is
    m                       constant
    s                       proportional to x - m
    a mean square           proportional to x
    the sum of a softmax    proportional to y = softmax(x)
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis
from fcnn.checker.equation.wording import listed


def terms(c: Context) -> Iterator[Hypothesis]:
    if not c.R.any():
        return
    for shape in _shapes(c.R.shape):
        grouped = len(shape) > c.R.ndim
        for axes in _axes(len(shape), grouped):
            if math.prod(shape[k] for k in axes) > 2:
                yield from _missing(c, shape, axes, ", channels in groups" if grouped else "")


def rows(c: Context) -> Iterator[Hypothesis]:
    """A term missing at one entry of each row, such as the label's entry in a cross-entropy."""
    wrong, n = c.wrong(), c.R.ndim - 1
    if n < 0 or np.abs(c.R.sum(-1)).max() > 1e3 * c.tolerance * c.top or (wrong.sum(-1) > 1).any():
        return
    says = "lacks a term at one entry of each row: rows of the right gradient sum to 0"
    yield Hypothesis("missing sum term", says, np.where(wrong, 0, c.R))


def _missing(c, shape, axes, how):
    D, x = (c.G - c.R).reshape(shape), c.argument.reshape(shape)
    y = c.y[0].reshape(shape) if c.same_shape else np.zeros(shape)
    d = x - x.mean(axes, keepdims=True)
    is_softmax = lambda p: bool((p >= 0).all() and (np.abs(p.sum(axes) - 1) < 1e-6).all())
    p, exp = (y if is_softmax(y) else 0 * y), (np.exp(y) if is_softmax(np.exp(y)) else 0 * y)
    mean, spread = _part(D, np.ones(shape), axes), _part(D, d, axes)
    for kind, through, form, term in (
        ("missing mean term", "the mean", "is constant", mean),
        ("missing variance term", "the variance", "is proportional to x − mean", spread),
        ("missing variance term", "the mean square", "is proportional to x", _part(D, x, axes)),
        ("missing sum term", "the sum of a softmax", "is proportional to y", _part(D, p, axes)),
        (
            "missing sum term",
            "the log of a sum",
            "is proportional to exp(y)",
            _part(D, exp, axes),
        ),
        ("missing variance term", "the mean and the variance", "is linear in x", mean + spread),
    ):
        says = f"is wrong in the term through {through}, which {form} along {listed(axes)}{how}"
        yield Hypothesis(kind, says, c.R + term.reshape(c.R.shape))


def _part(D, form, axes):
    """The part of D that is proportional to `form` along `axes`."""
    energy = np.square(form).sum(axes, keepdims=True)
    share = (D * form).sum(axes, keepdims=True) / np.where(energy > 0, energy, 1)
    return share * form


def _shapes(shape):
    """The shape, and the shapes with the last axis split into groups of neighbours."""
    yield shape
    c = shape[-1] if len(shape) > 1 else 0
    yield from ((*shape[:-1], g, c // g) for g in range(2, c) if c % g == 0)


def _axes(rank, grouped):
    """Sets of axes that a normalization may run over, the most common sets first."""
    if grouped:
        return [(*range(1, rank - 2), rank - 1), (rank - 1,)]
    last, batch, spatial, example = rank - 1, range(rank - 1), range(1, rank - 1), range(1, rank)
    usual = [(last,), tuple(batch), tuple(spatial), tuple(example)] if rank else []
    every = (c for size in range(1, rank + 1) for c in itertools.combinations(range(rank), size))
    found = [axes for axes in dict.fromkeys([*usual, *every]) if axes]
    return sorted(found, key=len, reverse=True)  # a sum over more axes is a stronger statement
