"""The verdict on the claimed gradient G of each leaf, by three tests:

    every entry     |G - R| is at most a tolerance times the largest entry
    forward         <G, v> = <dy, J v>, the adjoint identity
    differences     <G, v> is the slope by `Slopes.along` or, if they disagree, by `Slopes.close`

Tolerances are relative to the largest entry and do not grow with the size of the leaf. NaN agrees
with nothing. Two right formulas may differ by rounding, so G - R may be up to 30 times the change
of R when x is rounded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fcnn.checker.constants import other_constants
from fcnn.checker.evidence import Evidence, evidence_at, largest, not_linear
from fcnn.checker.finite_differences import Close
from fcnn.checker.leaf import Leaf
from fcnn.checker.steps import ROUNDINGS
from fcnn.checker.together import confirmed

RIGHT, WRONG, KINK, NOISY = "right", "wrong", "kink", "too noisy to tell"
NOT_FINITE, NOT_DETERMINISTIC = "not finite", "not deterministic"
SEARCH = 100  # evaluations of f that find one wrong entry
CONSTANTS = 1e-5  # largest relative error that may come from constants in float32
CLEAR = 1e-3  # relative rounding error that leaves enough digits
CLOSE = 4  # number of worst entries, and of random other entries, tested by `Slopes.close`


class Finding(NamedTuple):
    """The verdict on a leaf, and its worst entry: index, claimed value, and references."""

    verdict: str
    error: float = 0.0  # relative to the largest entry
    at: tuple[int, ...] | None = None
    claimed: float | None = None
    autodiff: float | None = None
    slopes: tuple[float, ...] = ()  # by finite differences; at a kink, lower and upper slope
    says: str = ""
    mistake: str = ""  # kind of the mistake, if the tests show it without a diagnosis


def verdicts(e: Evidence, seed: int = 0) -> Iterator[Finding]:
    """The finding on each leaf, as soon as it is judged, without regard to the other leaves."""
    e = e._replace(confirmed=confirmed(e, seed))
    yield from (judge(e, i, seed) for i in range(len(e.compiled.x)))


def _nan_of(e):
    """The end of a sentence: which arguments hold NaN, or that no argument holds NaN."""
    each = zip(e.compiled.subject.names, e.compiled.x, strict=True)
    names = [name for name, a in each if np.isnan(a).any()]
    if names:
        return f"; {', '.join(names)} hold{'s' * (len(names) == 1)} NaN"
    return "; no argument holds NaN: check at arguments in its domain"


def judge(e: Evidence, i: int, seed: int = 0) -> Finding:
    """The finding on leaf i."""
    x, G, repeat = e.compiled.x[i], e.claimed[i], e.repeat[i]
    if any(np.isnan(y).any() for y in e.compiled.y):
        return Finding(NOT_FINITE, np.inf, says=f"the function itself returns NaN{_nan_of(e)}")
    if not e.compiled.deterministic:
        return Finding(NOT_DETERMINISTIC, np.inf, says="two runs of the function itself differ")
    if G.shape != x.shape or not jnp.issubdtype(G.dtype, jnp.floating):
        return Finding(WRONG, np.inf, says=e.compiled.subject.misfit(i, G))
    if all(y.size and not np.isfinite(y).any() for y in e.compiled.y):
        return Finding(NOT_FINITE, np.inf, says="the function itself returns no finite output")
    if not _same(e.y, e.compiled.y, e.loose[0]):
        return Finding(WRONG, np.inf, says="fwd returns another output than the function itself")
    leaf = Leaf(e, i, seed)
    if not np.array_equal(G, repeat, equal_nan=True):
        off = np.nan_to_num(np.abs(repeat - G), nan=np.inf).astype(np.float64)
        says = f"a second run returns {repeat.flat[int(off.argmax())]:.6g} at this entry"
        return _found(leaf, NOT_DETERMINISTIC, off, says=says)
    if not np.isfinite(G).all():
        return _found(leaf, NOT_FINITE, np.where(np.isfinite(G), 0, np.inf))
    found = _verdict(leaf) if x.size else Finding(RIGHT)
    if found.verdict in (RIGHT, KINK) and (says := not_linear(e, i, leaf.exact + leaf.loose)):
        off = np.abs(e.scaled[i] - leaf.G)
        if np.nanmax(off) > leaf.noise():
            return _found(leaf, WRONG, off, says=says)._replace(mistake="not linear")
    return found


def _verdict(leaf: Leaf, smooth: bool = False) -> Finding:
    """The finding on a finite gradient; `smooth` if dy is 0 for all outputs with a kink."""
    suspected = leaf.R is not None and (leaf.off() > leaf.exact).any()
    found = _suspected(leaf) if suspected else _agreed(leaf)
    return found if smooth or found.verdict != KINK else _beyond_kinks(leaf) or found


def _suspected(leaf: Leaf) -> Finding:
    """The finding where G and R differ in some entries: a mistake, a kink, or rounding."""
    off = leaf.off()
    suspects = np.asarray(off > leaf.exact)
    worst = np.argsort(-off, axis=None)[:CLOSE].tolist()
    others = leaf.rng.permutation(np.flatnonzero(suspects))[:CLOSE].tolist()
    entries = [j for j in dict.fromkeys(worst + others) if suspects.flat[j]]
    first = leaf.look(leaf.one(entries[0]))
    if np.isfinite(off).all() and not first.kinked:
        noise = max(leaf.noise(), leaf.cancellation())
        if off.max() <= noise and not (
            noise > CLEAR * leaf.top and leaf.refuted(leaf.one(entries[0]), first)
        ):
            clear = noise <= CLEAR * leaf.top or leaf.top <= noise  # G and R are 0 if top <= noise
            return _found(leaf, RIGHT if clear else NOISY, off, first)
        if off.max() <= leaf.loose:
            says = f"accurate to {leaf.loose / leaf.top:.0e} only: "
            says += f"f computes in {leaf.short} internally"
            return _found(leaf, RIGHT, off, first, says)
        if off.max() <= CONSTANTS * leaf.top and (
            says := other_constants(leaf.e, leaf.i, off.max())
        ):
            return _found(leaf, RIGHT, off, first, says)
        short = leaf.e.shortest_claimed
        if off.max() <= ROUNDINGS * leaf.top * float(jnp.finfo(short).eps):
            says = f"is computed in {short}, but f in {leaf.short}: use {leaf.short} in both"
            return _found(leaf, WRONG, off, first, says)._replace(mistake="short dtype")
    together = [suspects * leaf.size, suspects * leaf.signs(), leaf.tied(), leaf.tied()]
    R = leaf.G if leaf.R is None else np.where(np.isfinite(leaf.R), leaf.R, np.inf)
    slack, kinked, against_R = leaf.size * leaf.exact, False, True
    for v in [*map(leaf.one, entries), *together]:
        look = leaf.look(v)
        at_x = look.admits(leaf.claims(v), slack)
        if not (at_x or leaf.allows(v, look, slack)):
            return _found(leaf, WRONG, off, first)
        kinked |= look.kinked or not at_x
        against_R &= not look.admits(float((R[v != 0] * v[v != 0]).sum()), slack)
    if kinked:
        return _found(leaf, KINK, off, first)
    if against_R:
        return _found(
            leaf, RIGHT, off, first, "finite differences agree with it, autodiff does not"
        )
    return _found(leaf, WRONG, off, first)


def _agreed(leaf: Leaf) -> Finding:
    """The finding if G equals R or R is None, by forward autodiff and finite differences."""
    scale = leaf.scale or 1.0
    by_slopes = leaf.e.confirmed.get(leaf.i, 0.0)
    found = Finding(RIGHT, by_slopes if leaf.R is None else float(leaf.off().max()) / scale)
    for v in leaf.directions():
        along, jvp, slope = leaf.claims(v), leaf.jvp(v), leaf.quick(v)
        off = abs(slope.value - along)
        if not off <= slope.bar + leaf.slack:
            found = _disputed(leaf, v, found)
            if found.verdict not in (RIGHT, KINK):
                return found
        elif leaf.R is None and slope.bar <= leaf.precise:
            found = found._replace(error=max(found.error, off / (scale * leaf.size)))
        if jvp is None or not np.isfinite(jvp):  # J v overflows before <dy, J v> does
            continue
        if abs(jvp - along) <= leaf.jvp_bar(v, jvp - along):
            continue
        if not leaf.both_at_kink(v, along, jvp):
            says = (
                f"has slope {along:.6g} along a direction, where forward autodiff gives {jvp:.6g}"
            )
            return found._replace(verdict=WRONG, says=says)
    return found


def _disputed(leaf: Leaf, v: np.ndarray, found: Finding) -> Finding:
    """The finding if finite differences along v disagree with G: a kink, rounding, or a mistake."""
    along, look = leaf.claims(v), leaf.look(v)
    if not look.kinked and look.admits(along, leaf.slack):
        return found
    if leaf.agrees_at_each_scale(v):
        return found
    if (look.kinked and leaf.R is not None) or leaf.allows(v, look, leaf.slack):
        return found if found.verdict == KINK else _at_kink(leaf, v, found)
    unsure = found if leaf.R is not None else found._replace(verdict=NOISY)
    return _located(leaf, v, unsure) if _is_certain(leaf, look, along) else unsure


def _is_certain(leaf: Leaf, look: Close, along: float) -> bool:
    """Whether finite differences are precise enough to refute G, even where G equals R."""
    off, most = abs(look.slope.value - along), max(abs(along), abs(look.slope.value))
    if leaf.R is not None and off <= 10 * look.slope.bar + 1e-5 * most:
        return False
    if leaf.e.slopes.coarse and off > 3 * look.slope.bar:
        return True
    return look.kinked or look.slope.bar <= 0.05 * most


def _at_kink(leaf: Leaf, v: np.ndarray, found: Finding) -> Finding:
    """The finding at the entry whose two slopes differ most."""
    entry = leaf.bisect(v, leaf.gap)
    look = leaf.look(leaf.one(entry))
    return _of_entry(leaf, entry, look)._replace(verdict=KINK, error=found.error, says="")


def _located(leaf: Leaf, v: np.ndarray, unsure: Finding) -> Finding:
    """The finding at an entry that finite differences refute, or `unsure` without such an entry.

    If f is too slow for the search, the finding has no entry.
    """
    if not leaf.e.affordable(SEARCH):
        along, slope = leaf.claims(v), leaf.quick(v).value
        says = f"has slope {along:.6g} along a direction, where finite differences give {slope:.6g}"
        says += f"; one call of f takes {leaf.e.compiled.seconds:.2g} s, so no entry was searched"
        off = abs(slope - along) / (max(abs(slope), abs(along)) or 1.0)
        return unsure._replace(verdict=WRONG, error=off, says=says)
    entry = leaf.bisect(v, lambda part: abs(leaf.quick(part).value - leaf.claims(part)))
    look, along = leaf.look(leaf.one(entry)), leaf.claims(leaf.one(entry))
    if leaf.allows(leaf.one(entry), look, leaf.slack) or not _is_certain(leaf, look, along):
        return unsure
    return _of_entry(leaf, entry, look)


def _beyond_kinks(leaf: Leaf) -> Finding | None:
    """The finding of a mistake that kinks hide: dy is set to 0 for every output with a kink."""
    kinked, dy = leaf.kinked(), []
    if kinked.all() or not kinked.any():
        return None
    for d in leaf.e.dy:
        here, kinked = kinked[: d.size].reshape(d.shape), kinked[d.size :]
        dy.append(np.where(here, 0, d).astype(d.dtype))
    found = _verdict(
        Leaf(evidence_at(leaf.e.compiled, dy, leaf.e.caller_dtype), leaf.i, leaf.seed), smooth=True
    )
    return found if found.verdict == WRONG else None


def _found(leaf, verdict, off, look: Close | None = None, says="") -> Finding:
    """The finding at the entry with the largest error."""
    at = leaf.at(int(off.argmax()))
    return Finding(
        verdict,
        float(off[at]) / (leaf.scale or 1.0),
        at,
        float(leaf.G[at]),
        None if leaf.R is None else float(leaf.R[at]),
        () if look is None else leaf.slopes(look),
        says,
    )


def _of_entry(leaf, entry, look) -> Finding:
    """The finding that an entry differs from finite differences."""
    at, slope = leaf.at(entry), look.slope.value / leaf.size
    off = abs(leaf.G[at] - slope) / (max(leaf.top, abs(slope)) or 1.0)
    says = "" if leaf.R is None else "autodiff agrees with it, finite differences do not"
    R = None if leaf.R is None else float(leaf.R[at])
    return Finding(WRONG, float(off), at, float(leaf.G[at]), R, leaf.slopes(look), says)


def _same(a, b, tolerance):
    """Whether a and b are equal within a tolerance relative to the largest entry."""
    finite = lambda p, q: np.where(np.isfinite(q), p, 0)
    return len(a) == len(b) and all(
        p.shape == q.shape
        and np.array_equal(np.isfinite(p), np.isfinite(q))
        and largest(finite(p, q) - finite(q, q)) <= tolerance * largest(*b)
        for p, q in zip(a, b, strict=True)
    )
