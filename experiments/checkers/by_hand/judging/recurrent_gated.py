"""LSTM and GRU, time-major."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand

sigmoid = lambda z: 1 / (1 + np.exp(-z))


def lstm(x, state, w):
    """Time-major, gates in the order i, f, o, g, w holds rows for x, h and the bias."""

    def step(hc, xt):
        h, c = hc
        ones = jnp.ones((xt.shape[0], 1), xt.dtype)
        z = jnp.concatenate([xt, h, ones], axis=1) @ w
        i, f, o, g = jnp.split(z, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    last, hs = lax.scan(step, state, x)
    return hs, last


def lstm_args(rng):
    w = lambda *s: rng.normal(size=s) * 0.7
    return w(5, 2, 3), (w(2, 4), w(2, 4)), w(8, 16)


def lstm_cells(x, state, w):
    h, c = state
    cells = []
    for xt in x:
        row = np.concatenate([xt, h, np.ones((len(xt), 1))], axis=1)
        z = row @ w
        i, f, o = sigmoid(z[:, :4]), sigmoid(z[:, 4:8]), sigmoid(z[:, 8:12])
        g = np.tanh(z[:, 12:])
        new = f * c + i * g
        h = o * np.tanh(new)
        cells.append((row, i, f, o, g, c, new))
        c = new
    return cells


def lstm_backward(x, state, w, dy):
    dhs, (dh, dc) = dy
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for t, (row, i, f, o, g, c, new) in reversed(list(enumerate(lstm_cells(x, state, w)))):
        dh = dh + dhs[t]
        tc = np.tanh(new)
        dc = dc + dh * o * (1 - tc**2)
        dz = [dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o)]
        dz = np.concatenate([*dz, dc * i * (1 - g**2)], axis=1)
        dw += row.T @ dz
        drow = dz @ w.T
        dx[t], dh, dc = drow[:, :3], drow[:, 3:7], dc * f
    return dx, (dh, dc), dw


def lstm_gate_order(x, state, w, dy):
    dhs, (dh, dc) = dy
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for t, (row, i, f, o, g, c, new) in reversed(list(enumerate(lstm_cells(x, state, w)))):
        dh = dh + dhs[t]
        tc = np.tanh(new)
        dc = dc + dh * o * (1 - tc**2)
        di, df, do = dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o)
        dg = dc * i * (1 - g**2)
        dw += row.T @ np.concatenate([di, df, dg, do], axis=1)
        drow = np.concatenate([di, df, do, dg], axis=1) @ w.T
        dx[t], dh, dc = drow[:, :3], drow[:, 3:7], dc * f
    return dx, (dh, dc), dw


def lstm_last_cell_ignored(x, state, w, dy):
    dhs, (dh, _) = dy
    dc = np.zeros_like(state[1])
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for t, (row, i, f, o, g, c, new) in reversed(list(enumerate(lstm_cells(x, state, w)))):
        dh = dh + dhs[t]
        tc = np.tanh(new)
        dc = dc + dh * o * (1 - tc**2)
        dz = [dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o)]
        dz = np.concatenate([*dz, dc * i * (1 - g**2)], axis=1)
        dw += row.T @ dz
        drow = dz @ w.T
        dx[t], dh, dc = drow[:, :3], drow[:, 3:7], dc * f
    return dx, (dh, dc), dw


def gru(x, h, w, u):
    """One unit per time-major step, as in PyTorch: the reset gate comes after h u_n."""
    for xt in x:
        a, r = xt @ w, h @ u
        n = h.shape[-1]
        gate = jax.nn.sigmoid(a[:, : 2 * n] + r[:, : 2 * n])
        new = jnp.tanh(a[:, 2 * n :] + gate[:, :n] * r[:, 2 * n :])
        h = (1 - gate[:, n:]) * new + gate[:, n:] * h
    return h


def gru_args(rng):
    return tuple(rng.normal(size=s) * 0.7 for s in ((4, 2, 3), (2, 5), (3, 15), (5, 15)))


def gru_steps(x, h, w, u):
    for xt in x:
        a, k = xt @ w, h @ u
        r, z = sigmoid(a[:, :5] + k[:, :5]), sigmoid(a[:, 5:10] + k[:, 5:10])
        new = np.tanh(a[:, 10:] + r * k[:, 10:])
        yield xt, h, r, z, new, k[:, 10:]
        h = (1 - z) * new + z * h


def gru_backward(x, h, w, u, dy):
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.asarray(dy)
    steps = list(gru_steps(x, h, w, u))
    for t in range(len(steps) - 1, -1, -1):
        xt, h, r, z, new, k = steps[t]
        dn = dh * (1 - z) * (1 - new**2)
        dz = dh * (h - new) * z * (1 - z)
        dr = dn * k * r * (1 - r)
        da = np.concatenate([dr, dz, dn], axis=1)
        dk = np.concatenate([dr, dz, dn * r], axis=1)
        dw += xt.T @ da
        du += h.T @ dk
        dx[t] = da @ w.T
        dh = dh * z + dk @ u.T
    return dx, dh, dw, du


def gru_no_carry(x, h, w, u, dy):
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.asarray(dy)
    steps = list(gru_steps(x, h, w, u))
    for t in range(len(steps) - 1, -1, -1):
        xt, h, r, z, new, k = steps[t]
        dn = dh * (1 - z) * (1 - new**2)
        dz = dh * (h - new) * z * (1 - z)
        dr = dn * k * r * (1 - r)
        da = np.concatenate([dr, dz, dn], axis=1)
        dk = np.concatenate([dr, dz, dn * r], axis=1)
        dw += xt.T @ da
        du += h.T @ dk
        dx[t] = da @ w.T
        dh = dk @ u.T
    return dx, dh, dw, du


PYTORCH = "torch.nn.GRU"

A3 = "CS231n, assignment 3"

WRONG = (
    ByHand(
        "lstm gates in another order",
        "ports of LSTM weights between frameworks",
        lstm,
        lstm_args,
        lstm_gate_order,
        "dw has the blocks of the output gate and the cell input exchanged.",
        ("channels exchanged",),
    ),
    ByHand(
        "lstm without last cell gradient",
        "cuDNN wrapper issues: dcy ignored",
        lstm,
        lstm_args,
        lstm_last_cell_ignored,
        "The cotangent of the last cell state is ignored.",
        ("missing term",),
    ),
    ByHand(
        "gru without the carried state",
        PYTORCH,
        gru,
        gru_args,
        gru_no_carry,
        "The path from h[t] straight to h[t-1] through z is missing.",
        ("missing term", "truncated in time"),
    ),
)
RIGHT = (
    ByHand("lstm with two outputs", A3, lstm, lstm_args, lstm_backward),
    ByHand("gru with late reset", PYTORCH, gru, gru_args, gru_backward),
)
