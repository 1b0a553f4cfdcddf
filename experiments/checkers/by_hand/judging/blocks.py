"""Residual, modulated, complex and other blocks."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def film(x, gamma, beta):
    """Feature-wise modulation of images (n, c, h, w) by (n, c)."""
    return (1 + gamma[:, :, None, None]) * x + beta[:, :, None, None]


film_args = lambda rng: tuple(rng.normal(size=s) for s in ((2, 3, 3, 4), (2, 3), (2, 3)))


def film_exchanged(x, gamma, beta, dy):
    db, dg = jnp.einsum("nchw->nc", dy), jnp.einsum("nchw,nchw->nc", dy, x)
    return dy * (1 + gamma[:, :, None, None]), db, dg


def complex_dense(x, w, b):
    """Complex layer with modReLU as activation."""
    z = x @ w
    r = jnp.abs(z)
    return z * jnp.maximum(1 + b / r, 0)


def complex_args(rng):
    c = lambda *s: rng.normal(size=s) + 1j * rng.normal(size=s)
    return c(4, 3), c(3, 5), rng.normal(size=5)


def complex_dense_backward(x, w, b, dy):
    """JAX pairs dy and y without a conjugate: re(dy * dy_dx * dx)."""
    z = x @ w
    r = np.abs(z)
    on = 1 + b / r > 0
    inner = np.real(np.asarray(dy) * z)
    dz = np.where(on, dy * (1 + b / r) - inner * b / r**3 * z.conj(), 0)
    return dz @ w.T, x.T @ dz, np.sum(np.where(on, inner / r, 0), axis=0)


def complex_linear(x, w):
    return x @ w


def complex_conjugated(x, w, dy):
    return dy @ w.conj().T, x.T @ dy


def time_features(t, freq):
    """Sinusoidal embedding with learned frequencies."""
    a = t[:, None] * freq
    return jnp.concatenate([jnp.sin(a), jnp.cos(a)], axis=1)


time_args = lambda rng: (rng.uniform(0, 3, size=5), rng.uniform(0.5, 4, size=4))


def time_features_plus(t, freq, dy):
    a = t[:, None] * freq
    da = dy[:, :4] * jnp.cos(a) + dy[:, 4:] * jnp.sin(a)
    return da @ freq, t @ da


def shared_residual(x, w, dt):
    """Five Euler steps with one weight, as in a neural ODE."""
    for _ in range(5):
        x = x + dt * jnp.tanh(x @ w)
    return x


shared_args = lambda rng: (
    rng.normal(size=(3, 4)),
    rng.normal(size=(4, 4)),
    np.asarray(rng.uniform(0.1, 0.4)),
)


def shared_residual_backward(x, w, dt, dy):
    xs = [x]
    for _ in range(5):
        xs.append(xs[-1] + dt * np.tanh(xs[-1] @ w))
    dw, ddt, g = np.zeros_like(w), 0.0, np.asarray(dy)
    for before in xs[4::-1]:
        h = np.tanh(before @ w)
        ddt += np.sum(g * h)
        dz = dt * g * (1 - h * h)
        dw += before.T @ dz
        g = g + dz @ w.T
    return g, dw, np.asarray(ddt)


def shared_residual_last_weight(x, w, dt, dy):
    xs = [x]
    for _ in range(5):
        xs.append(xs[-1] + dt * np.tanh(xs[-1] @ w))
    dw, ddt, g = np.zeros_like(w), 0.0, np.asarray(dy)
    for before in xs[4::-1]:
        h = np.tanh(before @ w)
        ddt += np.sum(g * h)
        dz = dt * g * (1 - h * h)
        dw = before.T @ dz
        g = g + dz @ w.T
    return g, dw, np.asarray(ddt)


WRONG = (
    ByHand(
        "film scale and shift exchanged",
        "FiLM ports",
        film,
        film_args,
        film_exchanged,
        "The gradients of scale and shift are exchanged.",
        ("arguments exchanged",),
    ),
    ByHand(
        "complex weight conjugated",
        "conventions of PyTorch and JAX",
        complex_linear,
        lambda rng: complex_args(rng)[:2],
        complex_conjugated,
        "dx multiplies by the conjugate of w.",
        ("wrong value",),
    ),
    ByHand(
        "cosine half with plus",
        "diffusion time embedding",
        time_features,
        time_args,
        time_features_plus,
        "The derivative of the cosine lacks its minus sign.",
        ("wrong derivative", "missing term"),
    ),
    ByHand(
        "shared weight of the first step",
        "neural ODE by hand",
        shared_residual,
        shared_args,
        shared_residual_last_weight,
        "Each step overwrites the gradient of the shared weight.",
        ("overwritten", "missing term", "truncated in time"),
    ),
)
RIGHT = (
    ByHand("modrelu layer", "uRNN", complex_dense, complex_args, complex_dense_backward),
    ByHand("shared steps", "neural ODE", shared_residual, shared_args, shared_residual_backward),
)
