"""A term is missing: what G and R differ by has a form of its own.

In y = (x - m) / s every x moves the mean m and the deviation s too. What comes through m is the
same along the normalized axes, what comes through s is in proportion to x - m; what comes through
a mean square is in proportion to x, and through the sum of a softmax to y = softmax(x).
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis
from fcnn.checker.diagnosis.order import listed


def terms(s: Context) -> Iterator[Hypothesis]:
    if not s.R.any():
        return
    for shape in _shapes(s.R.shape):
        grouped = len(shape) > s.R.ndim
        for axes in _axes(len(shape), grouped):
            if math.prod(shape[k] for k in axes) > 2:
                yield from _missing(s, shape, axes, ", channels in groups" if grouped else "")


def rows(s: Context) -> Iterator[Hypothesis]:
    """What each row lacks at one entry, as a loss of classes may at the label's."""
    wrong, n = s.wrong(), s.R.ndim - 1
    if n < 0 or np.abs(s.R.sum(-1)).max() > 1e3 * s.tolerance * s.top or (wrong.sum(-1) > 1).any():
        return
    says = "lacks at one entry of each row minus the sum of the others: right rows sum to 0"
    yield Hypothesis("missing sum term", says, np.where(wrong, 0, s.R))


def _missing(s, shape, axes, how):
    D, x = (s.G - s.R).reshape(shape), s.own.reshape(shape)
    y = s.y[0].reshape(shape) if s.alone else np.zeros(shape)
    d = x - x.mean(axes, keepdims=True)
    mean, spread = _part(D, np.ones(shape), axes), _part(D, d, axes)
    for kind, through, form, term in (
        ("missing mean term", "the mean", "is the same", mean),
        ("missing variance term", "the variance", "goes as x − mean", spread),
        ("missing variance term", "the mean square", "goes as x", _part(D, x, axes)),
        ("missing sum term", "the sum of a softmax", "goes as y", _part(D, y, axes)),
        ("missing sum term", "the log of a sum", "goes as exp(y)", _part(D, np.exp(y), axes)),
        ("missing variance term", "the mean and the variance", "is a line in x", mean + spread),
    ):
        says = f"lacks what comes through {through}: it {form} along {listed(axes)}{how}"
        yield Hypothesis(kind, says, s.R + term.reshape(s.R.shape))


def _part(D, form, axes):
    """What of D goes as `form` along `axes`."""
    energy = np.square(form).sum(axes, keepdims=True)
    share = (D * form).sum(axes, keepdims=True) / np.where(energy > 0, energy, 1)
    return share * form


def _shapes(shape):
    """The shape as it is, and with the last axis in groups of neighbours."""
    yield shape
    c = shape[-1] if len(shape) > 1 else 0
    yield from ((*shape[:-1], g, c // g) for g in range(2, c) if c % g == 0)


def _axes(rank, grouped):
    """Sets of axes that a normalization may run over, the usual ones first."""
    if grouped:
        return [(*range(1, rank - 2), rank - 1), (rank - 1,)]
    last, batch, spatial, example = rank - 1, range(rank - 1), range(1, rank - 1), range(1, rank)
    usual = [(last,), tuple(batch), tuple(spatial), tuple(example)] if rank else []
    every = (c for size in range(1, rank + 1) for c in itertools.combinations(range(rank), size))
    return [axes for axes in dict.fromkeys([*usual, *every]) if axes]
