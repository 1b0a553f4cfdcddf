"""Constants that have float32 precision in the forward pass and float64 precision in the backward.

np.float32(0.1) in one pass and 0.1 in the other is no mistake in the formula, but G and R then
differ by about 1e-8. This cause is accepted if both hold:

    a constant of one program has float32 precision, and does not occur in the other program
    G - R is at most LARGEST times the change of R when all constants change by half a float32 eps
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend import core

from fcnn.checker.evidence import Evidence, largest
from fcnn.checker.strip_rules import programs_in

LARGEST = 4
SIMPLE = 2.0**12  # a constant with fewer bits than this is exact in float32, such as 0.5 or 3
FEW = 1000  # largest size of a constant array that is compared
HALF_EPS = float(np.finfo(np.float32).eps) / 2


def other_constants(e: Evidence, i: int, off: float) -> str:
    """The sentence on constants that explain an error `off` of leaf i, or ""."""
    compiled, subject = e.compiled, e.compiled.subject
    try:
        forward = jax.make_jaxpr(subject.plain)(compiled.x)
        claimed = jax.make_jaxpr(subject.traceable)(compiled.x, e.dy)
    except Exception:  # JAX cannot trace them
        return ""
    in_forward = _constants(forward)
    in_backward = _constants(claimed) - in_forward  # the claimed program runs the forward pass too
    for one, short, other, long in (
        ("forward", in_forward, "backward", in_backward),
        ("backward", in_backward, "forward", in_forward),
    ):
        alone = sorted(c for c in short if c not in long and c == float(np.float32(c)))
        if alone and off <= LARGEST * _sensitivity(e, i, forward):
            share = off / (largest(e.claimed[i]) or 1.0)
            return (
                f"agrees to {share:.0e}: the {one} pass has the constant {alone[0]:.7g} in "
                f"float32, the {other} pass computes in float64"
            )
    return ""


def _constants(program: core.ClosedJaxpr) -> Counter[float]:
    """How often each floating constant that is not simple occurs in a program."""
    found = [np.ravel(np.asarray(c)) for c in _values(program)]
    numbers = Counter(float(v) for a in found if a.size <= FEW for v in a)
    simple = lambda v: not np.isfinite(v) or not np.frexp(v)[0] * SIMPLE % 1
    return Counter({v: n for v, n in numbers.items() if not simple(v)})


def _values(program) -> Iterator[Any]:
    consts, jaxpr = getattr(program, "consts", []), getattr(program, "jaxpr", program)
    yield from filter(_is_floating, consts)
    for equation in jaxpr.eqns:
        yield from (v.val for v in equation.invars if _is_floating_literal(v))
        yield from (c for v in equation.params.values() for p in programs_in(v) for c in _values(p))


def _sensitivity(e: Evidence, i: int, forward: core.ClosedJaxpr) -> float:
    """The largest change of R when each constant changes by ± half a float32 eps, at random."""
    if e.reference is None:
        return 0.0
    changes = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        nudge = lambda a, rng=rng: _nudged(a, rng)
        run = core.jaxpr_as_fun(_changed(forward, nudge))
        pull = lambda x, dy, run=run: jax.vjp(lambda x: run(*x), x)[1](dy)[0]
        R = jax.jit(pull)(e.compiled.x, e.dy)
        changes.append(largest(np.asarray(R[i]) - e.reference[i]))
    return max(changes)


def _nudged(a, rng):
    """The constant `a` in float64, changed by ± half a float32 eps if it is not simple."""
    a = np.asarray(a)
    change = np.where(np.frexp(a)[0] * SIMPLE % 1, rng.choice([-1.0, 1.0], a.shape), 0)
    return (a * (1 + HALF_EPS * change * (2 if a.dtype == np.float32 else 1))).astype(a.dtype)


def _changed(program: Any, change: Callable) -> Any:
    """The program with `change` applied to all its floating constants.

    From jax 0.12 on, every Jaxpr has its constants; before, only a ClosedJaxpr has.
    """
    if isinstance(program, tuple | list):
        return type(program)(_changed(p, change) for p in program)
    if not isinstance(program, core.ClosedJaxpr | core.Jaxpr):
        return program
    new = lambda v: core.Literal(change(v.val), v.aval) if _is_floating_literal(v) else v
    jaxpr: Any = getattr(program, "jaxpr", program)
    eqns = [
        equation.replace(
            invars=list(map(new, equation.invars)),
            params={
                k: _changed(v, change) if programs_in(v) else v for k, v in equation.params.items()
            },
        )
        for equation in jaxpr.eqns
    ]
    changed, consts = jaxpr.replace(eqns=eqns), getattr(program, "consts", None)
    if consts is None:
        return changed
    return core.ClosedJaxpr(changed, [change(c) if _is_floating(c) else c for c in consts])


def _is_floating(c):
    return getattr(c, "dtype", None) in (np.float32, np.float64) or isinstance(c, float)


def _is_floating_literal(v):
    return isinstance(v, core.Literal) and _is_floating(np.asarray(v.val))
