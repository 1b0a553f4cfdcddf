"""Long short-term memory (LSTM): gates control what a cell c takes in, keeps and outputs.

The last axis of w, u and b has four blocks of k entries, in the order i, f, g, o (as in torch):

    a = b + x[n,t] w + h[n,t-1] u
    i = sigmoid(a_i)      input gate: the share of g that is added to c
    f = sigmoid(a_f)      forget gate: the share of c that is kept
    g = tanh(a_g)         candidate: the new content
    o = sigmoid(a_o)      output gate: the share of tanh(c) in h
    c[n,t] = f c[n,t-1] + i g
    h[n,t] = o tanh(c[n,t])

Everything but a is elementwise. With dh and dc the cotangents of h[n,t] and c[n,t], and
s = tanh(c[n,t]), the gradient through h is added to dc first:

    dc  += dh o (1 - s^2)
    da_i = dc g        i (1 - i)
    da_f = dc c[n,t-1] f (1 - f)
    da_g = dc i        (1 - g^2)
    da_o = dh s        o (1 - o)
    dh[n,t-1,i] = sum_j da[j] u[i,j]           dc[n,t-1] = dc f

`recurrence.py` computes the steps, and dx, dw, du and db from da. h[n,t-1], c[n,t-1] and the gates
of each step are saved. c[n,t] is recomputed from these by three operations per entry.
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
    """LSTM over a sequence: the output y of every step, the last state, and the last cell.

    Shapes: x (n, t, c), w (c, 4 k), u (k, 4 k), b (4 k,), h and c (n, k), lengths (n,)
            -> y (n, t, k), h (n, k), c (n, k). The last axis of w, u and b has the gates in the
            order i, f, g, o. h and c are the initial state and cell; each is 0 if None. lengths[n]
            is the number of steps of example n, or t if lengths is None. Later steps are padding,
            where y is 0.
    Options:
        reverse: whether steps run from the last to the first.
    Units:  plain numbers.
    Raises: ValueError if shapes disagree; TypeError if x, w, u, b, h or c do not hold floats, or
            lengths do not hold integers.
    Cost:   4 n t (c + k) k multiply-adds; twice that for the gradients, which save 6 n t k numbers.
    Source: Hochreiter & Schmidhuber 1997; the forget gate: Gers, Schmidhuber & Cummins 2000.

    >>> keep = jnp.array([-9.0, 9.0, 0.0, 9.0])  # input gate closed; forget and output gates open
    >>> x, zero = jnp.ones((1, 3, 1)), jnp.zeros((1, 4))
    >>> y, h, c = fcnn.lstm(x, zero, zero, keep, c=jnp.array([[0.5]]))
    >>> c.round(2)
    Array([[0.5]], dtype=float32)
    """
    return lstm_fwd(x, w, u, b, h, c, lengths, reverse=reverse)[0]


@lstm.fwd
def lstm_fwd(x, w, u, b, h, c, lengths, *, reverse):
    y, (h_end, c_end), steps = scan_forward(_step, x, w, b, (u,), (h, c), lengths, reverse=reverse)
    return (y, h_end, c_end), (x, w, u, h, c, lengths, steps)


def _step(recurrent, p, state):
    h, c = state
    a_i, a_f, a_g, a_o = jnp.split(p + product(h, recurrent[0]), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(a_i), jax.nn.sigmoid(a_f), jnp.tanh(a_g), jax.nn.sigmoid(a_o)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), (i, f, g, o)


@lstm.bwd
def lstm_bwd(saved, dout, *, reverse):
    x, w, u, h, c, lengths, steps = saved
    dy, *dend = dout
    da, (dh, dc) = scan_backward(
        _step_backward, steps, (u,), lengths, dy, tuple(dend), reverse=reverse
    )
    dx, dw, db = input_gradients(x, w, lengths, da)
    (previous, _), _ = steps
    du = contract(previous.astype(da.dtype), da, over=((0, 1), (0, 1)))
    return dx, dw, du, db, None if h is None else dh, None if c is None else dc, None


def _step_backward(recurrent, dnew, previous, gates):
    (dh, dc), (_, c), (i, f, g, o) = dnew, previous, gates
    s = jnp.tanh(f * c + i * g)
    dc = dc + dh * (o * (1 - s * s))
    da_i = dc * (g * i * (1 - i))
    da_f = dc * (c * f * (1 - f))
    da_g = dc * (i * (1 - g * g))
    da_o = dh * (s * o * (1 - o))
    da = jnp.concatenate([da_i, da_f, da_g, da_o], axis=-1)
    return da, (product(da, recurrent[0], axis=1), dc * f)


@lstm.validate
def _validate(x, w, u, b, h, c, lengths, *, reverse):
    validate_cell(4, x, w, u, b, lengths, reverse, h=h, c=c)


WEIGHTS, ABSENT = ((2, 12), (3, 12), (12,)), (None, None, None)
STATES = ((5, 3), (5, 3))
lstm.cases = (
    Case("lengths", ((2, 3, 2), *WEIGHTS, None, None, lambda rng: np.array([3, 2]))),
    Case("plain", ((2, 3, 2), *WEIGHTS, (2, 3), (2, 3), None)),
    Case(
        "reverse",
        ((5, 3, 2), *WEIGHTS, *STATES, lambda rng: np.array([2, 3, 0, 9, -1])),
        {"reverse": True},
    ),
    Case("no examples", ((0, 3, 2), *WEIGHTS, *ABSENT)),
    *extremes(4, (2, 3), (2, 3), None),
    rejects(r"needs shape \(3, 12\) for 4 gates of 3", (2, 3, 2), (2, 9), (3, 9), (9,), *ABSENT),
    rejects(r"w \(2, 9\) needs shape \(2, 12\)", (2, 3, 2), (2, 9), (3, 12), (12,), *ABSENT),
    rejects(r"c \(3,\) needs shape \(2, 3\)", (2, 3, 2), *WEIGHTS, None, (3,), None),
    rejects("x holds int32", ints((2, 3, 2)), *WEIGHTS, *ABSENT, kind=TypeError),
)
