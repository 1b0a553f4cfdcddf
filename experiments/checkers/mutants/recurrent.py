"""Mutants of recurrence: no gradient from later steps, gates exchanged, time reversed."""

from functools import partial

import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid as s

from experiments.checkers.build import correct_backward, one_sum, problem
from fcnn import gru, lstm, rnn

of = partial(problem, "recurrent")
truncated = partial(of, "truncated in time")
gates = partial(of, "gates exchanged")
flipped = partial(of, "flipped")
shifted = partial(of, "shifted")
mean = partial(of, "mean for sum")
exchanged = partial(of, "arguments exchanged")
stopped = partial(of, "stopped")

RNN = ((3, 7, 4), (4, 5), (5, 5), (5,))
GRU = ((3, 7, 4), (4, 15), (5, 15), (15,))
LSTM = ((3, 7, 4), (4, 20), (5, 20), (20,))
STARTED = (*LSTM, (3, 5), (3, 5))
EQUAL = ((3, 7, 5), (5, 5), (5, 5), (5,))
CELL = ((7, 20), (7, 5))
STEP = ((7, 4), (7, 5), (4, 5), (5, 5), (5,))

backwards_lstm = partial(lstm, reverse=True)
backwards_gru = partial(gru, reverse=True)
step = lambda x, h, w, u, b: jnp.tanh(x @ w + h @ u + b[None])
running_sum = lambda x: jnp.cumsum(x, 1)


def smoothed(x):
    """h[t] = 0.9 h[t-1] + x[t]"""

    following = lambda h, x: (0.9 * h + x,) * 2
    return lax.scan(following, jnp.zeros_like(x[0]), x)[1]


def cell(a, c):
    """Output of one LSTM step, from the preactivations a and the previous cell state c."""
    i, f, g, o = jnp.split(a, 4, -1)
    return s(o) * jnp.tanh(s(f) * c + s(i) * jnp.tanh(g))


def dc_of(a, c, dy):
    """The cotangent of the cell state after the step."""
    i, f, g, o = jnp.split(a, 4, -1)
    return dy * s(o) * (1 - jnp.tanh(s(f) * c + s(i) * jnp.tanh(g)) ** 2)


def da_at_once(y, dy):
    """da of an rnn, without the gradients that flow back from later steps."""
    (h, _), (dh, dend) = y, dy
    return (1 - h * h) * dh.at[:, -1].add(dend)


def last_step(i):
    """The gradient of argument i of gru, from the last step only."""

    def gradient(x, w, u, b, y, dy):
        h = y[0][:, -2]
        return correct_backward(gru)(x[:, -1:], w, u, b, None, h, (dy[0][:, -1:], dy[1]))[i]

    return gradient


def swapped(*order):
    """Function that reorders the columns of the gates in a gradient."""

    def change(g):
        parts = jnp.split(g, len(order), -1)
        return jnp.concatenate([parts[i] for i in order], -1)

    return change


def each_transposed(g):
    return jnp.concatenate([part.T for part in jnp.split(g, 3, -1)], -1)


