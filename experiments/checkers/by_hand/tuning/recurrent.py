"""Recurrent nets, one-way and bidirectional."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, w, u, b):
    h = c = jnp.zeros(len(u))
    hs = []
    for xt in x:
        i, f, g, o = jnp.split(xt @ w + h @ u + b, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        hs.append(h)
    return jnp.stack(hs)


def lstm_cell_path_lost(x, w, u, b, dy):
    n, (h, c), saved, dy = len(u), np.zeros((2, len(u))), [], np.asarray(dy)
    for xt in x:
        a = xt @ w + h @ u + b
        i, f, o = sigmoid(a[:n]), sigmoid(a[n : 2 * n]), sigmoid(a[3 * n :])
        g, h0, c0 = np.tanh(a[2 * n : 3 * n]), h, c
        c = f * c0 + i * g
        h = o * np.tanh(c)
        saved.append((i, f, g, o, c, h0, c0))
    dx, dw, du, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
    dh = np.zeros(n)
    for t in range(len(x) - 1, -1, -1):
        i, f, g, o, c, h0, c0 = saved[t]
        dh = dh + dy[t]
        dc = dh * o * (1 - np.tanh(c) ** 2)
        di, df, dg = dc * g * i * (1 - i), dc * c0 * f * (1 - f), dc * i * (1 - g**2)
        da = np.concatenate([di, df, dg, dh * np.tanh(c) * o * (1 - o)])
        dx[t], dh = w @ da, u @ da
        dw += np.outer(x[t], da)
        du += np.outer(h0, da)
        db += da
    return dx, dw, du, db


def pooling(z, f, o):
    """fo-pooling of quasi-recurrent nets, (time, batch, channels)."""

    def step(c, s):
        z, f, o = s
        c = f * c + (1 - f) * z
        return c, o * c

    s = jnp.tanh(z), jax.nn.sigmoid(f), jax.nn.sigmoid(o)
    return jax.lax.scan(step, jnp.zeros_like(z[0]), s)[1]


def pooling_cell_path_lost(z, f, o, dh):
    z, f, o = np.tanh(z), sigmoid(f), sigmoid(o)
    c = np.zeros((len(z) + 1, *z.shape[1:]))
    for t in range(len(z)):
        c[t + 1] = f[t] * c[t] + (1 - f[t]) * z[t]
    dc = dh * o
    dz, df = dc * (1 - f) * (1 - z**2), dc * (c[:-1] - z) * f * (1 - f)
    return dz, df, dh * c[1:] * o * (1 - o)


def elman(x, w, u):
    h, hs = jnp.zeros((x.shape[1], len(u))), []
    for xt in x:
        h = jnp.tanh(xt @ w + h @ u)
        hs.append(h)
    return jnp.stack(hs)


def elman_present_state(x, w, u, dy):
    hs, dx = np.asarray(elman(x, w, u)), np.zeros_like(x)
    dw, du, dh = np.zeros_like(w), np.zeros_like(u), np.zeros_like(hs[0])
    for t in reversed(range(len(x))):
        da = (dy[t] + dh) * (1 - hs[t] ** 2)
        dw += x[t].T @ da
        du += hs[t].T @ da
        dx[t], dh = da @ w.T, da @ u.T
    return dx, dw, du


def gru(x, p):
    """Batch-major, update gate z and candidate n without reset gate."""
    h = jnp.zeros((len(x), p["uz"].shape[0]))
    for t in range(x.shape[1]):
        z = jax.nn.sigmoid(x[:, t] @ p["wz"] + h @ p["uz"])
        n = jnp.tanh(x[:, t] @ p["wn"] + h @ p["un"])
        h = z * h + (1 - z) * n
    return h


def gru_args(rng):
    shapes = {"wz": (3, 4), "uz": (4, 4), "wn": (3, 4), "un": (4, 4)}
    return rng.normal(size=(2, 5, 3)), {k: rng.normal(size=s) for k, s in shapes.items()}


def gru_present_state(x, p, dh):
    h, saved = np.zeros((len(x), 4)), []
    for t in range(x.shape[1]):
        z = sigmoid(x[:, t] @ p["wz"] + h @ p["uz"])
        n = np.tanh(x[:, t] @ p["wn"] + h @ p["un"])
        saved.append((h, z, n))
        h = z * h + (1 - z) * n
    dx, dp = np.zeros_like(x), {k: np.zeros_like(v) for k, v in p.items()}
    for t in range(x.shape[1] - 1, -1, -1):
        h0, z, n = saved[t]
        dz = dh * (h - n) * z * (1 - z)
        dn = dh * (1 - z) * (1 - n**2)
        dp["wz"] += x[:, t].T @ dz
        dp["uz"] += h0.T @ dz
        dp["wn"] += x[:, t].T @ dn
        dp["un"] += h0.T @ dn
        dx[:, t] = dz @ p["wz"].T + dn @ p["wn"].T
        dh, h = dh * z + dz @ p["uz"].T + dn @ p["un"].T, h0
    return dx, dp


def leaky_sum(x, a):
    """h[t] = a h[t - 1] + x[t], channels last."""
    return jax.lax.scan(lambda h, s: (a * h + s,) * 2, jnp.zeros_like(x[0]), x)[1]


def both_ways(x, wf, wb):
    hf = leaky_sum(x @ wf, 0.7)
    hb = leaky_sum(x[::-1] @ wb, 0.7)[::-1]
    return jnp.concatenate([jnp.tanh(hf), jnp.tanh(hb)], axis=1)


def both_ways_one_direction(x, wf, wb, dy):
    n = wf.shape[1]
    da = np.array(dy * (1 - both_ways(x, wf, wb) ** 2))
    f, b = da[:, :n], da[:, n:]
    for t in range(1, len(x)):
        f[-t - 1] += 0.7 * f[-t]
        b[t] += 0.7 * b[t - 1]
    return f @ wf.T, x.T @ f, x.T @ b


def last_states(x, a, b):
    return leaky_sum(jnp.sin(x), a)[-1], leaky_sum(jnp.sin(x[::-1]), b)[-1]


def last_states_args(rng):
    return rng.normal(size=(6, 3)), rng.random(3), rng.random(3)


def last_states_not_turned(x, a, b, dy):
    k = np.arange(len(x))[:, None]
    pa, pb = a ** k[::-1], b ** k[::-1]
    s = np.sin(x)
    dx = np.cos(x) * (dy[0] * pa + dy[1] * pb)
    da = dy[0] * (s * k[::-1] * pa / a).sum(0)
    return dx, da, dy[1] * (s[::-1] * k[::-1] * pb / b).sum(0)


WRONG = (
    ByHand(
        "lstm cell path lost",
        "homework",
        lstm,
        normals((5, 3), (3, 8), (2, 8), (8,)),
        lstm_cell_path_lost,
        "the gradient of the cell state is not carried to the step before",
        ("truncated in time", "missing term"),
    ),
    ByHand(
        "quasi-recurrent cell path lost",
        "Bradbury et al. 2017",
        pooling,
        normals((6, 2, 3), (6, 2, 3), (6, 2, 3)),
        pooling_cell_path_lost,
        "the gradient of the cell state is not carried to the step before",
        ("truncated in time", "missing term"),
    ),
    ByHand(
        "elman present state",
        "backpropagation through time, homework",
        elman,
        normals((5, 2, 3), (3, 4), (4, 4)),
        elman_present_state,
        "the gradient of the recurrent weights uses h[t] instead of h[t - 1]",
        ("wrong value", "shifted"),
    ),
    ByHand(
        "gru present state",
        "Cho et al. 2014",
        gru,
        gru_args,
        gru_present_state,
        "the gradient of the update gate uses h[t] instead of h[t - 1]",
        ("wrong value", "shifted", "missing factor"),
        named=False,
    ),
    ByHand(
        "bidirectional dx of one direction",
        "Schuster and Paliwal 1997",
        both_ways,
        normals((6, 3), (3, 4), (3, 4)),
        both_ways_one_direction,
        "dx lacks the term of the direction from the end",
        ("missing term",),
    ),
    ByHand(
        "bidirectional states not turned",
        "sentence encoder of two last states",
        last_states,
        last_states_args,
        last_states_not_turned,
        "the part of dx from the direction from the end is not turned back in time",
        ("flipped",),
    ),
)


RIGHT = ()
