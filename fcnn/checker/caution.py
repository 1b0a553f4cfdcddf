"""Warnings about arguments that hide mistakes: zeros, constant arrays, equal arguments."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from fcnn.checker.complex_parts import is_complex
from fcnn.checker.subject import Subject

LISTED = 3  # largest number of names in a warning


def cautions(subject: Subject) -> list[str]:
    """One warning for each kind of argument that hides mistakes."""
    x = dict(zip(subject.names, subject.arrays, strict=True))
    zero = [name for name, a in x.items() if a.size and not a.any()]
    constant = [name for name, a in x.items() if a.size > 1 and a.any() and (a == a.flat[0]).all()]
    constants = {*zero, *constant}
    real = [name for name, a in x.items() if a.any() and is_complex(a) and not np.imag(a).any()]
    twins = [
        f"{p} and {q}"
        for same in _equal({name: a for name, a in x.items() if name not in constants})
        for p, q in combinations(same, 2)
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
            (real, _are(real, "real"), "a missing conjugate"),
            (twins, "are equal", "an exchange of their two gradients"),
        )
        if names
    ]


def _equal(x: dict[str, np.ndarray]) -> Iterator[list[str]]:
    """Groups of names of equal arrays."""
    groups = defaultdict(list)
    for name, a in x.items():
        if a.size:
            wide = a.astype(np.complex128 if is_complex(a) else np.float64) + 0.0
            groups[wide.dtype, a.shape, wide.tobytes()].append(name)
    return (names for names in groups.values() if len(names) > 1)


def _are(names, what):
    return f"{'is' if len(names) == 1 else 'are'} {what}"


def _listed(names: Sequence[str]) -> str:
    """x, w and 3 more"""
    *most, last = [*names[:LISTED], *[f"{len(names) - LISTED} more"] * (len(names) > LISTED)]
    return f"{', '.join(most)} and {last}" if most else last
