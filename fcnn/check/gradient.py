"""Four answers to "what is the gradient?", and the demand that they agree.

For y = f(x) with Jacobian J, a random cotangent dy and a random direction v, ± the size of x,

    by hand               Jᵀ dy, from the operator's own fwd and bwd
    reverse autodiff      Jᵀ dy, from the plain forward          every entry is compared
    forward autodiff      <dy, J v> = <Jᵀ dy, v>                 the adjoint identity
    finite differences    <dy, f(x + h v) - f(x - h v)> / 2h     extrapolated from h and h/2

Tolerances are relative to the largest entry and never grow with the array; NaN equals nothing.
Meant for float64.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.ops import Op

EXACT = 1e-10  # between formulas
DIFFERENCE = 1e-6  # to a finite difference
STEP = 1e-6  # h
SMALL = 1e-3  # a gradient smaller than this all over is compared with this


class WrongGradient(AssertionError):
    """Two of the four answers differ; the message says which, where and by how much."""


class Answers(NamedTuple):
    """What each way of differentiating says; lists have an entry per argument, or None."""

    forward: Any  # the floats in y
    fwd: Any  # the same, from the operator's fwd
    by_hand: list[jax.Array | None]
    reverse: list[jax.Array | None]
    size_of_v: jax.Array
    by_hand_along_v: jax.Array
    forward_along_v: jax.Array
    difference_along_v: jax.Array


def check(
    op: Op,
    args: Sequence[jax.Array | None],
    options: Mapping[str, Any],
    *,
    seed: int = 0,
    kink: bool = False,
) -> None:
    """Compare the four answers for every floating argument of `op`.

    At a kink the slope was chosen, so finite differences are left out.

    Raises: WrongGradient at the first disagreement.
    Cost:   about 8 forward passes.
    """
    judge(op.name, answers(op, args, options, seed=seed), kink=kink)


def answers(
    op: Op, args: Sequence[jax.Array | None], options: Mapping[str, Any], *, seed: int = 0
) -> Answers:
    """All four, by one compiled program; dy and v are drawn from `seed`."""
    _, options = op.bind(*args, **options)
    rng = np.random.default_rng((seed, 1))  # no stream that cases are drawn from
    like = lambda a, drawn: jnp.asarray(drawn, a.dtype) if _is_float(a) else None
    y = jax.eval_shape(partial(op.forward, **options), *args)
    dy = jax.tree.map(lambda a: like(a, rng.standard_normal(a.shape)), y)
    signs = [like(a, rng.choice([-1.0, 1.0], a.shape)) for a in _floats(args)]
    return jax.jit(partial(_answers, op, options))(tuple(args), dy, signs)


def judge(name: str, found: Answers, *, kink: bool = False) -> None:
    """WrongGradient at the first disagreement."""
    _same(found.fwd, found.forward, EXACT, f"{name}: fwd and forward differ")
    for i, (hand, auto) in enumerate(zip(found.by_hand, found.reverse, strict=True)):
        if (hand is None) != (auto is None):
            raise WrongGradient(
                f"{name}: argument {i} has {'no' if auto is None else 'a'} gradient"
            )
        _same(hand, auto, EXACT, f"{name}: argument {i}: by hand and autodiff differ")
    along, size = found.by_hand_along_v, max(1, float(found.size_of_v))
    differ = f"{name}: by hand and %s differ"
    _same(found.forward_along_v, along, EXACT, differ % "forward autodiff", size)
    if not kink:
        _same(found.difference_along_v, along, DIFFERENCE, differ % "finite difference", size)


def _answers(op, options, args, dy, signs):
    f = lambda *args: _floats(op.forward(*args, **options))
    y, pull = jax.vjp(f, *args)
    y_hand, saved = op.fwd_rule(*args, **options)
    by_hand, reverse = list(op.bwd_rule(saved, dy, **options)), list(pull(_floats(dy)))
    reverse = [g if _is_float(x) else None for g, x in zip(reverse, args, strict=True)]

    x = _floats(args)
    v = [_size(a) * sign for a, sign in zip(x, signs, strict=True)]

    def g(*x):
        x = iter(x)
        return _dot(dy, f(*(next(x) if _is_float(a) else a for a in args)))

    moved = lambda h: g(*(a + h * u for a, u in zip(x, v, strict=True)))
    h = STEP * jnp.array([1, -1, 1 / 2, -1 / 2])
    up, down, half_up, half_down = jax.vmap(moved)(h)
    coarse, fine = (up - down) / (2 * STEP), (half_up - half_down) / STEP
    return Answers(
        y,
        _floats(y_hand),
        by_hand,
        reverse,
        size_of_v=jnp.max(jnp.array([_size(a) for a in x]), initial=0),
        by_hand_along_v=_dot([d for d in by_hand if d is not None], v),
        forward_along_v=jax.jvp(g, x, v)[1],
        difference_along_v=(4 * fine - coarse) / 3,
    )


def _size(x):
    """The root mean square of x, or 1 where that is 0; scaled so that no square overflows."""
    top = jnp.abs(x).max(initial=0)
    top = jnp.where(top > 0, top, 1)
    rms = top * jnp.sqrt(jnp.square(x / top).sum() / max(1, x.size))
    return jnp.where(rms > 0, rms, 1)


def _floats(tree):
    """Its floating leaves: a gradient goes through no other."""
    return [a for a in jax.tree.leaves(tree) if _is_float(a)]


def _is_float(x):
    return x is not None and jnp.issubdtype(x.dtype, jnp.floating)


def _dot(a, b):
    return sum(map(jnp.vdot, jax.tree.leaves(a), jax.tree.leaves(b)), jnp.zeros(()))


def _same(actual, wanted, tolerance, message, size=1.0):
    """Every entry within `tolerance` of the largest wanted one, or of SMALL times `size`."""
    pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True)
    for a, b in ((np.asarray(a), np.asarray(b)) for a, b in pairs):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise WrongGradient(f"{message}: {a.dtype}{a.shape} against {b.dtype}{b.shape}")
        off = np.abs(a - b)
        if not (off <= tolerance * max(SMALL * size, np.abs(b).max(initial=0))).all():
            at = np.unravel_index(np.nan_to_num(off, nan=np.inf).argmax(), off.shape)
            index = f" at {tuple(map(int, at))}" if off.ndim else ""
            raise WrongGradient(f"{message}{index}: {a[at]} against {b[at]}")
