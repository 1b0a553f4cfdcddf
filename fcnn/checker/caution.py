"""Warnings about arguments that hide mistakes: zeros, constant arrays, equal arguments."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from fcnn.checker.subject import Subject

LISTED = 3  # largest number of names in a warning


def cautions(subject: Subject) -> list[str]:
    """One warning for each kind of argument that hides mistakes."""
    x = dict(zip(subject.names, map(np.asarray, subject.x), strict=True))
    zero = [name for name, a in x.items() if a.size and not a.any()]
    constant = [name for name, a in x.items() if a.size > 1 and a.any() and (a == a.flat[0]).all()]
    constants = {*zero, *constant}
    twins = [
        f"{p} and {q}"
        for p, q in combinations(
            [name for name, a in x.items() if a.size and name not in constants], 2
        )
        if np.array_equal(x[p], x[q])
    ]
    return [
        f"Warning: {_listed(names)} {verb}, which hides {hidden}; draw random arguments."
        for names, verb, hidden in (
            (zero, _are(zero, "all zeros"), "a mistake in a term multiplied by zero"),
            (
                constant,
                _are(constant, "constant"),
                "a transposed or permuted gradient",
            ),
            (twins, "are equal", "an exchange of their two gradients"),
        )
        if names
    ]


def _are(names, what):
    return f"{'is' if len(names) == 1 else 'are'} {what}"


def _listed(names: Sequence[str]) -> str:
    """x, w and 3 more"""
    *most, last = [*names[:LISTED], *[f"{len(names) - LISTED} more"] * (len(names) > LISTED)]
    return f"{', '.join(most)} and {last}" if most else last
