"""State spaces: linear recurrences, selective scans, a Kalman filter."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.by_hand.case import ByHand


def diagonal_ssm(u, a, b, c):
    def step(h, u_t):
        h = a * h + b * u_t
        return h, c @ h

    return lax.scan(step, jnp.zeros_like(a), u)[1]


def diagonal_ssm_new_state(u, a, b, c, dy):
    T = len(u)
    h = np.zeros((T + 1, len(a)))
    for t in range(T):
        h[t + 1] = a * h[t] + b * u[t]
    du, da, db, g = np.zeros(T), np.zeros_like(a), np.zeros_like(b), np.zeros_like(a)
    for t in reversed(range(T)):
        g = dy[t] * c + a * g
        da, db, du[t] = da + g * h[t + 1], db + g * u[t], b @ g
    return du, da, db, dy @ h[1:]


def gated(a, x):
    def combine(p, q):
        return p[0] * q[0], q[0] * p[1] + q[1]

    return lax.associative_scan(combine, (a, x), axis=1)[1]


def gated_same_gate(a, x, dy):
    h = np.asarray(gated(a, x))
    dx, carry = np.zeros_like(x), np.zeros_like(x[:, 0])
    for t in reversed(range(x.shape[1])):
        carry = dy[:, t] + a[:, t] * carry
        dx[:, t] = carry
    before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
    return dx * before, dx


def selective_scan(u, delta, A, B, C):
    def step(h, s):
        u_t, d_t, B_t, C_t = s
        h = jnp.exp(d_t[..., None] * A) * h + (d_t * u_t)[..., None] * B_t[:, None]
        return h, jnp.einsum("bdn,bn->bd", h, C_t)

    h = jnp.zeros((u.shape[0], *A.shape))
    time_major = tuple(jnp.swapaxes(v, 0, 1) for v in (u, delta, B, C))
    return jnp.swapaxes(lax.scan(step, h, time_major)[1], 0, 1)


def selective_scan_args(g):
    u, delta = g.standard_normal((2, 5, 3)), g.uniform(0.1, 1, (2, 5, 3))
    B, C = g.standard_normal((2, 2, 5, 4))
    return u, delta, -g.uniform(0.5, 2, (3, 4)), B, C


def selective_scan_adjoint(u, delta, A, B, C, dy):
    dy = np.asarray(dy)
    b, T, d = u.shape
    E = np.exp(delta[..., None] * A)
    h = np.zeros((b, T + 1, d, A.shape[1]))
    for t in range(T):
        h[:, t + 1] = E[:, t] * h[:, t] + np.einsum("bd,bn->bdn", (delta * u)[:, t], B[:, t])
    g = np.zeros_like(h)
    for t in reversed(range(T)):
        later = E[:, t + 1] * g[:, t + 1] if t + 1 < T else 0.0
        g[:, t] = np.einsum("bd,bn->bdn", dy[:, t], C[:, t]) + later
    g = g[:, :-1]
    dlog = g * E * h[:, :-1]
    gB = np.einsum("btdn,btn->btd", g, B)
    ddelta = np.einsum("btdn,dn->btd", dlog, A) + gB * u
    dA = np.einsum("btdn,btd->bdn", dlog, delta)
    dB = np.einsum("btdn,btd->btn", g, delta * u)
    dC = np.einsum("btdn,btd->btn", h[:, 1:], dy)
    return gB * delta, ddelta, dA, dB, dC


def selective_scan_backward(u, delta, A, B, C, dy):
    du, ddelta, dA, dB, dC = selective_scan_adjoint(u, delta, A, B, C, dy)
    return du, ddelta, dA.sum(0), dB, dC


def smoothing(x, beta):
    s = [x[0]]
    for t in range(1, x.shape[0]):
        s.append(beta * s[-1] + (1 - beta) * x[t])
    return jnp.stack(s)


def smoothing_from_zero(x, beta, dy):
    s, dy = np.asarray(smoothing(x, beta)), np.asarray(dy)
    dx, dbeta, carry = np.zeros_like(x), 0.0, np.zeros_like(x[0])
    for t in reversed(range(len(x))):
        carry = carry + dy[t]
        dx[t] = (1 - beta) * carry
        if t:
            dbeta += np.sum(carry * (s[t - 1] - x[t]))
        carry = beta * carry
    return dx, np.asarray(dbeta)


def kalman(y, q, r):
    def step(state, y_t):
        m, P = state
        P = P + jnp.exp(q)
        S = P + jnp.exp(r)
        v = y_t - m
        K = P / S
        return (m + K * v, (1 - K) * P), -0.5 * (jnp.log(S) + v * v / S)

    return jnp.sum(lax.scan(step, (jnp.zeros(()), jnp.ones(())), y)[1])


def kalman_backward(y, q, r, dl):
    Q, R, m, P, tape = np.exp(q), np.exp(r), 0.0, 1.0, []
    for y_t in y:
        P = P + Q
        tape.append((m, P))
        m, P = m + P / (P + R) * (y_t - m), P * R / (P + R)
    dy, dQ, dR, dm, dP = np.zeros_like(y), 0.0, 0.0, 0.0, 0.0
    for t in reversed(range(len(y))):
        m, P = tape[t]
        S, v = P + R, y[t] - m
        dS = -0.5 * dl * (1 / S - v * v / S**2)
        dv = -dl * v / S + dm * P / S
        dR += dS - dm * v * P / S**2 + dP * (P / S) ** 2
        dP = dS + dm * v * R / S**2 + dP * (R / S) ** 2
        dQ, dy[t], dm = dQ + dP, dv, dm - dv
    return dy, np.asarray(dQ * Q), np.asarray(dR * R)


WRONG = (
    ByHand(
        "diagonal state space with the new state in da",
        "S4D homework, time-major",
        diagonal_ssm,
        lambda g: (
            g.standard_normal(9),
            g.uniform(0.3, 0.95, 4),
            g.standard_normal(4),
            g.standard_normal(4),
        ),
        diagonal_ssm_new_state,
        "da multiplies by h[t] where the state before the step belongs.",
        ("wrong value", "shifted"),
    ),
    ByHand(
        "gated recurrence with the gate of the same step",
        "parallel scan of a linear recurrence, batch-major",
        gated,
        lambda g: (g.uniform(0.2, 1, (2, 6, 3)), g.standard_normal((2, 6, 3))),
        gated_same_gate,
        "The adjoint carries over with a[t] where a[t + 1] belongs.",
        ("shifted", "wrong value"),
    ),
    ByHand(
        "selective scan with dA per sample",
        "Mamba, parameters shared by the batch",
        selective_scan,
        selective_scan_args,
        selective_scan_adjoint,
        "dA is not summed over the batch.",
        ("not reduced",),
    ),
    ByHand(
        "exponential smoothing from zero",
        "the first level is x[0], not (1 - beta) x[0]",
        smoothing,
        lambda g: (g.standard_normal((6, 4)), np.asarray(g.uniform(0.4, 0.9))),
        smoothing_from_zero,
        "The first step is multiplied by 1 - beta like all others.",
        ("border dropped", "missing factor"),
    ),
)


RIGHT = (
    ByHand(
        "selective scan",
        "Mamba, adjoint recursion with the whole state kept",
        selective_scan,
        selective_scan_args,
        selective_scan_backward,
    ),
    ByHand(
        "kalman filter likelihood",
        "local level model, adjoint by hand",
        jax.jit(kalman),
        lambda g: (
            g.standard_normal(12).cumsum(),
            np.asarray(g.standard_normal()),
            np.asarray(g.standard_normal()),
        ),
        kalman_backward,
    ),
)
