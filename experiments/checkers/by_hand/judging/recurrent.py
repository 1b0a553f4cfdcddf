"""Simple recurrent networks: backpropagation through time."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand


def rnn(x, h0, wx, wh, b):
    """CS231n: x (batch, time, d), all hidden states are returned."""

    def step(h, xt):
        h = jnp.tanh(xt @ wx + h @ wh + b)
        return h, h

    return lax.scan(step, h0, x.swapaxes(0, 1))[1].swapaxes(0, 1)


def rnn_args(rng):
    w = lambda *s: rng.normal(size=s) * 0.6
    return w(3, 5, 4), w(3, 6), w(4, 6), w(6, 6), w(6)


def rnn_states(x, h0, wx, wh, b):
    hs = [h0]
    for t in range(x.shape[1]):
        hs.append(np.tanh(x[:, t] @ wx + hs[-1] @ wh + b))
    return hs


def rnn_backward(x, h0, wx, wh, b, dy):
    hs = rnn_states(x, h0, wx, wh, b)
    dx, dwx, dwh, db = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(b)
    dprev = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        dz = (dy[:, t] + dprev) * (1 - hs[t + 1] ** 2)
        dx[:, t] = dz @ wx.T
        dwx += x[:, t].T @ dz
        dwh += hs[t].T @ dz
        db += dz.sum(0)
        dprev = dz @ wh.T
    return dx, dprev, dwx, dwh, db


def rnn_one_step(x, h0, wx, wh, b, dy):
    hs = np.stack(rnn_states(x, h0, wx, wh, b), axis=1)
    dz = dy * (1 - hs[:, 1:] ** 2)
    return (
        dz @ wx.T,
        dz[:, 0] @ wh.T,
        np.einsum("btd,bth->dh", x, dz),
        np.einsum("bti,bth->ih", hs[:, :-1], dz),
        dz.sum((0, 1)),
    )


def rnn_new_state(x, h0, wx, wh, b, dy):
    hs = rnn_states(x, h0, wx, wh, b)
    dz, dprev = [], 0.0
    for t in reversed(range(x.shape[1])):
        dz.insert(0, (dy[:, t] + dprev) * (1 - hs[t + 1] ** 2))
        dprev = dz[0] @ wh.T
    dz = np.stack(dz, axis=1)
    dwh = np.einsum("bti,bth->ih", np.stack(hs[1:], axis=1), dz)
    return dz @ wx.T, dprev, np.einsum("btd,bth->dh", x, dz), dwh, dz.sum((0, 1))


def leaky(x, h0, a):
    """Exponential moving average along the last axis, one rate per channel."""
    hs = [h0]
    for t in range(x.shape[-1]):
        hs.append(a * hs[-1] + (1 - a) * x[:, t])
    return jnp.stack(hs[1:], axis=-1)


leaky_args = lambda rng: (rng.normal(size=(6, 6)), rng.normal(size=6), rng.uniform(0.3, 0.9, 6))


def leaky_kernel(x, h0, a, dy):
    """The recurrence in closed form: a Toeplitz matrix of powers per channel."""
    T = x.shape[1]
    lag = np.arange(T)[:, None] - np.arange(T)
    power = np.where(lag >= 0, a[:, None, None] ** np.maximum(lag, 0), 0)
    s = np.einsum("ct,cts->cs", dy, power)
    y = np.einsum("cts,cs->ct", power, (1 - a)[:, None] * x) + power[:, :, 0] * (a * h0)[:, None]
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    return (1 - a)[:, None] * s, a * s[:, 0], np.sum(s * (before - x), axis=1)


def leaky_stopped_start(x, h0, a, dy):
    s = np.array(dy)
    y = np.zeros_like(x)
    h = h0
    for t in range(x.shape[1]):
        h = y[:, t] = a * h + (1 - a) * x[:, t]
    for t in reversed(range(x.shape[1] - 1)):
        s[:, t] += a * s[:, t + 1]
    before = np.concatenate([h0[:, None], y[:, :-1]], axis=1)
    return (1 - a)[:, None] * s, np.zeros_like(h0), np.sum(s * (before - x), axis=1)


def bidirectional(x, w, u, v):
    """Sum of a forward and a backward linear-tanh pass over time-major x."""

    def one(xs, k):
        def step(h, xt):
            h = jnp.tanh(xt @ w + h @ k)
            return h, h

        return lax.scan(step, jnp.zeros(w.shape[1], x.dtype), xs)[1]

    return jnp.concatenate([one(x, u), one(x[::-1], v)[::-1]], axis=-1)


def bidirectional_args(rng):
    return tuple(rng.normal(size=s) * 0.6 for s in ((6, 3), (3, 4), (4, 4), (4, 4)))


def one_direction(x, w, k, dh):
    hs = [np.zeros(4)]
    for xt in x:
        hs.append(np.tanh(xt @ w + hs[-1] @ k))
    dz = np.zeros((6, 4))
    carry = np.zeros(4)
    for t in range(5, -1, -1):
        dz[t] = (dh[t] + carry) * (1 - hs[t + 1] ** 2)
        carry = dz[t] @ k.T
    return dz @ w.T, x.T @ dz, np.stack(hs[:-1]).T @ dz


def bidirectional_backward(x, w, u, v, dy):
    dxf, dwf, du = one_direction(x, w, u, dy[:, :4])
    dxb, dwb, dv = one_direction(x[::-1], w, v, dy[::-1, 4:])
    return dxf + dxb[::-1], dwf + dwb, du, dv


def bidirectional_unflipped(x, w, u, v, dy):
    dxf, dwf, du = one_direction(x, w, u, dy[:, :4])
    dxb, dwb, dv = one_direction(x[::-1], w, v, dy[::-1, 4:])
    return dxf + dxb, dwf + dwb, du, dv


def padded_rnn(x, lengths, w):
    """State of each sequence after its own length, x (time, batch, d)."""
    h = jnp.zeros(x.shape[1:], x.dtype)
    for t in range(x.shape[0]):
        h = jnp.where((t < lengths)[:, None], jnp.tanh(x[t] + h @ w), h)
    return h


def padded_args(rng):
    return rng.normal(size=(6, 4, 3)), rng.integers(1, 6, 4), rng.normal(size=(3, 3)) * 0.7


def padded_pass(x, lengths, w, dy, alive):
    hs = [np.zeros(x.shape[1:])]
    for t in range(len(x)):
        hs.append(np.where((t < lengths)[:, None], np.tanh(x[t] + hs[-1] @ w), hs[-1]))
    dx, dw, dh = np.zeros_like(x), np.zeros_like(w), np.asarray(dy)
    for t in reversed(range(len(x))):
        m = alive(t)[:, None]
        dx[t] = dh * (1 - hs[t + 1] ** 2) * m
        dw += hs[t].T @ dx[t]
        dh = dh * (1 - m) + dx[t] @ w.T
    return dx, None, dw


def padded_backward(x, lengths, w, dy):
    return padded_pass(x, lengths, w, dy, lambda t: t < lengths)


def padded_off_by_one(x, lengths, w, dy):
    return padded_pass(x, lengths, w, dy, lambda t: t <= lengths)


A3 = "CS231n, assignment 3"

WRONG = (
    ByHand(
        "rnn without carried gradient",
        A3,
        rnn,
        rnn_args,
        rnn_one_step,
        "The gradient of a hidden state lacks what comes from the later steps.",
        ("truncated in time", "missing term"),
    ),
    ByHand(
        "rnn dwh with the new state",
        A3,
        rnn,
        rnn_args,
        rnn_new_state,
        "dwh pairs dz[t] with h[t] in place of h[t-1].",
        ("wrong value", "shifted"),
    ),
    ByHand(
        "moving average without initial state",
        "echo state networks",
        leaky,
        leaky_args,
        leaky_stopped_start,
        "The gradient of the initial state is 0.",
        ("stopped", "truncated in time"),
    ),
    ByHand(
        "bidirectional without flipping back",
        "own BiRNN",
        bidirectional,
        bidirectional_args,
        bidirectional_unflipped,
        "dx of the reversed pass is added without reversing it.",
        ("flipped",),
    ),
    ByHand(
        "padded rnn one step too long",
        "sequence masks",
        padded_rnn,
        padded_args,
        padded_off_by_one,
        "The mask is t <= length in place of t < length.",
        ("mask",),
    ),
)
RIGHT = (
    ByHand("rnn through time", A3, rnn, rnn_args, rnn_backward),
    ByHand("moving average by powers", "textbook", leaky, leaky_args, leaky_kernel),
    ByHand(
        "bidirectional shared input weights",
        "own BiRNN",
        bidirectional,
        bidirectional_args,
        bidirectional_backward,
    ),
    ByHand("padded rnn", "sequence masks", padded_rnn, padded_args, padded_backward),
)
