"""Long short-term memory: a cell c beside the state h, that gates write to, keep and show.

The columns of w, u and b are four gates of k each, in the order i, f, g, o (as in torch):

    a = b + x[n,t] w + h[n,t-1] u
    i = sigmoid(a_i)      what share of g is written
    f = sigmoid(a_f)      what share of c is kept
    g = tanh(a_g)         what there is to write
    o = sigmoid(a_o)      what share of c is shown
    c[n,t] = f c[n,t-1] + i g
    h[n,t] = o tanh(c[n,t])

All of it is entry by entry, but for a. With dh and dc the cotangents of h[n,t] and c[n,t], and
s = tanh(c[n,t]), dc gains what comes through h, and then

    dc  += dh o (1 - s^2)
    da_i = dc g        i (1 - i)
    da_f = dc c[n,t-1] f (1 - f)
    da_g = dc i        (1 - g^2)
    da_o = dh s        o (1 - o)
    dh[n,t-1,i] = sum_j da[j] u[i,j]           dc[n,t-1] = dc f

`recurrence.py` has the steps, and dx, dw, du and db of every da. Of each step are saved h[n,t-1],
c[n,t-1] and the gates; c[n,t] is two operations from those.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer

from fcnn.ops.contraction import contract
from fcnn.ops.op import Case, ints, operator, rejects
from fcnn.ops.recurrent.recurrence import backwards, extremes, forwards, products, refuse, times


@operator()
def lstm(
    x: Float[Array, "n t c"],
    w: Float[Array, "c g"],
    u: Float[Array, "k g"],
    b: Float[Array, " g"],
    h: Float[Array, "n k"] | None = None,
    c: Float[Array, "n k"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    *,
    reverse: bool = False,
) -> tuple[Float[Array, "n t k"], Float[Array, "n k"], Float[Array, "n k"]]:
    """Long short-term memory over a sequence: y of every step, then the last state and cell.

    Shapes: g = 4 k, in the order i f g o. h and c, to start from, are 0 unless given; `lengths`
            counts the real steps of each example, all of them unless given.
    Units:  plain numbers.
    Raises: ValueError if shapes disagree; TypeError for integers, or lengths that are none.
    Cost:   4 n t (c + k) k multiply-adds; twice that for the gradients, which keep 6 n t k numbers.
    Source: Hochreiter & Schmidhuber 1997; the gate f: Gers, Schmidhuber & Cummins 2000.
    """
    return lstm_fwd(x, w, u, b, h, c, lengths, reverse=reverse)[0]


@lstm.fwd
def lstm_fwd(x, w, u, b, h, c, lengths, *, reverse):
    y, (h_end, c_end), kept = forwards(_step, x, w, b, (u,), (h, c), lengths, reverse=reverse)
    return (y, h_end, c_end), (x, w, u, h, c, lengths, kept)


def _step(inner, p, state):
    h, c = state
    a_i, a_f, a_g, a_o = jnp.split(p + times(h, inner[0]), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(a_i), jax.nn.sigmoid(a_f), jnp.tanh(a_g), jax.nn.sigmoid(a_o)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), (i, f, g, o)


@lstm.bwd
def lstm_bwd(saved, dout, *, reverse):
    x, w, u, h, c, lengths, kept = saved
    dy, *dend = dout
    da, (dh, dc) = backwards(_step_back, kept, (u,), lengths, dy, tuple(dend), reverse=reverse)
    dx, dw, db = products(x, w, lengths, da)
    (before, _), _ = kept
    du = contract(before.astype(da.dtype), da, over=((0, 1), (0, 1)))
    return dx, dw, du, db, None if h is None else dh, None if c is None else dc, None


def _step_back(inner, dnew, before, gates):
    (dh, dc), (_, c), (i, f, g, o) = dnew, before, gates
    s = jnp.tanh(f * c + i * g)
    dc = dc + dh * (o * (1 - s * s))
    da_i = dc * (g * i * (1 - i))
    da_f = dc * (c * f * (1 - f))
    da_g = dc * (i * (1 - g * g))
    da_o = dh * (s * o * (1 - o))
    da = jnp.concatenate([da_i, da_f, da_g, da_o], axis=-1)
    return da, (times(da, inner[0], axis=1), dc * f)


@lstm.validate
def _validate(x, w, u, b, h, c, lengths, *, reverse):
    refuse("lstm", 4, x, w, u, b, lengths, reverse, h=h, c=c)


WEIGHTS, NONE = ((2, 12), (3, 12), (12,)), (None, None, None)
STATES = ((5, 3), (5, 3))
lstm.cases = (
    Case("lengths", ((2, 3, 2), *WEIGHTS, None, None, lambda rng: np.array([3, 2]))),
    Case("plain", ((2, 3, 2), *WEIGHTS, (2, 3), (2, 3), None)),
    Case(
        "reverse",
        ((5, 3, 2), *WEIGHTS, *STATES, lambda rng: np.array([2, 3, 0, 9, -1])),
        {"reverse": True},
    ),
    Case("no examples", ((0, 3, 2), *WEIGHTS, *NONE)),
    *extremes(4, (2, 3), (2, 3), None),
    rejects(r"needs shape \(3, 12\) for 4 gates of 3", (2, 3, 2), (2, 9), (3, 9), (9,), *NONE),
    rejects(r"w \(2, 9\) needs shape \(2, 12\)", (2, 3, 2), (2, 9), (3, 12), (12,), *NONE),
    rejects(r"c \(3,\) needs shape \(2, 3\)", (2, 3, 2), *WEIGHTS, None, (3,), None),
    rejects("x holds int32", ints((2, 3, 2)), *WEIGHTS, *NONE, kind=TypeError),
)
