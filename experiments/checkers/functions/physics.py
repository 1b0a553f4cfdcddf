"""Simulations, ODE steps, kernels, distances, interpolation and features."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.functions.function import Function


def rk4(state, rates, dt):
    """Five Runge-Kutta steps of prey and predators."""

    def slope(s):
        prey, predator = s
        a, b, c, d = rates
        return jnp.stack([a * prey - b * prey * predator, c * prey * predator - d * predator])

    def step(_, s):
        k1 = slope(s)
        k2 = slope(s + dt / 2 * k1)
        k3 = slope(s + dt / 2 * k2)
        return s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + slope(s + dt * k3))

    return lax.fori_loop(0, 5, step, state)


def leapfrog(q, p, stiffness):
    """Hamiltonian steps; the force is the gradient of a quartic potential."""
    potential = lambda q: jnp.sum(stiffness * q**2) / 2 + jnp.sum(q**4) / 4
    force = jax.grad(potential)

    def step(state, _):
        q, p = state
        p = p - 0.05 * force(q)
        q = q + 0.1 * p
        return (q, p - 0.05 * force(q)), potential(q) + p @ p / 2

    return lax.scan(step, (q, p), None, length=6)


def heat(u, conductivity):
    """Three explicit steps on a periodic grid with a variable conductivity."""
    for _ in range(3):
        east = conductivity * (jnp.roll(u, -1, axis=1) - u)
        south = conductivity * (jnp.roll(u, -1, axis=0) - u)
        flow = east - jnp.roll(east, 1, axis=1) + south - jnp.roll(south, 1, axis=0)
        u = u + 0.1 * flow
    return u


def burgers(u, viscosity):
    """Upwind steps of u_t + u u_x = v u_xx between fixed ends."""
    for _ in range(4):
        left, mid, right = u[:-2], u[1:-1], u[2:]
        slope = jnp.where(mid > 0, mid - left, right - mid)
        new = mid - 0.1 * mid * slope + 0.1 * viscosity * (left - 2 * mid + right)
        u = jnp.concatenate([u[:1], new, u[-1:]])
    return u


def lennard_jones(positions, radius, depth):
    """Energy of all pairs of particles on a stretched lattice."""
    i, j = np.triu_indices(positions.shape[0], k=1)
    r2 = jnp.sum((positions[i] - positions[j]) ** 2, axis=-1) + 0.5
    s6 = (radius**2 / r2) ** 3
    return 4 * depth * jnp.sum(s6**2 - s6)


def spring_mesh(x, v, rest, ends):
    """Two damped steps of masses joined by springs."""
    for _ in range(2):
        d = jnp.take(x, ends[1], axis=0) - jnp.take(x, ends[0], axis=0)
        length = jnp.sqrt(jnp.sum(d**2, axis=1, keepdims=True) + 1e-3)
        pull = (length - rest[:, None]) * d / length
        force = jnp.zeros_like(x).at[ends[0]].add(pull).at[ends[1]].add(-pull)
        v = 0.95 * v + 0.1 * force
        x = x + 0.1 * v
    return x, v


def matern(x, y, log_length):
    """(1 + sqrt(3) r) exp(-sqrt(3) r) with a length per axis."""
    gap = (x[:, None] - y[None]) * jnp.exp(-log_length)
    r = jnp.sqrt(3 * jnp.sum(gap**2, axis=-1) + 1e-9)
    return (1 + r) * jnp.exp(-r)


def interpolate(x, heights, gaps):
    """Piecewise linear with learned knots, flat outside."""
    knots = jnp.cumsum(jax.nn.softplus(gaps)) - 1.5
    return jnp.interp(x, knots, heights)


def grid_sample(image, coords):
    """Bilinear samples of H x W x C at real pixel coordinates."""
    image = jnp.asarray(image)
    h, w, _ = image.shape
    y, x = coords[:, 0], coords[:, 1]
    y0 = jnp.clip(jnp.floor(y).astype(int), 0, h - 2)
    x0 = jnp.clip(jnp.floor(x).astype(int), 0, w - 2)
    fy, fx = (y - y0)[:, None], (x - x0)[:, None]
    top = (1 - fx) * image[y0, x0] + fx * image[y0, x0 + 1]
    bottom = (1 - fx) * image[y0 + 1, x0] + fx * image[y0 + 1, x0 + 1]
    return (1 - fy) * top + fy * bottom


def spline(t, control):
    """Uniform cubic B-spline curve at parameters in (0, 1)."""
    segments = control.shape[0] - 3
    s = t * segments
    i = jnp.clip(jnp.floor(s).astype(int), 0, segments - 1)
    f = s - i
    basis = [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, 3 * f * (1 + f - f**2) + 1, f**3]
    return sum(b[:, None] * jnp.take(control, i + k, axis=0) for k, b in enumerate(basis)) / 6


def polynomial(x, coef):
    """All products of two features, with a Horner polynomial of each row's sum."""
    rows, cols = np.triu_indices(x.shape[1])
    s = x.sum(axis=1)
    return x[:, rows] * x[:, cols], jnp.polyval(coef, s / 2)


FUNCTIONS = (
    Function(
        "rk4",
        rk4,
        lambda rng: (
            rng.uniform(0.5, 2, size=(2, 3)),
            rng.uniform(0.5, 1.5, size=4),
            rng.uniform(0.05, 0.2, size=()),
        ),
    ),
    Function(
        "leapfrog",
        leapfrog,
        lambda rng: (
            rng.normal(size=4),
            rng.normal(size=4),
            rng.uniform(0.5, 2, size=4),
        ),
    ),
    Function(
        "heat",
        heat,
        lambda rng: (rng.normal(size=(5, 5)), rng.uniform(0.5, 2, size=(5, 5))),
    ),
    Function("burgers", burgers, lambda rng: (rng.normal(size=10), rng.uniform(0.5, 2, size=()))),
    Function(
        "lennard_jones",
        lennard_jones,
        lambda rng: (
            rng.permuted(np.arange(15.0)).reshape(5, 3) / 5 + rng.uniform(size=(5, 3)) / 5,
            rng.uniform(0.8, 1, size=()),
            rng.uniform(0.5, 2, size=()),
        ),
    ),
    Function(
        "spring_mesh",
        spring_mesh,
        lambda rng: (
            rng.normal(size=(5, 2)),
            rng.normal(size=(5, 2)),
            rng.uniform(0.5, 1, size=6),
            rng.integers(0, 5, size=(2, 6)),
        ),
    ),
    Function(
        "matern",
        matern,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(4, 3)),
            rng.normal(size=3) / 3,
        ),
    ),
    Function(
        "interpolate",
        interpolate,
        lambda rng: (rng.normal(size=9), rng.normal(size=5), rng.normal(size=5)),
    ),
    Function(
        "grid_sample",
        grid_sample,
        lambda rng: (
            rng.normal(size=(4, 5, 3)),
            rng.uniform(0, (3, 4), size=(7, 2)),
        ),
    ),
    Function("spline", spline, lambda rng: (rng.uniform(size=8), rng.normal(size=(6, 2)))),
    Function("polynomial", polynomial, lambda rng: (rng.normal(size=(5, 3)), rng.normal(size=4))),
)
