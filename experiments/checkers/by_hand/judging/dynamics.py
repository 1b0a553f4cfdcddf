"""Steps of differential equations."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def pendulum(theta, omega, c):
    for _ in range(6):
        theta, omega = theta + 0.1 * omega, omega - 0.1 * (jnp.sin(theta) + c * omega)
    return theta, omega


def pendulum_new_angle(theta, omega, c, dy):
    tape = [(theta, omega)]
    for _ in range(6):
        theta, omega = theta + 0.1 * omega, omega - 0.1 * (np.sin(theta) + c * omega)
        tape.append((theta, omega))
    p, q = (np.asarray(d) for d in dy)
    dc = np.zeros_like(c)
    for k in reversed(range(6)):
        dc = dc - 0.1 * q * tape[k][1]
        p, q = p - 0.1 * q * np.cos(tape[k + 1][0]), q + 0.1 * p - 0.1 * c * q
    return p, q, dc


def lotka_volterra(y, p):
    return jnp.stack([y[0] * (p[0] - p[1] * y[1]), y[1] * (p[2] * y[0] - p[3])])


def runge_kutta(y, p):
    h = 0.1

    def step(y, _):
        k1 = lotka_volterra(y, p)
        k2 = lotka_volterra(y + h / 2 * k1, p)
        k3 = lotka_volterra(y + h / 2 * k2, p)
        k4 = lotka_volterra(y + h * k3, p)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y, y

    return jax.lax.scan(step, y, None, length=4)[1]


def lotka_volterra_adjoint(y, p, v):
    J = np.array([[p[0] - p[1] * y[1], -p[1] * y[0]], [p[2] * y[1], p[2] * y[0] - p[3]]])
    dp = np.array([v[0] * y[0], -v[0] * y[0] * y[1], v[1] * y[0] * y[1], -v[1] * y[1]])
    return J.T @ v, dp


def runge_kutta_gradient(y, p, dys, chain):
    h, tape = 0.1, []
    for _ in range(4):
        stages, k, rise = [], np.zeros(2), np.zeros(2)
        for c, b in zip((0, h / 2, h / 2, h), (1, 2, 2, 1), strict=True):
            stages.append(y + c * k)
            k = np.asarray(lotka_volterra(stages[-1], p))
            rise = rise + b * k
        tape.append(stages)
        y = y + h / 6 * rise
    lam, dp = np.zeros(2), np.zeros(4)
    for n in reversed(range(4)):
        lam = lam + dys[n]
        total, carry = lam.copy(), np.zeros(2)
        for s, b, c in zip(tape[n][::-1], (1, 2, 2, 1), (0, h, h / 2, h / 2), strict=True):
            v, g = lotka_volterra_adjoint(s, p, h / 6 * b * lam + c * carry * chain)
            dp += g
            total += v
            carry = v
        lam = total
    return lam, dp


def runge_kutta_args(g):
    return g.uniform(0.5, 2, 2), g.uniform(0.5, 1.5, 4)


def diffusion(u, kappa):
    for _ in range(3):
        flux = kappa * (u[..., 1:] - u[..., :-1])
        u = u.at[..., :-1].add(0.2 * flux).at[..., 1:].add(-0.2 * flux)
    return u


def diffusion_fixed_ends(u, kappa, dy):
    tape = [u]
    for _ in range(2):
        f = 0.2 * kappa * np.diff(tape[-1])
        tape.append(tape[-1] + np.pad(f, ((0, 0), (0, 1))) - np.pad(f, ((0, 0), (1, 0))))
    v, dk = np.array(dy), np.zeros_like(kappa)
    for w in tape[::-1]:
        dk -= 0.2 * np.sum(np.diff(v) * np.diff(w), axis=0)
        f = 0.2 * kappa * np.diff(v)
        v[:, 1:-1] += np.diff(f)
    return v, dk


def upwind(u, c):
    left = u - jnp.roll(u, 1)
    right = jnp.roll(u, -1) - u
    return u - 0.5 * (jnp.maximum(c, 0) * left + jnp.minimum(c, 0) * right)


def upwind_from_left(u, c, dy):
    a = 0.5 * np.maximum(c, 0) * dy
    b = 0.5 * np.minimum(c, 0) * dy
    du = dy - a + np.roll(a, -1) + b - np.roll(b, 1)
    return du, -0.5 * dy * (u - np.roll(u, 1))


def leapfrog(x, v, omega2):
    for _ in range(5):
        v = v - 0.05 * omega2 * x
        x = x + 0.1 * v
        v = v - 0.05 * omega2 * x
    return 0.5 * jnp.sum(v * v + omega2 * x * x, axis=-1)


def leapfrog_backward(x, v, omega2, dE):
    n = x.shape[-1]
    M = np.empty((n, 2, 2))
    dM = np.empty((n, 2, 2))
    h, k = 0.1, 0.05
    w = omega2
    for i in range(n):
        M[i] = [[1 - h * k * w[i], h], [-2 * k * w[i] + h * k**2 * w[i] ** 2, 1 - h * k * w[i]]]
        dM[i] = [[-h * k, 0], [-2 * k + 2 * h * k**2 * w[i], -h * k]]
    states = [np.stack([x, v], -1)]
    for _ in range(5):
        states.append(np.einsum("nij,bnj->bni", M, states[-1]))
    X, V = states[-1][..., 0], states[-1][..., 1]
    g = np.asarray(dE)[:, None, None] * np.stack([w * X, V], -1)
    dw = 0.5 * np.einsum("b,bn->n", dE, X * X)
    for s in states[-2::-1]:
        dw += np.einsum("bni,nij,bnj->n", g, dM, s)
        g = np.einsum("nij,bni->bnj", M, g)
    return g[..., 0], g[..., 1], dw


WRONG = (
    ByHand(
        "pendulum with the angle after the step",
        "explicit Euler, reverse mode by hand",
        pendulum,
        lambda g: tuple(g.standard_normal((3, 5))),
        pendulum_new_angle,
        "The cosine is taken at the angle after the step, not before it.",
        ("wrong value", "shifted"),
    ),
    ByHand(
        "runge-kutta with independent stages",
        "adjoint of the classical method, Lotka-Volterra",
        runge_kutta,
        runge_kutta_args,
        lambda y, p, d: runge_kutta_gradient(y, p, d, 0.0),
        "The dependence of a stage on the stage before is missing.",
        ("missing term",),
    ),
    ByHand(
        "diffusion with fixed ends",
        "finite volumes; zero flux against a fixed value at the border",
        diffusion,
        lambda g: (g.standard_normal((2, 9)), g.uniform(0.2, 1, 8)),
        diffusion_fixed_ends,
        "The adjoint leaves the first and the last cell as they are.",
        ("border dropped",),
    ),
    ByHand(
        "upwind scheme with the left slope",
        "advection with a velocity of both signs",
        upwind,
        lambda g: (g.standard_normal(10), g.standard_normal(10)),
        upwind_from_left,
        "dc takes the slope on the left for negative velocities too.",
        ("wrong below zero", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "runge-kutta adjoint",
        "discrete adjoint of the classical method, Lotka-Volterra",
        runge_kutta,
        runge_kutta_args,
        lambda y, p, d: runge_kutta_gradient(y, p, d, 1.0),
    ),
    ByHand(
        "leapfrog oscillators",
        "Hamiltonian Monte Carlo, energy after five steps by transfer matrices",
        leapfrog,
        lambda g: (g.standard_normal((3, 4)), g.standard_normal((3, 4)), g.uniform(0.5, 4, 4)),
        leapfrog_backward,
    ),
)
