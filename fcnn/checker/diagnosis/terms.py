"""A term is missing: what G and R differ by has a form of its own.

In y = (x - m) / s every x moves the mean m and the deviation s too. What comes through m is the same
along the normalized axes, what comes through s is in proportion to x - m; and what comes through
the sum of a softmax is in proportion to y = softmax(x) along its axis.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.order import listed
from fcnn.checker.diagnosis.situation import Guess, Situation


def terms(s: Situation) -> Iterator[Guess]:
    if s.R.size < 3:
        return
    for a in _views(s):
        yield from _missing(s, *a)


def _views(s):
    """Ways to see D = G - R, x and y: as they are, and with channels in groups."""
    y = s.y[0] if s.alone else None
    yield s.R.shape, y
    if s.R.ndim < 2:
        return
    c = s.R.shape[-1]
    for groups in (g for g in range(2, c) if c % g == 0):
        yield (*s.R.shape[:-1], groups, c // groups), y


def _missing(s, shape, y):
    D, x = (s.G - s.R).reshape(shape), s.own.reshape(shape)
    grouped = len(shape) > s.R.ndim
    for axes in _axes(len(shape), grouped):
        if np.prod([shape[k] for k in axes]) < 3:
            continue
        back = lambda term: s.R + term.reshape(s.R.shape)
        over = listed(tuple(k for k in axes)) + (" (channels in groups)" if grouped else "")
        one, d = np.ones(shape), x - x.mean(axes, keepdims=True)
        says = f"lacks the term that comes through the %s: what is missing is %s along {over}"
        mean, spread = _part(D, one, axes), _part(D, d, axes)
        yield Guess("missing mean term", says % ("mean", "the same"), back(mean))
        yield Guess(
            "missing variance term", says % ("variance", "in proportion to x − mean"), back(spread)
        )
        if y is not None:
            z = y.reshape(shape)
            for form, what in ((z, "softmax y"), (np.exp(np.minimum(z, 50)), "softmax exp(y)")):
                says_sum = says % (f"sum of the {what}", f"in proportion to {what.split()[1]}")
                yield Guess("missing sum term", says_sum, back(_part(D, form, axes)))
        yield Guess(
            "missing variance term",
            says % ("mean square", "in proportion to x"),
            back(_part(D, x, axes)),
        )
        both = mean + spread
        yield Guess(
            "missing variance term",
            says % ("mean, and that through the variance", "a line in x"),
            back(both),
        )


def _axes(rank, grouped):
    """Sets of axes that a normalization may run over, the usual ones first."""
    if grouped:
        return [tuple(range(1, rank - 2)) + (rank - 1,), (rank - 1,)]
    usual = [(rank - 1,), tuple(range(rank - 1)), tuple(range(1, rank - 1)), tuple(range(1, rank))]
    all_sets = (c for size in range(1, rank + 1) for c in itertools.combinations(range(rank), size))
    return [axes for axes in dict.fromkeys([*usual, *all_sets]) if axes]


def _part(D, form, axes):
    """What of D is in proportion to `form` along `axes`."""
    energy = np.square(form).sum(axes, keepdims=True)
    share = (D * form).sum(axes, keepdims=True) / np.where(energy > 0, energy, 1)
    return share * form
