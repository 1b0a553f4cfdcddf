"""Directions that move many leaves at once, for functions of many leaves.

If a function has n leaves, a direction for each leaf needs n times the evaluations, and each of
them passes n arrays. So the leaves are divided into groups, and one direction moves all leaves of a
group. If its slope is <G, v>, all gradients of the group are confirmed. Otherwise each leaf is
tested by itself.

A large slope of one leaf would hide a wrong slope of another leaf. So the slopes within a group
differ by a limited factor. Where autodiff is a reference for each entry, groups are tested always.
Otherwise they are tested only if f is too slow for one direction per leaf.
"""

from collections.abc import Iterator

import numpy as np

from fcnn.checker.evidence import Evidence, forward
from fcnn.checker.leaf import EVALUATIONS, FEW, MANY, RANDOM, Leaf

MEMBERS = 32  # largest number of leaves in a group
FACTOR = 100  # largest factor between the slopes in a group


def confirmed(e: Evidence, seed: int) -> dict[int, float]:
    """For each leaf whose group has the slope <G, v>, the error of that slope."""
    entries_agree = e.reference is not None or not e.compiled.subject.by_rule
    if len(e.compiled.x) <= MANY or (not entries_agree and e.affordable(EVALUATIONS)):
        return {}
    leaves = [Leaf(e, i, seed) for i in range(len(e.compiled.x)) if _is_sound(e, i)]
    agreed = [leaf for leaf in leaves if leaf.R is None or (leaf.off() <= leaf.exact).all()]
    moves = [(leaf, leaf.signs()) for leaf in agreed]
    found = {}
    for group in _groups(moves):
        error = _error(e, group)
        found.update({leaf.i: error for leaf, _ in group} if error is not None else {})
    return found


def few_directions(e: Evidence) -> list[str]:
    """A note if f is slow, and if only finite differences judge its gradient."""
    x, n = e.compiled.x, e.affordable(EVALUATIONS)
    most = max(1 if len(x) > MANY else RANDOM + a.size * (a.size <= FEW) for a in x)
    if e.reference is not None or not e.compiled.subject.by_rule or n >= most:
        return []
    if len(x) <= MANY:
        n = max(n, 1)
    seconds = f"one call takes {e.compiled.seconds:.2g} s"
    tested = f"{n} direction{'' if n == 1 else 's'} per gradient" if n else "groups of gradients"
    return [f"Note: {seconds}, so finite differences test only {tested}."]


def _is_sound(e, i):
    x, G = e.compiled.x[i], e.claimed[i]
    return x.size and G.shape == x.shape and e.compiled.subject.is_of_kind(i, G) and _finite(G)


def _finite(G):
    return bool(np.isfinite(G).all())


def _groups(moves) -> Iterator[list[tuple[Leaf, np.ndarray]]]:
    """The leaves by their slopes along their directions."""
    slope = lambda move: max(abs(move[0].claims(move[1])), move[0].slack)
    group, least = [], 0.0
    for move in sorted(moves, key=slope):
        if group and (len(group) == MEMBERS or slope(move) > FACTOR * least):
            yield group
            group = []
        least = least if group else slope(move)
        group.append(move)
    if group:
        yield group


def _error(e, group):
    """The relative error of the slope of a group; None if it is not confirmed."""
    v = list(e.compiled.zeros)
    for leaf, signs in group:
        v[leaf.i] = signs.astype(leaf.x.dtype)
    claim = sum(leaf.claims(signs) for leaf, signs in group)
    slope, jvp = e.slopes.along(v), forward(e, v)
    off = abs(slope.value - claim)
    if not off <= slope.bar + sum(leaf.slack for leaf, _ in group):
        return None
    bars = sum(leaf.jvp_bar(signs, 0.0) for leaf, signs in group)
    if jvp is not None and not abs(jvp - claim) <= bars:
        return None
    return off / (sum(leaf.scale * leaf.size for leaf, _ in group) or 1.0)