MUTANTS = (
    truncated("rnn dx: each step by itself", rnn, RNN, dx=lambda w, y, dy: da_at_once(y, dy) @ w.T),
    truncated(
        "rnn dw: each step by itself",
        rnn,
        RNN,
        dw=lambda x, y, dy: jnp.einsum("ntc,ntk->ck", x, da_at_once(y, dy)),
    ),
    truncated(
        "rnn du: each step by itself",
        rnn,
        RNN,
        du=lambda y, dy: jnp.einsum("nti,ntj->ij", y[0][:, :-1], da_at_once(y, dy)[:, 1:]),
    ),
    truncated(
        "rnn db: each step by itself", rnn, RNN, db=lambda y, dy: da_at_once(y, dy).sum((0, 1))
    ),
    truncated("gru dx: the last step alone", gru, GRU, dx=lambda g: g.at[:, :-1].set(0)),
    truncated("gru dw: the last step alone", gru, GRU, dw=last_step(1)),
    truncated("gru du: the last step alone", gru, GRU, du=last_step(2)),
    truncated("lstm dx: the last three steps", lstm, LSTM, dx=lambda g: g.at[:, :-3].set(0)),
    truncated("running sum: dy", running_sum, ((3, 7, 4),), dx=lambda dy: dy),
    truncated("smoothed: dy", smoothed, ((50, 4),), dx=lambda dy: dy),
    truncated(
        "smoothed: two steps", smoothed, ((50, 4),), dx=lambda dy: dy.at[:-1].add(0.9 * dy[1:])
    ),
    gates("lstm dw: i for f", lstm, LSTM, dw=swapped(1, 0, 2, 3)),
    gates("lstm du: g for o", lstm, LSTM, du=swapped(0, 1, 3, 2)),
    gates("lstm db: order i f o g", lstm, LSTM, db=swapped(0, 1, 3, 2)),
    gates("lstm dw: order f o i g", lstm, LSTM, dw=swapped(1, 3, 0, 2)),
    gates("gru dw: r for z", gru, GRU, dw=swapped(1, 0, 2)),
    gates("gru du: z for n", gru, GRU, du=swapped(0, 2, 1)),
    gates("gru db: order z n r", gru, GRU, db=swapped(1, 2, 0)),
    gates("lstm cell da: i for g", cell, CELL, da=swapped(2, 1, 0, 3)),
    flipped("reverse lstm dx: time not turned back", backwards_lstm, LSTM, dx=lambda g: g[:, ::-1]),
    flipped("reverse gru dx: time not turned back", backwards_gru, GRU, dx=lambda g: g[:, ::-1]),
    flipped("rnn dx: time not turned back", rnn, RNN, dx=lambda g: g[:, ::-1]),
    shifted("rnn dx: a step late", rnn, RNN, dx=lambda g: jnp.roll(g, 1, 1)),
    shifted("lstm dx: a step early", lstm, LSTM, dx=lambda g: jnp.roll(g, -1, 1)),
    of("transposed", "rnn du: daᵀ h", rnn, RNN, du=lambda g: g.T),
    of("transposed", "gru du: of each gate", gru, GRU, du=each_transposed),
    mean("lstm db: averaged over steps", lstm, LSTM, db=lambda g, x: g / x.shape[1]),
    mean("rnn dw: averaged over examples", rnn, RNN, dw=lambda g, x: g / len(x)),
    mean("gru du: averaged over both", gru, GRU, du=lambda g, x: g / (x.shape[0] * x.shape[1])),
    exchanged("rnn: dw for du", rnn, EQUAL, dw=lambda du: du, du=lambda dw: dw),
    of("not reduced", "rnn step db: da", step, STEP, db=lambda y, dy: (1 - y * y) * dy),
    of("reduced too far", "rnn step db: over features too", step, STEP, db=one_sum),
    of(
        "wrong derivative",
        "rnn step db: y (1 - y)",
        step,
        STEP,
        db=lambda y, dy: (y * (1 - y) * dy).sum(0),
    ),
    of(
        "missing factor",
        "rnn step du: h forgotten",
        step,
        STEP,
        du=lambda u, db: jnp.broadcast_to(db[None], u.shape),
    ),
    of(
        "transposed",
        "rnn step dh: u for uᵀ",
        step,
        STEP,
        dh=lambda u, y, dy: ((1 - y * y) * dy) @ u,
    ),
    exchanged("lstm: dh for dc", lstm, STARTED, dh=lambda dc: dc, dc=lambda dh: dh),
    stopped("lstm dh: none", lstm, STARTED, dh=None),
    stopped("gru du: zeros", gru, GRU, du=lambda u: jnp.zeros_like(u)),
    of("constant factor", "gru dx: halved", gru, GRU, dx=lambda g: g / 2),
    of("missing factor", "lstm cell dc: f forgotten", cell, CELL, dc=dc_of),
    of("single entry", "lstm dw: one × 1.1", lstm, LSTM, dw=lambda g: g.at[2, 13].multiply(1.1)),
)
