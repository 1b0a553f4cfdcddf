"""Recurrence: one cell applied along a sequence, and backpropagation through time.

A cell computes the state h[n,t] from the previous state and x[n,t]:

    p[n,t,j] = b[j] + sum_c x[n,t,c] w[c,j]        one product over all n and t, except on CPU
    a[n,t,j] = p[n,t,j] + sum_i h[n,t-1,i] u[i,j]
    h[n,t,:] = cell(a[n,t,:], h[n,t-1,:])          y = h

Backward, dh[n,t] is dy[n,t] plus the cotangent that step t + 1 passes back. da[n,t] is dh[n,t]
times the slopes of the cell. Only the following product is computed step by step, from the last
step to the first:

    dh[n,t-1,i] = sum_j da[n,t,j] u[i,j]           plus the cell's direct path from h[n,t-1]

Once every da is known, each other gradient is one product or sum over all steps:

    dx[n,t,c] = sum_j da[n,t,j] w[c,j]             dw[c,j] = sum_{n,t} x[n,t,c] da[n,t,j]
    db[j]     = sum_{n,t} da[n,t,j]                du[i,j] = sum_{n,t} h[n,t-1,i] da[n,t,j]

The arguments are saved, and for each step the previous state and the values of the gates. The
slopes are computed from these. Recomputing the gates would need the product with u again.

Steps at or beyond lengths[n] are padding. They leave the state unchanged, y and dx are 0 there, and
x has no effect, even if it is NaN. A length below 0 counts as 0, and a length above t counts as t,
since a compiled program cannot raise. In reverse, steps run from the last to the first, so example
n starts at step lengths[n] - 1. y[n,t] still belongs to x[n,t]. The last state is the state after
the step that is computed last.

In half precision the state and the gates are carried and saved in float32: a gate rounded to 1
would have slope 0. Values are rounded where they enter a matrix product, and where they are
returned.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from fcnn.ops.case import Case, extreme, normals
from fcnn.ops.contraction import accumulation_dtype, contract
from fcnn.ops.validation import require, require_flags, require_floats

State = tuple[Array, ...]  # (n, k) each, h first
Recurrent = tuple[Any, ...]  # the parameters that act on the state: u first, then biases or None


def scan_forward(
    step: Callable,
    x: Array,
    w: Array,
    b: Array,
    recurrent: Recurrent,
    start: tuple[Array | None, ...],
    lengths: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, State, tuple[State, Any]]:
    """y, the last state, and the residuals.

    The residuals are, for each step, the state before it and its gates. Time is their first axis.

    step: maps `recurrent`, p (n, j) and the state to the new state and the gates.
    """
    valid = _valid(lengths, x.shape[1])
    zeros = jnp.zeros((x.shape[0], recurrent[0].shape[0]), accumulation_dtype(w.dtype))
    start = tuple(zeros if s is None else s.astype(zeros.dtype) for s in start)
    steps = partial(_steps, step, reverse=reverse)
    y, end, saved = lax.platform_dependent(
        _swap_time(_where(valid, x, 0)),
        (w, b),
        recurrent,
        start,
        _swap_time(valid),
        cpu=partial(steps, at_once=False),
        default=partial(steps, at_once=True),
    )
    return _swap_time(y), end, saved


def _steps(step, x, outer, recurrent, start, valid, *, reverse, at_once):
    """y, the last state and the residuals, each with time as its first axis.

    With `at_once`, p is computed for all steps by one large product; otherwise step by step. On
    CPU, allocating p for all steps takes more time than the large product saves:

        p               train step of an LSTM, 64 steps of 64×128
        step by step    31 ms
        all at once     42 ms
    """

    def project(x):
        w, b = outer
        p = product(x, w)
        return p + b.astype(p.dtype).reshape((1,) * (p.ndim - 1) + (-1,))

    def body(state, inputs):
        p, valid = inputs
        new, gates = step(recurrent, p if at_once else project(p), state)
        new = _where(valid, new, state)
        y = _where(valid, new[0], 0)
        return new, (y.astype(x.dtype), (state, gates))

    inputs = (project(x) if at_once else x, valid)
    end, (y, saved) = _scan(body, start, inputs, (outer, recurrent), reverse)
    return y, _cast(end, x.dtype), saved


def scan_backward(
    step: Callable,
    saved: tuple[State, Any],
    recurrent: Recurrent,
    lengths: Array | None,
    dy: Array,
    dend: State,
    *,
    reverse: bool,
) -> tuple[Array, State]:
    """da (t, n, j) of every step, and the cotangents of the initial state.

    step: maps `recurrent`, the cotangents of the new state, the previous state and the gates
          to da and the cotangents of the previous state.
    """
    dtype = accumulation_dtype(dy.dtype)

    def body(dstate, inputs):
        dy, valid, previous, gates = inputs
        dnew = _where(valid, (dstate[0] + dy.astype(dtype), *dstate[1:]), 0)
        da, dprevious = step(recurrent, dnew, previous, gates)
        return _where(valid, dprevious, dstate), da.astype(recurrent[0].dtype)

    inputs = (_swap_time(dy), _swap_time(_valid(lengths, dy.shape[1])), *saved)
    dstart, da = _scan(body, _cast(dend, dtype), inputs, recurrent, not reverse)
    return da, _cast(dstart, dy.dtype)


def input_gradients(
    x: Array, w: Array, lengths: Array | None, da: Array
) -> tuple[Array, Array, Array]:
    """dx, dw and db from da (t, n, j) of all steps."""
    x = _where(_valid(lengths, x.shape[1]), x, 0)
    dx = _swap_time(contract(da, w, over=((2,), (1,))))
    return dx, contract(x, da, over=((0, 1), (1, 0))), da.sum((0, 1))


def product(a: Array, w: Array, *, axis: int = 0) -> Array:
    """Sum of a w over the last axis of a and one axis of w, in the accumulation dtype of w."""
    over = ((a.ndim - 1,), (axis,)), ((), ())
    return lax.dot_general(
        a.astype(w.dtype), w, over, preferred_element_type=accumulation_dtype(w.dtype)
    )


def validate_cell(
    gates: int,
    x: Array,
    w: Array,
    u: Array,
    b: Array,
    lengths: Array | None,
    reverse: Any,
    **state: Array | None,
) -> None:
    """Raise unless the arguments fit a cell with this number of gates."""
    require_floats(x=x, w=w, u=u, b=b, **state)
    require(x.ndim == 3, f"x {x.shape} needs 3 axes: examples, steps, features")
    require(u.ndim == 2, f"u {u.shape} needs 2 axes")
    n, c, k = x.shape[0], x.shape[2], u.shape[0]
    for_gates = f" for {gates} gates of {k} units" if gates > 1 else ""
    require(u.shape == (k, gates * k), f"u {u.shape} needs shape {(k, gates * k)}{for_gates}")
    require(
        w.shape == (c, gates * k),
        f"w {w.shape} needs shape {(c, gates * k)} for x {x.shape} and u {u.shape}",
    )
    require(b.shape == w.shape[1:], f"b {b.shape} needs shape {w.shape[1:]}")
    for s, a in state.items():
        fits = a is None or a.shape == (n, k)
        require(fits, f"{s} {a is None or a.shape} needs shape {(n, k)}")
    if lengths is not None:
        if not jnp.issubdtype(lengths.dtype, jnp.integer):
            hold = f"lengths hold {lengths.dtype}, not integers"
            raise TypeError(f"{hold}; write lengths.astype(int)")
        fits = lengths.shape == (n,)
        require(fits, f"lengths {lengths.shape} need shape {(n,)} for x {x.shape}")
    require_flags(reverse=reverse)


def extremes(gates: int, *others: Any) -> Iterator[Case]:
    """Cases of `Op.cases` for a cell of 3 units: extreme inputs, and gates that saturate."""
    x, w, u, b = (2, 3, 2), (2, 3 * gates), (3, 3 * gates), (3 * gates,)
    yield extreme("huge", normals(x, 1e9), w, u, b, *others)
    yield extreme("tiny", normals(x, 1e-6), normals(w, 1e-3), u, b, *others)
    yield extreme("gates near 1", x, w, u, normals(b, 0.5, 9), *others)
    yield extreme("gates near 0", x, w, u, normals(b, 0.5, -9), *others)


def _scan(body, state, inputs, shared, reverse):
    """lax.scan whose initial carry has the type of the later carries, also under shard_map.

    Under shard_map the type of an array holds the mesh axes along which it varies. The carry varies
    along the axes of every array that it is computed from, so a 0 of each array's type is added at
    the start.
    """
    for a in jax.tree.leaves((state, inputs, shared)):
        state = tuple(s + jnp.zeros_like(a, s.dtype, shape=()) for s in state)
    return lax.scan(body, state, inputs, reverse=reverse)


def _valid(lengths, t):
    """Whether step t < lengths[n], as (n, t, 1); None if lengths is None."""
    if lengths is None:
        return None
    if lengths.dtype.itemsize < 4:  # int8 and int16 are too short to number every step
        lengths = lengths.astype(jnp.int32)
    return (jnp.arange(t, dtype=lengths.dtype)[None] < lengths[:, None])[..., None]


def _where(valid: Array | None, new: Any, old: Any) -> Any:
    """`new` in valid steps, and `old`, which may be 0, in padding."""
    if valid is None:
        return new
    old = jax.tree.map(jnp.zeros_like, new) if isinstance(old, int) else old
    return jax.tree.map(lambda a, b: jnp.where(valid, a, b), new, old)


def _swap_time(a: Any) -> Any:
    """(n, t, :) -> (t, n, :), and the inverse."""
    return None if a is None else a.swapaxes(0, 1)


def _cast(tree, dtype):
    """The tree with every float array in `dtype`."""
    to = lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a
    return jax.tree.map(to, tree)
