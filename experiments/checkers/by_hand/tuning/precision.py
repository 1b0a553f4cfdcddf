"""Mixed precision, float32 constants, noise from a key and custom derivatives inside."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

BF = jnp.bfloat16


def normals(*shapes, dtype: Any = np.float64):
    return lambda rng: tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


RESIDUAL, SHRINK = np.float32(0.125), np.float32(0.7)


def residual(x, w):
    return x + jnp.tanh(x @ w) * RESIDUAL


def residual_without_constant(x, w, dy):
    da = dy * (1 - jnp.tanh(x @ w) ** 2)
    return dy + RESIDUAL * da @ w.T, x.T @ da


def shrunk_bilinear(u, a, v):
    return jnp.einsum("ni,ij,nj->n", u, a, v) * jnp.asarray(SHRINK)


def shrunk_bilinear_without_constant(u, a, v, dy):
    du = SHRINK * dy[:, None] * (v @ a.T)
    return du, u.T @ (dy[:, None] * v * SHRINK), dy[:, None] * (u @ a)


def short_product(x, w):
    return (x.astype(BF) @ w.astype(BF)).astype(x.dtype)


def short_product_backward(x, w, dy):
    g = dy.astype(BF)
    dx, dw = jnp.matmul(g, w.T.astype(BF)), jnp.matmul(x.T.astype(BF), g)
    return dx.astype(x.dtype), dw.astype(w.dtype)


def half_network(x, w, b, v):
    h = jax.nn.relu((x.astype(np.float16) @ w.astype(np.float16)).astype(np.float32) + b)
    return (h.astype(np.float16) @ v.astype(np.float16)).astype(np.float32)


def half_network_backward(x, w, b, v, dy):
    xs, ws, vs, g = (jnp.asarray(a, jnp.float16) for a in (x, w, v, dy))
    h = (xs @ ws).astype(np.float32) + b
    dv = jnp.maximum(h, 0).astype(np.float16).T @ g
    da = jnp.where(h > 0, (g @ vs.T).astype(np.float32), 0)
    ds = da.astype(np.float16)
    grads = ds @ ws.T, xs.T @ ds, da.sum(0), dv
    return tuple(a.astype(np.float32) for a in grads)


def short_scores(q, k):
    s = jnp.einsum("td,sd->ts", q.astype(BF), k.astype(BF))
    return jax.nn.log_softmax(s.astype(np.float32))


def short_scores_backward(q, k, dy):
    p = jnp.exp(short_scores(q, k))
    ds = (dy - p * jnp.sum(dy, axis=1, keepdims=True)).astype(BF)
    dq = jnp.einsum("ts,sd->td", ds, jnp.asarray(k, BF))
    dk = jnp.einsum("ts,td->sd", ds, jnp.asarray(q, BF))
    return dq.astype(np.float32), dk.astype(np.float32)


def noisy(x, s):
    return x * (1 + s * jax.random.normal(jax.random.key(3), x.shape, x.dtype))


def noisy_backward(x, s, dy):
    e = jax.random.normal(jax.random.key(3), x.shape, x.dtype)
    return dy + dy * s * e, (dy * x * e).sum(0)


def latent(mu, logvar):
    z = mu + jnp.exp(logvar / 2) * jax.random.normal(jax.random.key(0), mu.shape, mu.dtype)
    return jnp.sin(z), 0.5 * jnp.sum(mu**2 + jnp.exp(logvar) - 1 - logvar)


def latent_backward(mu, logvar, dy):
    e = jax.random.normal(jax.random.key(0), mu.shape, mu.dtype) * np.exp(logvar / 2)
    dz = dy[0] * jnp.cos(mu + e)
    return dz + dy[1] * mu, (dz * e + dy[1] * (np.exp(logvar) - 1)) / 2


def gumbel(logits):
    g = jax.random.gumbel(jax.random.PRNGKey(1), logits.shape, logits.dtype)
    return jax.nn.softmax((logits + g) / 0.5)


def gumbel_backward(logits, dy):
    p = gumbel(logits)
    return (2 * p * (dy - jnp.einsum("ni,ni->n", p, dy)[:, None]),)


sharp_softplus = jax.custom_vjp(
    lambda x, beta: jnp.logaddexp(beta * x, 0) / beta, nondiff_argnums=(1,)
)
sharp_softplus.defvjp(
    lambda x, beta: (sharp_softplus(x, beta), x),
    lambda beta, x, g: (g * jax.nn.sigmoid(beta * x),),
)


def softplus_layer(x, w):
    return sharp_softplus(x @ w, 2.5)


def softplus_layer_backward(x, w, dy):
    g = dy / (1 + np.exp(-2.5 * (x @ w)))
    return g @ w.T, x.T @ g


def scaled_elu_fwd(x, alpha, scale):
    return scaled_elu(x, alpha, scale), x


def scaled_elu_bwd(alpha, scale, x, g):
    return (g * scale * jnp.where(x > 0, 1, alpha * jnp.exp(x)),)


scaled_elu = jax.custom_vjp(
    lambda x, alpha, scale: scale * jnp.where(x > 0, x, alpha * jnp.expm1(x)),
    nondiff_argnums=(1, 2),
)
scaled_elu.defvjp(scaled_elu_fwd, scaled_elu_bwd)


def selu_mean(x, b):
    return scaled_elu(x + b, 1.6733, 1.0507).mean(0)


def selu_mean_backward(x, b, dy):
    y = np.asarray(scaled_elu(x + b, 1.6733, 1.0507))
    dx = dy / len(x) * np.where(x + b > 0, 1.0507, y + 1.0507 * 1.6733)
    return dx, dx.sum(0)


def tenth(x, w):
    return np.float32(0.1) * jnp.square(x @ w)


def tenth_backward(x, w, dy):
    g = dy * 0.2 * (x @ w)
    return g @ w.T, x.T @ g


def leaky_tenth(x):
    return jnp.where(x > 0, x, x * jnp.float32(0.1))


def leaky_tenth_backward(x, dy):
    return ((dy * np.where(x > 0, 1.0, 0.1)).astype(x.dtype),)


def half_tanh(x, w):
    return jnp.tanh(x * w)


def half_tanh_backward(x, w, dy):
    g = dy * (1 - jnp.tanh(x * w) ** 2)
    return g * w, (g * x).sum(0)


def bf_gated(s, gain):
    return jax.nn.softmax(s, axis=-1) * gain


def bf_gated_backward(s, gain, dy):
    s, gain, dy = (jnp.asarray(a, jnp.float32) for a in (s, gain, dy))
    p = jax.nn.softmax(s)
    ds = p * (dy * gain - jnp.sum(p * dy * gain, axis=1, keepdims=True))
    return ds.astype(BF), jnp.sum(p * dy, axis=0).astype(BF)


WRONG = (
    ByHand(
        "residual scale forgotten",
        "scaled residual branch",
        residual,
        normals((3, 4), (4, 4)),
        residual_without_constant,
        "dw lacks the float32 constant in front of tanh",
        ("constant factor",),
    ),
    ByHand(
        "shrinking forgotten",
        "homework",
        shrunk_bilinear,
        normals((5, 3), (3, 4), (5, 4)),
        shrunk_bilinear_without_constant,
        "dv lacks the float32 constant behind the product",
        ("constant factor",),
    ),
)

F32 = np.float32

RIGHT = (
    ByHand(
        "product in bfloat16",
        "mixed precision, casts inside",
        short_product,
        normals((4, 6), (6, 3), dtype=F32),
        short_product_backward,
    ),
    ByHand(
        "network in float16",
        "Micikevicius et al. 2018",
        half_network,
        normals((4, 5), (5, 6), (6,), (6, 3), dtype=F32),
        half_network_backward,
    ),
    ByHand(
        "scores in bfloat16",
        "softmax in float32 after a short product",
        short_scores,
        normals((4, 8), (5, 8), dtype=F32),
        short_scores_backward,
    ),
    ByHand(
        "multiplicative noise",
        "Srivastava et al. 2014, Gaussian dropout",
        noisy,
        normals((4, 3), (3,), dtype=F32),
        noisy_backward,
    ),
    ByHand(
        "latent with noise",
        "Kingma and Welling 2014",
        latent,
        normals((3, 4), (3, 4)),
        latent_backward,
    ),
    ByHand("gumbel softmax", "Jang et al. 2017", gumbel, normals((4, 5)), gumbel_backward),
    ByHand(
        "softplus with beta",
        "custom_vjp with nondiff_argnums",
        softplus_layer,
        normals((4, 3), (3, 5)),
        softplus_layer_backward,
    ),
    ByHand(
        "selu by its output",
        "custom_vjp with nondiff_argnums",
        selu_mean,
        normals((5, 4), (4,)),
        selu_mean_backward,
    ),
    ByHand(
        "float32 tenth before a square",
        "constants of two types",
        tenth,
        normals((4, 3), (3, 2)),
        tenth_backward,
    ),
    ByHand(
        "float32 tenth below zero",
        "constants of two types",
        leaky_tenth,
        normals((4, 5), dtype=F32),
        leaky_tenth_backward,
    ),
    ByHand(
        "float16 arguments",
        "half precision throughout",
        half_tanh,
        normals((5, 4), (4,), dtype=np.float16),
        half_tanh_backward,
    ),
    ByHand(
        "bfloat16 arguments",
        "float32 inside the backward pass",
        bf_gated,
        normals((4, 5), (5,), dtype=BF),
        bf_gated_backward,
    ),
)
