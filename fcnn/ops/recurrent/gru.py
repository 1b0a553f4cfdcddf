"""Gated recurrent unit (GRU): the new state is a weighted mean of the old state and a candidate.

The last axis of w, u and b has three blocks of k entries, in the order r, z, n (as in torch):

    r = sigmoid(b_r + x w_r + h u_r)      reset gate: the share of h that the candidate uses
    z = sigmoid(b_z + x w_z + h u_z)      update gate: the share of h that is kept
    h[n,t] = (1 - z) n + z h[n,t-1]

Here h is h[n,t-1]. In brackets n is the example; otherwise n is the candidate. The reset gate acts
after the product with u_n, or before it:

    reset="after"     n = tanh(b_n + x w_n + r q)     q = h u_n + bu
    reset="before"    n = tanh(b_n + x w_n + m u_n)   m = r h

With dh the cotangent of h[n,t], elementwise,

    da_n = dh (1 - z) (1 - n^2)
    da_z = dh (h - n) z (1 - z)
    da_r = dr r (1 - r)

and, with dq = r da_n and dm = da_n u_nᵀ, the gradients of r and the old state are

    "after"   dr = da_n q     dh[n,t-1] = z dh + (da_r, da_z, dq) uᵀ
    "before"  dr = dm h       dh[n,t-1] = z dh + (da_r, da_z) (u_r, u_z)ᵀ + r dm

`recurrence.py` computes the steps, and dx, dw and db from da. The gradients of u and bu are

    "after"   du = sum_{n,t} h[n,t-1] (da_r, da_z, dq)    dbu = sum_{n,t} dq
    "before"  du_r, du_z = sum_{n,t} h[n,t-1] (da_r, da_z)    du_n = sum_{n,t} m da_n

h[n,t-1], the gates and, for "after", q of each step are saved. The slope of a gate vanishes where
the gate saturates, and a cotangent may be large. So each slope is computed first, and multiplied by
the cotangent last.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from fcnn.ops.case import Case, ints, rejects
from fcnn.ops.contraction import contract
from fcnn.ops.op import operator
from fcnn.ops.recurrent.recurrence import (
    extremes,
    input_gradients,
    product,
    scan_backward,
    scan_forward,
    validate_cell,
)
from fcnn.ops.validation import require, require_floats


@operator()
def gru(
    x: Float[Array, "n t c"],
    w: Float[Array, "c g"],
    u: Float[Array, "k g"],
    b: Float[Array, " g"],
    bu: Float[Array, " k"] | None = None,
    h: Float[Array, "n k"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    *,
    reset: str = "after",
    reverse: bool = False,
) -> tuple[Float[Array, "n t k"], Float[Array, "n k"]]:
    """GRU over a sequence: the output y of every step, and the last state.

    Shapes: x (n, t, c), w (c, 3 k), u (k, 3 k), b (3 k,), bu (k,), h (n, k), lengths (n,)
            -> y (n, t, k), h (n, k). The last axis of w, u and b has the gates in the order r,
            z, n. bu is the bias that the reset gate multiplies, and h is the initial state; each is
            0 if None. lengths[n] is the number of steps of example n, or t if lengths is None.
            Later steps are padding, where y is 0.
    Options:
        reset: "after" if the reset gate multiplies h u_n + bu, as in torch; "before" if it
            multiplies h.
        reverse: whether steps run from the last to the first.
    Units:  plain numbers.
    Raises: ValueError if shapes disagree, `reset` is unknown, or bu is given with reset="before";
            TypeError if x, w, u, b, bu or h do not hold floats, or lengths do not hold integers.
    Cost:   3 n t (c + k) k multiply-adds; twice that for the gradients, which save 5 n t k numbers,
            4 n t k for "before".
    Source: Cho et al. 2014, arXiv:1406.1078v3 ("before") and v1 ("after").

    >>> keep, x = jnp.array([0.0, 9.0, 0.0]), jnp.ones((1, 3, 1))  # update gate near 1: h is kept
    >>> y, h = fcnn.gru(x, jnp.zeros((1, 3)), jnp.zeros((1, 3)), keep, h=jnp.array([[0.5]]))
    >>> h.round(2)
    Array([[0.5]], dtype=float32)
    """
    return gru_fwd(x, w, u, b, bu, h, lengths, reset=reset, reverse=reverse)[0]


@gru.fwd
def gru_fwd(x, w, u, b, bu, h, lengths, *, reset, reverse):
    recurrent = (u, bu)
    y, (end,), steps = scan_forward(STEP[reset], x, w, b, recurrent, (h,), lengths, reverse=reverse)
    return (y, end), (x, w, u, bu, h, lengths, steps)


def _step_after(recurrent, p, state):
    (h,), (u, bu) = state, recurrent
    (p_r, p_z, p_n), (q_r, q_z, q) = (jnp.split(a, 3, axis=-1) for a in (p, product(h, u)))
    if bu is not None:
        q = q + bu.astype(q.dtype)[None]
    r, z = jax.nn.sigmoid(p_r + q_r), jax.nn.sigmoid(p_z + q_z)
    n = jnp.tanh(p_n + r * q)
    return ((1 - z) * n + z * h,), (r, z, n, q)


def _step_before(recurrent, p, state):
    (h,), (u, _), k = state, recurrent, state[0].shape[1]
    a = p[:, : 2 * k] + product(h, u[:, : 2 * k])
    r, z = jnp.split(jax.nn.sigmoid(a), 2, axis=-1)
    n = jnp.tanh(p[:, 2 * k :] + product(r * h, u[:, 2 * k :]))
    return ((1 - z) * n + z * h,), (r, z, n)


@gru.bwd
def gru_bwd(saved, dout, *, reset, reverse):
    x, w, u, bu, h, lengths, steps = saved
    (dy, dend), recurrent = dout, (u, bu)
    da, (dh,) = scan_backward(
        STEP_BACKWARD[reset], steps, recurrent, lengths, dy, (dend,), reverse=reverse
    )
    dx, dw, db = input_gradients(x, w, lengths, da)
    ((previous,), (r, *_)), k = steps, u.shape[0]
    da_rz, da_n = da[..., : 2 * k], da[..., 2 * k :]
    by_h = lambda h, d: contract(h.astype(d.dtype), d, over=((0, 1), (0, 1)))
    if reset == "after":
        dq = r.astype(da.dtype) * da_n
        du, dbu = by_h(previous, jnp.concatenate([da_rz, dq], axis=-1)), dq.sum((0, 1))
    else:
        du, dbu = jnp.concatenate([by_h(previous, da_rz), by_h(r * previous, da_n)], axis=-1), None
    return dx, dw, du, db, None if bu is None else dbu, None if h is None else dh, None


def _step_after_backward(recurrent, dnew, previous, gates):
    (dh,), (h,), (r, z, n, q) = dnew, previous, gates
    da_n, da_z = _slopes(dh, h, z, n)
    da_r = da_n * (q * r * (1 - r))
    dq = jnp.concatenate([da_r, da_z, r * da_n], axis=-1)
    da = jnp.concatenate([da_r, da_z, da_n], axis=-1)
    return da, (z * dh + product(dq, recurrent[0], axis=1),)


def _step_before_backward(recurrent, dnew, previous, gates):
    (dh,), (h,), (r, z, n) = dnew, previous, gates
    u, k = recurrent[0], h.shape[1]
    da_n, da_z = _slopes(dh, h, z, n)
    dm = product(da_n, u[:, 2 * k :], axis=1)
    da_r = dm * (h * r * (1 - r))
    da_rz = jnp.concatenate([da_r, da_z], axis=-1)
    dh = z * dh + r * dm + product(da_rz, u[:, : 2 * k], axis=1)
    return jnp.concatenate([da_rz, da_n], axis=-1), (dh,)


def _slopes(dh, h, z, n):
    """da_n and da_z."""
    return dh * ((1 - z) * (1 - n * n)), dh * ((h - n) * z * (1 - z))


STEP = {"after": _step_after, "before": _step_before}
STEP_BACKWARD = {"after": _step_after_backward, "before": _step_before_backward}


@gru.validate
def _validate(x, w, u, b, bu, h, lengths, *, reset, reverse):
    validate_cell(3, x, w, u, b, lengths, reverse, h=h)
    known = tuple(STEP)
    require(reset in known, f"unknown reset {reset!r}; expected one of {known}")
    if bu is not None:
        require_floats(x=x, bu=bu)
        k = u.shape[:1]
        require(bu.shape == k, f"bu {bu.shape} needs shape {k}")
        require(reset == "after", f"reset {reset!r} does not use bu; add bu to b")


WEIGHTS, ABSENT = ((2, 9), (3, 9), (9,)), (None, None, None)
gru.cases = (
    Case("after", ((2, 3, 2), *WEIGHTS, (3,), (2, 3), None)),
    Case("before", ((2, 3, 2), *WEIGHTS, None, (2, 3), None), {"reset": "before"}),
    Case(
        "reverse",
        ((4, 3, 2), *WEIGHTS, (3,), (4, 3), lambda rng: np.array([2, 3, 0, 9])),
        {"reverse": True},
    ),
    Case(
        "reverse before",
        ((4, 3, 2), *WEIGHTS, None, None, ints((4,), below=4)),
        {"reset": "before", "reverse": True},
    ),
    Case("no examples", ((0, 3, 2), *WEIGHTS, (3,), None, None)),
    *extremes(3, (3,), (2, 3), None),
    rejects(r"needs shape \(3, 9\) for 3 gates of 3", (2, 3, 2), (2, 6), (3, 6), (6,), *ABSENT),
    rejects("unknown reset 'never'; expected one of", (2, 3, 2), *WEIGHTS, *ABSENT, reset="never"),
    rejects("'before' does not use bu", (2, 3, 2), *WEIGHTS, (3,), None, None, reset="before"),
    rejects(r"bu \(9,\) needs shape \(3,\)", (2, 3, 2), *WEIGHTS, (9,), None, None),
    rejects("x holds int32", ints((2, 3, 2)), *WEIGHTS, *ABSENT, kind=TypeError),
)
