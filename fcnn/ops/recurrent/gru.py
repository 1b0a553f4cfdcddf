"""The gated recurrent unit: the new state is a blend of the old one and a candidate.

The columns of w, u and b are three gates of k each, in the order r, z, n (as in torch):

    r = sigmoid(b_r + x w_r + h u_r)      what share of h the candidate sees
    z = sigmoid(b_z + x w_z + h u_z)      what share of h is kept
    h[n,t] = (1 - z) n + z h[n,t-1]

where r acts on the candidate n in one of two ways, h being h[n,t-1]:

    reset="after"  the product            n = tanh(b_n + x w_n + r q)     q = h u_n + bu
    reset="before" it                     n = tanh(b_n + x w_n + m u_n)   m = r h

Entry by entry, with dh the cotangent of h[n,t],

    da_n = dh (1 - z) (1 - n^2)
    da_z = dh (h - n) z (1 - z)
    da_r = dr r (1 - r)

and what reaches r and the old state through the candidate is, with dq = r da_n, dm = da_n u_nᵀ,

    "after"   dr = da_n q     dh[n,t-1] = z dh + (da_r, da_z, dq) uᵀ
    "before"  dr = dm h       dh[n,t-1] = z dh + (da_r, da_z) (u_r, u_z)ᵀ + r dm

`recurrence.py` has the steps, and dx, dw and db of every da. What the columns of u meet differs:

    "after"   du = sum_{n,t} h[n,t-1] (da_r, da_z, dq)    dbu = sum_{n,t} dq
    "before"  du = sum_{n,t} h[n,t-1] (da_r, da_z) for two gates, and of m da_n for the third

Of each step are saved h[n,t-1], the gates and, for "after", q. Slopes of gates, which vanish where
those saturate, are multiplied before what may be large.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from fcnn.ops.contraction import contract
from fcnn.ops.op import Case, ints, operator, rejects
from fcnn.ops.recurrent.recurrence import backwards, extremes, forwards, products, refuse, times
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
    """The gated recurrent unit over a sequence: y of every step, and the last state.

    Shapes: g = 3 k, in the order r z n. `reset` says on which side of the product with u_n the gate
            r acts; `bu`, the bias that r acts on, exists "after" alone and is 0 unless given, as is
            h, the state to start from. `lengths` counts the real steps of each example, all of them
            unless given.
    Units:  plain numbers.
    Raises: ValueError if shapes disagree, `reset` is neither "after" nor "before", or bu is given
            "before"; TypeError for integers, or lengths that are none.
    Cost:   3 n t (c + k) k multiply-adds; twice that for the gradients, which keep 5 n t k numbers,
            4 n t k "before".
    Source: Cho et al. 2014, arXiv:1406.1078v3 ("before") and v1 ("after").
    """
    return gru_fwd(x, w, u, b, bu, h, lengths, reset=reset, reverse=reverse)[0]


@gru.fwd
def gru_fwd(x, w, u, b, bu, h, lengths, *, reset, reverse):
    inner = (u, bu)
    y, (end,), kept = forwards(STEP[reset], x, w, b, inner, (h,), lengths, reverse=reverse)
    return (y, end), (x, w, u, bu, h, lengths, kept)


def _step_after(inner, p, state):
    (h,), (u, bu) = state, inner
    (p_r, p_z, p_n), (q_r, q_z, q) = (jnp.split(a, 3, axis=-1) for a in (p, times(h, u)))
    if bu is not None:
        q = q + bu.astype(q.dtype)[None]
    r, z = jax.nn.sigmoid(p_r + q_r), jax.nn.sigmoid(p_z + q_z)
    n = jnp.tanh(p_n + r * q)
    return ((1 - z) * n + z * h,), (r, z, n, q)


def _step_before(inner, p, state):
    (h,), (u, _), k = state, inner, state[0].shape[1]
    a = p[:, : 2 * k] + times(h, u[:, : 2 * k])
    r, z = jnp.split(jax.nn.sigmoid(a), 2, axis=-1)
    n = jnp.tanh(p[:, 2 * k :] + times(r * h, u[:, 2 * k :]))
    return ((1 - z) * n + z * h,), (r, z, n)


@gru.bwd
def gru_bwd(saved, dout, *, reset, reverse):
    x, w, u, bu, h, lengths, kept = saved
    (dy, dend), inner = dout, (u, bu)
    da, (dh,) = backwards(STEP_BACK[reset], kept, inner, lengths, dy, (dend,), reverse=reverse)
    dx, dw, db = products(x, w, lengths, da)
    ((before,), (r, *_)), k = kept, u.shape[0]
    da_rz, da_n = da[..., : 2 * k], da[..., 2 * k :]
    by_h = lambda h, d: contract(h.astype(d.dtype), d, over=((0, 1), (0, 1)))
    if reset == "after":
        dq = r.astype(da.dtype) * da_n
        du, dbu = by_h(before, jnp.concatenate([da_rz, dq], axis=-1)), dq.sum((0, 1))
    else:
        du, dbu = jnp.concatenate([by_h(before, da_rz), by_h(r * before, da_n)], axis=-1), None
    return dx, dw, du, db, None if bu is None else dbu, None if h is None else dh, None


def _step_after_back(inner, dnew, before, gates):
    (dh,), (h,), (r, z, n, q) = dnew, before, gates
    da_n, da_z = _slopes(dh, h, z, n)
    da_r = da_n * (q * r * (1 - r))
    dq = jnp.concatenate([da_r, da_z, r * da_n], axis=-1)
    da = jnp.concatenate([da_r, da_z, da_n], axis=-1)
    return da, (z * dh + times(dq, inner[0], axis=1),)


def _step_before_back(inner, dnew, before, gates):
    (dh,), (h,), (r, z, n) = dnew, before, gates
    u, k = inner[0], h.shape[1]
    da_n, da_z = _slopes(dh, h, z, n)
    dm = times(da_n, u[:, 2 * k :], axis=1)
    da_r = dm * (h * r * (1 - r))
    da_rz = jnp.concatenate([da_r, da_z], axis=-1)
    dh = z * dh + r * dm + times(da_rz, u[:, : 2 * k], axis=1)
    return jnp.concatenate([da_rz, da_n], axis=-1), (dh,)


def _slopes(dh, h, z, n):
    """da_n and da_z."""
    return dh * ((1 - z) * (1 - n * n)), dh * ((h - n) * z * (1 - z))


STEP = {"after": _step_after, "before": _step_before}
STEP_BACK = {"after": _step_after_back, "before": _step_before_back}


@gru.validate
def _validate(x, w, u, b, bu, h, lengths, *, reset, reverse):
    refuse("gru", 3, x, w, u, b, lengths, reverse, h=h)
    require(reset in tuple(STEP), f"gru: reset {reset!r} is none of {tuple(STEP)}")
    if bu is not None:
        require_floats("gru", x=x, bu=bu)
        k = u.shape[:1]
        require(bu.shape == k, f"gru: bu {bu.shape} needs shape {k}")
        require(reset == "after", f"gru: reset {reset!r} has no place for bu; add it to b")


WEIGHTS, NONE = ((2, 9), (3, 9), (9,)), (None, None, None)
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
    rejects(r"needs shape \(3, 9\) for 3 gates of 3", (2, 3, 2), (2, 6), (3, 6), (6,), *NONE),
    rejects("reset 'never' is none of", (2, 3, 2), *WEIGHTS, *NONE, reset="never"),
    rejects("'before' has no place for bu", (2, 3, 2), *WEIGHTS, (3,), None, None, reset="before"),
    rejects(r"bu \(9,\) needs shape \(3,\)", (2, 3, 2), *WEIGHTS, (9,), None, None),
    rejects("x holds int32", ints((2, 3, 2)), *WEIGHTS, *NONE, kind=TypeError),
)
