"""Complex numbers, scalars, tied and shared leaves, optional and empty arguments."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def complex_normals(*shapes):
    return lambda rng: tuple(rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes)


def power(w, z):
    y = w @ z
    return y.real**2 + y.imag**2


def power_backward(w, z, dp):
    g = 2 * dp * jnp.conj(w @ z)
    return jnp.outer(g, z), g @ w


def rotary(z, theta):
    """Pairs of features as complex numbers, turned by position times theta."""
    return z * jnp.exp(1j * jnp.arange(len(z))[:, None] * theta)


def rotary_args(rng):
    return rng.normal(size=(5, 3)) + 1j * rng.normal(size=(5, 3)), rng.normal(size=3)


def rotary_backward(z, theta, dy):
    t = np.arange(len(z))[:, None]
    dz = dy * np.exp(1j * t * theta)
    return dz, -(t * dz * z).imag.sum(0)


def filtered(x, h):
    return jnp.fft.ifft(jnp.fft.fft(x, axis=1) * h, axis=1)


def filtered_args(rng):
    return rng.normal(size=(2, 6)), rng.normal(size=6) + 1j * rng.normal(size=6)


def filtered_backward(x, h, dy):
    n = len(h)
    f = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    g = dy @ f.conj() / n
    return (g * h @ f).real, (g * (x @ f)).sum(0)


def coherence(z, w):
    return z * jnp.conj(w), jnp.abs(z)


def coherence_backward(z, w, dy):
    return dy[0] * np.conj(w) + dy[1] * np.conj(z) / abs(z), np.conj(dy[0] * z)


def pendulum(p):
    """Angle and period of a damped pendulum."""
    period = 2 * jnp.pi * jnp.sqrt(p["length"] / p["g"])
    angle = p["start"] * jnp.exp(-p["damping"] * period)
    return {"angle": angle, "period": period}


def pendulum_args(rng):
    names = "length", "g", "start", "damping"
    return ({k: np.asarray(0.2 + rng.random()) for k in names},)


def pendulum_backward(p, dy):
    period = 2 * np.pi * np.sqrt(p["length"] / p["g"])
    decay = np.exp(-p["damping"] * period)
    dperiod = dy["period"] - dy["angle"] * p["start"] * p["damping"] * decay
    return (
        {
            "length": dperiod * period / (2 * p["length"]),
            "g": -dperiod * period / (2 * p["g"]),
            "start": dy["angle"] * decay,
            "damping": -dy["angle"] * p["start"] * decay * period,
        },
    )


def roots(b, c):
    d = jnp.sqrt(b * b - c)
    return -b + d, -b - d


def roots_args(rng):
    return np.asarray(1.5 + rng.random()), np.asarray(rng.random())


def roots_backward(b, c, dy):
    x, y = roots(b, c)
    return -(2 * x * dy[0] - 2 * y * dy[1]) / (x - y), -(dy[0] - dy[1]) / (x - y)


def autoencoder(p, x):
    return jnp.mean((jnp.tanh(x @ p["encoder"]) @ p["decoder"].T - x) ** 2)


def autoencoder_args(rng):
    w = rng.normal(size=(5, 3))
    return {"encoder": w, "decoder": w}, rng.normal(size=(4, 5))


def autoencoder_backward(p, x, dl):
    h = np.tanh(x @ p["encoder"])
    r = 2 * dl * (h @ p["decoder"].T - x) / x.size
    da = r @ p["decoder"] * (1 - h**2)
    return {"decoder": r.T @ h, "encoder": x.T @ da}, da @ p["encoder"].T - r


def language_model(p, ids):
    table, w, output = p
    z = jnp.tanh(table[ids[:-1]] @ w) @ output.T
    return -jax.nn.log_softmax(z)[jnp.arange(len(z)), ids[1:]].sum()


def language_model_args(rng):
    e = rng.normal(size=(6, 3))
    return [e, rng.normal(size=(3, 3)), e], rng.integers(0, 6, size=9)


def language_model_backward(p, ids, dl):
    table, w, output = p
    x = table[ids[:-1]]
    h = np.tanh(x @ w)
    dz = np.exp(h @ output.T)
    dz /= dz.sum(1, keepdims=True)
    dz[np.arange(len(dz)), ids[1:]] -= 1
    da = dl * (dz @ output) * (1 - h**2)
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids[:-1], da @ w.T)
    return [dtable, x.T @ da, dl * dz.T @ h], None


def self_attention(q, k, v):
    return jax.nn.softmax(q @ k.T) @ v


def self_attention_args(rng):
    x = rng.normal(size=(5, 4))
    return x, x, x


def self_attention_backward(q, k, v, do):
    e = np.exp(q @ k.T)
    p = e / e.sum(1, keepdims=True)
    o = p @ v
    ds = p * (do @ v.T - np.einsum("td,td->t", do, o)[:, None])
    return ds @ k, ds.T @ q, p.T @ do


def repeated_block(blocks, x):
    for b in blocks:
        x = x + jnp.sin(x @ b["w"] + b["b"])
    return x


def repeated_block_args(rng):
    block = {"w": rng.normal(size=(3, 3)), "b": rng.normal(size=3)}
    return (block, block, block), rng.normal(size=(2, 3))


def repeated_block_backward(blocks, x, dy):
    xs = [x]
    for b in blocks:
        xs.append(xs[-1] + np.sin(xs[-1] @ b["w"] + b["b"]))
    grads = []
    for b, x in zip(blocks[::-1], xs[-2::-1], strict=True):
        da = dy * np.cos(x @ b["w"] + b["b"])
        grads.insert(0, {"w": x.T @ da, "b": da.sum(0)})
        dy = dy + da @ b["w"].T
    return tuple(grads), dy


def linear(x, w, b, extra):
    """With rows of `extra` (there may be none) behind x and an optional bias."""
    y = jnp.concatenate([x, extra]) @ w
    return y if b is None else y + b


def linear_args(rng):
    return rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), None, np.zeros((0, 4))


def linear_backward(x, w, b, extra, dy):
    n = len(x)
    dw = x.T @ dy[:n] + extra.T @ dy[n:]
    return dy[:n] @ w.T, dw, None if b is None else dy.sum(0), dy[n:] @ w.T


WRONG = ()

RIGHT = (
    ByHand(
        "power of a complex product",
        "JAX's convention of cotangents",
        power,
        complex_normals((4, 3), (3,)),
        power_backward,
    ),
    ByHand("rotary angles", "Su et al. 2021", rotary, rotary_args, rotary_backward),
    ByHand("filter of a real signal", "Fourier matrix", filtered, filtered_args, filtered_backward),
    ByHand(
        "conjugate product and modulus",
        "not holomorphic",
        coherence,
        complex_normals((3, 4), (3, 4)),
        coherence_backward,
    ),
    ByHand("pendulum", "dictionary of scalars", pendulum, pendulum_args, pendulum_backward),
    ByHand("roots of a quadratic", "scalars", roots, roots_args, roots_backward),
    ByHand(
        "tied autoencoder",
        "one array in two leaves",
        autoencoder,
        autoencoder_args,
        autoencoder_backward,
    ),
    ByHand(
        "tied language model",
        "Press and Wolf 2017",
        language_model,
        language_model_args,
        language_model_backward,
    ),
    ByHand(
        "attention of x to itself",
        "one array in three arguments",
        self_attention,
        self_attention_args,
        self_attention_backward,
    ),
    ByHand(
        "one block three times",
        "shared leaves",
        repeated_block,
        repeated_block_args,
        repeated_block_backward,
    ),
    ByHand("linear without rows or bias", "edge cases", linear, linear_args, linear_backward),
)
