"""Recurrence: one cell, applied step after step along a sequence, and back again.

A cell makes the state h[n,t] from the state before it and from x[n,t]:

    p[n,t,j] = b[j] + sum_c x[n,t,c] w[c,j]        one product over all n and t, but on CPU
    a[n,t,j] = p[n,t,j] + sum_i h[n,t-1,i] u[i,j]
    h[n,t,:] = cell(a[n,t,:], h[n,t-1,:])          y = h

Back through time: dh[n,t] is dy[n,t] and what step t + 1 hands back. The slopes of the cell make
da[n,t] of it, and all that must wait for its turn, last step first, is

    dh[n,t-1,i] = sum_j da[n,t,j] u[i,j]           and what else the cell carries over

Once every da is known the other sums over steps are one matrix product each, not one per step:

    dx[n,t,c] = sum_j da[n,t,j] w[c,j]             dw[c,j] = sum_{n,t} x[n,t,c] da[n,t,j]
    db[j]     = sum_{n,t} da[n,t,j]                du[i,j] = sum_{n,t} h[n,t-1,i] da[n,t,j]

The arguments are saved and, of each step, the state before it and the values of its gates: slopes
are cheapest in those, and to find them again would take the product with u again.

Steps at or beyond lengths[n] leave the state as it was; there y and dx are 0, and x is not read, be
it NaN. A length below 0 counts as 0, one above t as t, since a compiled program cannot raise. In
reverse, steps are taken from the last to the first, so each example starts at its own last step;
y[n,t] stays beside x[n,t]. The last state is the one after the last step taken.

In half precision the state is carried and saved in float32, and so are the gates: a gate rounded
to 1 would have no slope. All are rounded where they enter a product, or leave.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.op import Case, extreme, normals
from fcnn.ops.validation import require, require_flags, require_floats

State = tuple[Array, ...]  # (n, k) each, h first
Inner = tuple[Any, ...]  # what a step needs besides: u first, and biases that may be None


def forwards(
    step: Callable,
    x: Array,
    w: Array,
    b: Array,
    inner: Inner,
    start: tuple[Array | None, ...],
    lengths: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, State, tuple[State, Any]]:
    """y, the last state, and what to save: time first, the state before each step and its gates.

    step: `inner`, p (n, j) and the state -> the new state, and the gates.
    """
    live = _live(lengths, x.shape[1])
    zeros = jnp.zeros((x.shape[0], inner[0].shape[0]), accumulation_dtype(w.dtype))
    start = tuple(zeros if s is None else s.astype(zeros.dtype) for s in start)
    steps = partial(_steps, step, reverse=reverse)
    y, end, saved = lax.platform_dependent(
        _first(_where(live, x, 0)),
        (w, b),
        inner,
        start,
        _first(live),
        cpu=partial(steps, at_once=False),
        default=partial(steps, at_once=True),
    )
    return _first(y), end, saved


def _steps(step, x, outer, inner, start, live, *, reverse, at_once):
    """y, the last state and what to save, time first; p of all steps at once or of each by itself.

    At once is one large product. But on CPU new memory for all of p costs more than that gains: a
    train step of an LSTM of 64 steps, 64×128 each, took 31 ms step by step, and 42 at once.
    """

    def read(x):
        w, b = outer
        p = times(x, w)
        return p + b.astype(p.dtype).reshape((1,) * (p.ndim - 1) + (-1,))

    def body(state, seen):
        p, live = seen
        new, gates = step(inner, p if at_once else read(p), state)
        new = _where(live, new, state)
        y = _where(live, new[0], 0)
        return new, (y.astype(x.dtype), (state, gates))

    seen = (read(x) if at_once else x, live)
    end, (y, saved) = _scan(body, start, seen, (outer, inner), reverse)
    return y, _cast(end, x.dtype), saved


def backwards(
    step: Callable,
    saved: tuple[State, Any],
    inner: Inner,
    lengths: Array | None,
    dy: Array,
    dend: State,
    *,
    reverse: bool,
) -> tuple[Array, State]:
    """Every da (t, n, j), and the cotangents of the state at the start.

    step: `inner`, the cotangents of a state, the state before it, the gates
          -> da, and the cotangents of the state before it.
    """
    long = accumulation_dtype(dy.dtype)

    def body(dstate, seen):
        dy, live, before, gates = seen
        dnew = _where(live, (dstate[0] + dy.astype(long), *dstate[1:]), 0)
        da, dbefore = step(inner, dnew, before, gates)
        return _where(live, dbefore, dstate), da.astype(inner[0].dtype)

    seen = (_first(dy), _first(_live(lengths, dy.shape[1])), *saved)
    dstart, da = _scan(body, _cast(dend, long), seen, inner, not reverse)
    return da, _cast(dstart, dy.dtype)


def products(x: Array, w: Array, lengths: Array | None, da: Array) -> tuple[Array, Array, Array]:
    """dx, dw and db, of every da (t, n, j) at once."""
    x = _where(_live(lengths, x.shape[1]), x, 0)
    dx = _first(contract(da, w, over=((2,), (1,))))
    return dx, contract(x, da, over=((0, 1), (1, 0))), da.sum((0, 1))


def times(a: Array, w: Array, *, axis: int = 0) -> Array:
    """Sum a[..., i] w over the given axis of w; the sum stays in float32 when w is shorter."""
    over = ((a.ndim - 1,), (axis,)), ((), ())
    return lax.dot_general(
        a.astype(w.dtype), w, over, preferred_element_type=accumulation_dtype(w.dtype)
    )


def refuse(
    name: str,
    gates: int,
    x: Array,
    w: Array,
    u: Array,
    b: Array,
    lengths: Array | None,
    reverse: Any,
    **state: Array | None,
) -> None:
    """What every cell of so many gates asks of its arguments."""
    require_floats(name, x=x, w=w, u=u, b=b, **state)
    require(x.ndim == 3, f"{name}: x {x.shape} needs 3 axes: examples, steps, features")
    require(u.ndim == 2, f"{name}: u {u.shape} needs 2 axes")
    n, c, k = x.shape[0], x.shape[2], u.shape[0]
    many = f" for {gates} gates of {k}" if gates > 1 else ""
    require(u.shape == (k, gates * k), f"{name}: u {u.shape} needs shape {(k, gates * k)}{many}")
    require(
        w.shape == (c, gates * k),
        f"{name}: w {w.shape} needs shape {(c, gates * k)}, as x {x.shape} and u {u.shape}",
    )
    require(b.shape == w.shape[1:], f"{name}: b {b.shape} needs shape {w.shape[1:]}")
    for s, a in state.items():
        fits = a is None or a.shape == (n, k)
        require(fits, f"{name}: {s} {a is None or a.shape} needs shape {(n, k)}")
    if lengths is not None:
        if not jnp.issubdtype(lengths.dtype, jnp.integer):
            raise TypeError(f"{name}: lengths hold {lengths.dtype}, not numbers of steps")
        one_each = lengths.shape == (n,)
        require(one_each, f"{name}: lengths {lengths.shape} need shape {(n,)}, as x {x.shape}")
    require_flags(name, reverse=reverse)


def extremes(gates: int, *more: Any) -> Iterator[Case]:
    """For `Op.cases` of a cell of 3 features: inputs at their limits, and gates that saturate."""
    x, w, u, b = (2, 3, 2), (2, 3 * gates), (3, 3 * gates), (3 * gates,)
    yield extreme("huge", normals(x, 1e9), w, u, b, *more)
    yield extreme("tiny", normals(x, 1e-6), normals(w, 1e-3), u, b, *more)
    yield extreme("all saturate", x, w, u, normals(b, 0.5, 9), *more)
    yield extreme("none opens", x, w, u, normals(b, 0.5, -9), *more)


def _scan(body, state, seen, inner, reverse):
    """lax.scan; its carry must vary as all it is made from does, where shard_map says what varies.

    That is what adding 0 made like each of those is for.
    """
    for a in jax.tree.leaves((state, seen, inner)):
        state = tuple(s + jnp.zeros_like(a, s.dtype, shape=()) for s in state)
    return lax.scan(body, state, seen, reverse=reverse)


def _live(lengths, t):
    """t < lengths[n], (n, t, 1)."""
    if lengths is None:
        return None
    if lengths.dtype.itemsize < 4:  # too short to number every step
        lengths = lengths.astype(jnp.int32)
    return (jnp.arange(t, dtype=lengths.dtype)[None] < lengths[:, None])[..., None]


def _where(live: Array | None, new: Any, old: Any) -> Any:
    """`new` in live steps, `old` (or 0) in others."""
    if live is None:
        return new
    old = jax.tree.map(jnp.zeros_like, new) if isinstance(old, int) else old
    return jax.tree.map(lambda a, b: jnp.where(live, a, b), new, old)


def _first(a: Any) -> Any:
    """(n, t, :) to (t, n, :), or back."""
    return None if a is None else a.swapaxes(0, 1)


def _cast(tree, dtype):
    """Every float in it in `dtype`."""
    to = lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a
    return jax.tree.map(to, tree)
