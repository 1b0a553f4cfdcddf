"""The verdicts on all leaves together: at a kink, all gradients together must be a valid choice.

The gradient of each leaf may lie between the two slopes of that leaf, while the gradients together
are wrong. At a = b, for example, max(a, b) may have the gradient dy in a, or the gradient dy in b,
but not both gradients. Near a kink f consists of smooth pieces. A valid gradient of an output is a
weighted mean of the gradients of its pieces: Clarke's generalized gradient (1983). So along any v

    the least slope nearby  <=  <G, v>  <=  the largest slope nearby

The test is strictest along a direction of all leaves in which the pieces agree:

    tied      equal entries, also of different leaves, move by the same amount
    across    a random direction, minus its part along which the gradients nearby differ. dy is 0
              except at one output with a kink, because the choices of outputs are independent.
    total     any direction, if f sorts: tied entries may be sorted in any order, but their sum is
              smooth. dy is 1 at the outputs with a kink.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fcnn.checker.evidence import Evidence, evidence_at
from fcnn.checker.finite_differences import SHARP, flat, vary
from fcnn.checker.leaf import DIFFERENCE, Leaf
from fcnn.checker.subject import Leaves
from fcnn.checker.verdict import KINK, RIGHT, WRONG, Finding

OUTPUTS = 2  # number of outputs with a kink that are tested one by one
# Gradients at two nearby points belong to different pieces if their relative difference is larger
# than CHANGED times the distance of the points.
CHANGED = 1e3


def judge_together(e: Evidence, found: Sequence[Finding], seed: int = 0) -> list[Finding]:
    """The findings. A leaf with the verdict "kink" is tested again with all accepted leaves."""
    sound = [i for i, finding in enumerate(found) if finding.verdict in (RIGHT, KINK)]
    return [
        _explained(e, i, _together(Leaf(e, i, seed), sound, finding))
        if finding.verdict == KINK
        else finding
        for i, finding in enumerate(found)
    ]


def _explained(e: Evidence, i: int, found: Finding) -> Finding:
    """The finding with a sentence: the entry with the kink, its slopes, and the accepted choice."""
    if found.verdict != KINK or found.at is None or found.claimed is None:
        return found
    where = e.compiled.subject.where(i, found.at)
    slopes = "the slope depends on the direction"
    if len(found.slopes) == 2:
        small = 10 * DIFFERENCE * max(map(abs, found.slopes))
        low, high = sorted(slope if abs(slope) > small else 0.0 for slope in found.slopes)
        if low - small <= found.claimed <= high + small:
            slopes = f"slopes from {low:.6g} to {high:.6g}"
        else:  # valid for a mean of the pieces nearby, not along this entry alone
            slopes = "several pieces of the function meet"
    says = f"accepted at a kink: at {where}, {slopes}; {found.claimed + 0.0:.6g} is a valid choice"
    return found._replace(says=says)


def _together(leaf: Leaf, sound: Sequence[int], found: Finding) -> Finding:
    """The finding at a kink, or "wrong" if the choices of all leaves `sound` are invalid together.

    Autodiff chooses a slope at each kink separately, as a derivation by the chain rule does. So a
    gradient that equals autodiff's is accepted.
    """
    by_jax = leaf.R is None and not leaf.e.compiled.subject.by_rule
    if by_jax or (leaf.R is not None and (leaf.off() <= leaf.exact).all()):
        return found
    says = _refuted(leaf, sound)
    return found._replace(verdict=WRONG, says=says, mistake="kink") if says else found


def _refuted(leaf: Leaf, sound: Sequence[int]) -> str:
    """The sentence that refutes the choice at the kink, or "" if no test refutes it."""
    e = leaf.e
    for v in _tied(leaf, sound):
        if says := _against(e, v, leaf.rng):
            return says + _of_ties(leaf, v)
    if says := _of_total(leaf, sound):
        return says
    for dy in _one_output(leaf):
        of_output = evidence_at(e.compiled, dy, e.caller_dtype)
        for v in _across(of_output, leaf.rng, sound):
            if says := _against(of_output, v, leaf.rng):
                return says
    return ""


def _of_total(leaf: Leaf, sound: Sequence[int]) -> str:
    """The sentence that refutes the gradient of the sum of the outputs with a kink, or "".

    Only a smooth sum refutes, and only if f sorts: then the outputs are one choice of an order. The
    choices of other outputs are independent.
    """
    e = leaf.e
    if e.slopes.eps > SHARP or not e.compiled.sorts:  # no point is near, or no order
        return ""
    varies = vary(e.slopes.slopes_nearby(_random(leaf, sound), leaf.rng))
    if varies.sum() < 2:
        return ""
    total = evidence_at(e.compiled, _like(e.dy, varies.astype(float)), e.caller_dtype)
    for _ in range(2):
        v = _random(leaf, sound)
        each = total.slopes.slopes_nearby(v, leaf.rng)
        whole, size = each.sum(1), np.abs(each).sum(1).max()
        slope, claim = float(np.median(whole)), _claim(total, v)
        slack = max(10 * DIFFERENCE, e.loose[0]) * size
        if np.ptp(whole) > slack:
            return ""
        if abs(claim - slope) > 10 * slack:
            return (
                "is not a valid choice at a kink: along a direction, the sum of the outputs has "
                f"the slope {_number(slope, slack)}, this gradient gives {_number(claim, slack)}"
            )
    return ""


def _random(leaf: Leaf, sound: Sequence[int]) -> Leaves:
    """A random direction of the leaves `sound`."""
    pairs = enumerate(zip(leaf.e.compiled.x, leaf.e.slopes.sizes, strict=True))
    move = lambda x, size: size * leaf.rng.standard_normal(x.shape)
    return [(move(x, size) * (i in sound)).astype(x.dtype) for i, (x, size) in pairs]


def _against(e: Evidence, v: Leaves, rng: np.random.Generator) -> str:
    """The sentence that refutes <G, v> if it is outside the slopes along v, else ""."""
    claim, size = _claim(e, v), _claim(e, v, np.abs)
    look, slack = e.slopes.close(v), max(10 * DIFFERENCE, e.loose[0]) * size
    number = lambda slope: _number(slope, slack)
    if look.admits(claim, slack) or e.slopes.nearby_admits(claim, v, rng, slack):
        return ""
    moved = [name for name, b in zip(e.compiled.subject.names, v, strict=True) if b.any()]
    slope = number(look.slope.value)
    if look.kinked:
        slope = f"between {number(look.low)} and {number(look.high)}"
    along = f"a direction of {' and '.join(moved)}" if len(moved) < 4 else "one direction"
    says = f"is not a valid choice at a kink: along {along} the slope is {slope}"
    return f"{says}, this gradient gives {number(claim)}"


def _claim(e: Evidence, v: Leaves, of: Callable = np.asarray) -> float:
    """<G, v>, or the sum of the magnitudes of its parts if `of` is np.abs."""
    pairs = zip(e.claimed, v, strict=True)
    return sum(float(of(g.astype(np.float64) * b).sum()) for g, b in pairs if b.any())


def _number(slope: float, slack: float) -> str:
    return f"{slope if abs(slope) > slack else 0:.6g}"


def _of_ties(leaf: Leaf, v: Leaves) -> str:
    """The required sum of the gradients of tied entries, or "" if the kink is not a tie.

    If tied entries move by the same amount, there is no kink along this direction. The outputs of
    maximum, sort and median move by that amount too, so the shares of dy add up to 1.
    """
    e, moved = leaf.e, [i for i, b in enumerate(v) if b.any()]
    names = [e.compiled.subject.names[i] for i in moved]
    one_leaf = len(moved) < 2
    if e.slopes.close(v).kinked or (one_leaf and len(np.unique(leaf.x)) == leaf.x.size):
        return ""
    equal = [np.where(b == 0, b, leaf.size).astype(b.dtype) for b in v]
    slope, all_of_dy = e.slopes.close(equal).slope.value, leaf.size * sum(d.sum() for d in e.dy)
    shares = abs(slope - all_of_dy) <= 10 * DIFFERENCE * max(abs(slope), abs(all_of_dy))
    total = "their shares of dy must add up to 1"
    total = total if shares else "their gradients must add up to that slope"
    return f"; {f'entries of {names[0]}' if one_leaf else ' and '.join(names)} tie, and {total}"


def _tied(leaf: Leaf, sound: Sequence[int]) -> Iterator[Leaves]:
    """Two random directions in which entries of equal value move by the same amount.

    Entries of other leaves move only if their value occurs in this leaf.
    """
    x = leaf.e.compiled.x
    values = np.unique(leaf.x[np.isfinite(leaf.x)])
    for _ in range(2 if values.size else 0):
        amounts = leaf.size * leaf.rng.choice([-1.0, 1.0], values.shape)
        v = list(leaf.e.compiled.zeros)
        for i in sound:
            at = np.searchsorted(values, x[i]).clip(0, len(values) - 1)
            v[i] = np.where(values[at] == x[i], amounts[at], 0.0).astype(x[i].dtype)
        yield v


def _one_output(leaf: Leaf) -> Iterator[Leaves]:
    """Up to OUTPUTS cotangents. Each is dy at one output with a kink in this leaf, 0 elsewhere."""
    dy = leaf.e.dy
    kinked = np.flatnonzero(leaf.kinked())
    for k in leaf.rng.permutation(kinked)[:OUTPUTS]:
        whole = flat(dy)
        yield _like(dy, np.where(np.arange(whole.size) == k, whole, 0))


def _across(e: Evidence, rng: np.random.Generator, sound: Sequence[int]) -> Iterator[Leaves]:
    """Two random directions along which the gradients at all points nearby give one slope."""
    compiled, sizes = e.compiled, e.slopes.sizes
    rows = []
    for x in e.slopes.nearby(rng):
        R = compiled.reference(x, e.dy)
        if R is None:
            return
        rows.append(_row(R, sizes, sound))
    G, pieces = _row(e.claimed, sizes, sound), np.array(rows)
    used = (pieces != 0).any(0) | (G != 0)
    differ = (pieces - pieces.mean(0))[:, used]
    least = CHANGED * e.slopes.distance * np.abs(pieces).max(initial=0)
    _, strength, basis = np.linalg.svd(differ, full_matrices=False)
    basis = basis[strength > least]
    if len(basis) == len(rows) - 1:  # no two points are on one piece, so pieces may be missing
        return
    for _ in range(2):
        z = rng.standard_normal(used.sum())
        z = z - basis.T @ (basis @ z)
        if np.abs(z).max(initial=0) < 1e-3:  # every direction has a kink
            continue
        rest = np.zeros(used.shape)
        rest[used] = z
        v = list(compiled.zeros)
        for i in sound:
            part, rest = rest[: v[i].size], rest[v[i].size :]
            v[i] = (sizes[i] * part.reshape(v[i].shape)).astype(v[i].dtype)
        yield v


def _row(g: Leaves, sizes: Sequence[float], sound: Sequence[int]) -> np.ndarray:
    """The gradients of the leaves `sound` as one vector, each times the size of its leaf."""
    parts = [sizes[i] * g[i].astype(np.float64).ravel() for i in sound]
    return np.nan_to_num(np.concatenate(parts))


def _like(dy: Leaves, whole: np.ndarray) -> Leaves:
    """The entries of the vector `whole` in the shapes and dtypes of dy."""
    ends = np.cumsum([d.size for d in dy])[:-1]
    parts = zip(dy, np.split(whole, ends), strict=True)
    return [part.reshape(d.shape).astype(d.dtype) for d, part in parts]
