"""Four answers to "what is the gradient?", and the demand that they agree.

For y = f(x) with Jacobian J, a random cotangent dy and a random direction v of ±1,

    by hand               Jᵀ dy, from the operator's own fwd and bwd
    reverse autodiff      Jᵀ dy, from the plain forward          every entry is compared
    forward autodiff      <dy, J v> = <Jᵀ dy, v>                 the adjoint identity
    finite differences    <dy, f(x + h v) - f(x - h v)> / 2h, extrapolated from h and h/2

Tolerances are relative to the largest entry and never grow with the array; NaN equals nothing. Meant for
float64.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.ops import Op

EXACT = 1e-10  # between formulas
DIFFERENCE = 1e-6  # to a finite difference
STEP = 1e-6  # times the root mean square of x


class WrongGradient(AssertionError):
    """Two of the four answers differ; the message says which, where and by how much."""


def check(
    op: Op,
    args: Sequence[jax.Array | None],
    options: Mapping[str, Any],
    *,
    key: jax.Array,
    kink: bool = False,
) -> None:
    """Compare the four answers for every floating argument of `op`.

    At a kink the slope was chosen, so finite differences are left out.

    Raises: WrongGradient at the first disagreement.
    Cost:   about 8 forward passes per argument.
    """
    _, options = op.bind(*args, **options)
    f = partial(op.forward, **options)
    y, pull = jax.vjp(f, *args)
    y_hand, saved = op.fwd_rule(*args, **options)
    _same(y_hand, y, EXACT, f"{op.name}: fwd and forward differ")
    dy = _random(jax.random.normal, key, y)
    by_hand, autodiff = op.bwd_rule(saved, dy, **options), pull(dy)
    for i, (x, hand, auto) in enumerate(zip(args, by_hand, autodiff, strict=True)):
        where = f"{op.name}: argument {i}"
        if x is None or not jnp.issubdtype(x.dtype, jnp.floating):
            if hand is not None:
                raise WrongGradient(f"{where} has no gradient")
            continue
        _same(hand, auto, EXACT, f"{where}: by hand and autodiff differ")
        along = lambda x, i=i: f(*args[:i], x, *args[i + 1 :])
        v = _random(jax.random.rademacher, jax.random.fold_in(key, i), x)
        expected = jnp.vdot(hand, v)
        _, jv = jax.jvp(along, (x,), (v,))
        _same(_dot(dy, jv), expected, EXACT, f"{where}: by hand and forward autodiff differ")
        if not kink:
            slope = _slope(lambda t, x=x, v=v, along=along: _dot(dy, along(x + t * v)), x)
            _same(slope, expected, DIFFERENCE, f"{where}: by hand and finite difference differ")


def _slope(g, x):
    """dg/dt at 0: the central difference at h and h/2, extrapolated to h = 0."""
    h = STEP * jnp.sqrt(jnp.square(x / _scale(x)).mean()) * _scale(x) if x.size else STEP
    h = jnp.where(h > 0, h, STEP)
    central = lambda h: (g(h) - g(-h)) / (2 * h)
    return (4 * central(h / 2) - central(h)) / 3


def _scale(x):
    return jnp.maximum(jnp.abs(x).max(initial=0), jnp.finfo(x.dtype).tiny)


def _random(draw, key, like):
    leaves, tree = jax.tree.flatten(like)
    keys = jax.random.split(key, max(1, len(leaves)))
    return tree.unflatten([draw(k, a.shape, a.dtype) for k, a in zip(keys, leaves, strict=False)])


def _dot(a, b):
    return sum(map(jnp.vdot, jax.tree.leaves(a), jax.tree.leaves(b)))


def _same(actual, wanted, tolerance, message):
    """Every entry within `tolerance` of the largest wanted one, or of 1."""
    pairs = zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True)
    for a, b in pairs:
        if a.shape != b.shape or a.dtype != b.dtype:
            raise WrongGradient(f"{message}: {a.dtype}{a.shape} against {b.dtype}{b.shape}")
        off = jnp.abs(a - b)
        bad = ~(off <= tolerance * jnp.maximum(1, jnp.abs(b).max(initial=0)))
        if bad.any():
            at = jnp.unravel_index(jnp.argmax(jnp.where(jnp.isnan(off), jnp.inf, off)), off.shape)
            index = tuple(map(int, at))
            raise WrongGradient(f"{message} at {index}: {a[index]} against {b[index]}")
