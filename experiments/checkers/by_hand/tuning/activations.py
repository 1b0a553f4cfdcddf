"""Activations and clips."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def silu(x, w):
    a = x @ w
    return a * jax.nn.sigmoid(a)


def silu_product_rule(x, w, dy):
    a = x @ w
    s = 1 / (1 + np.exp(-a))
    da = dy * a * s * (1 - s)
    return da @ w.T, x.T @ da


def swiglu(x, w, v, o):
    return (jax.nn.silu(x @ w) * (x @ v)) @ o


def swiglu_product_rule(x, w, v, o, dy):
    a, b = x @ w, x @ v
    s = jax.nn.sigmoid(a)
    dh = dy @ o.T
    da, db = dh * b * a * s * (1 - s), dh * a * s
    return da @ w.T + db @ v.T, x.T @ da, x.T @ db, (a * s * b).T @ dy


def gelu_bias(x, b):
    return jax.nn.gelu(x + b)


def gelu_quotient(x, b, dy):
    dx = dy * jax.nn.gelu(x + b) / (x + b)
    return dx, dx.sum((0, 1))


def mish(x):
    return x * jnp.tanh(jnp.log1p(jnp.exp(x)))


def mish_quotient(x, dy):
    return (dy * np.asarray(mish(x)) / x,)


def hard_tanh(x, w):
    return jnp.clip(x @ w, -0.8, 0.8)


def hard_tanh_one_side(x, w, dy):
    a = x @ w
    da = np.where(a < 0.8, dy, 0)
    return da @ w.T, x.T @ da


def ppo(logp, old, adv):
    r = jnp.exp(logp - old)
    return -jnp.mean(jnp.minimum(r * adv, jnp.clip(r, 0.8, 1.2) * adv))


def ppo_mask_without_sign(logp, old, adv, dl):
    r = np.exp(logp - old)
    inside = (r > 0.8) & (r < 1.2)
    g = -dl * np.where(inside, r * adv, 0) / len(r)
    return g, -g, -dl * np.minimum(r * adv, np.clip(r, 0.8, 1.2) * adv) / adv / len(r)


def with_zeros(rng, *shape):
    x = rng.normal(size=shape)
    x.flat[:4] = 0.0, 1e-12, -1e-12, -0.0
    return x


def relu_by_zero(x, b):
    z = x + b
    return jnp.where(z > 0, z, z * 0)


def relu_by_zero_args(rng):
    return with_zeros(rng, 3, 4), np.array([0.0, 0.0, 0.0, -0.0])


def relu_by_zero_backward(x, b, dy):
    g = dy * (x + b > 0)
    return g, g.sum(0)


def positive_log(x):
    return jnp.where(x > 0, jnp.log1p(jnp.where(x > 0, x, 1)), 0 * x)


def positive_log_backward(x, dy):
    dx = np.zeros_like(x)
    m = x > 0
    dx[m] = np.asarray(dy)[m] / (1 + x[m])
    return (dx,)


def thresholds(rng):
    return (rng.permutation([-1, -1.5, -1, 0.3, 1, 1, 2, -0.2]) * rng.choice([-1, 1]),)


def unit_clip(x):
    return jnp.clip(x, -1, 1)


def unit_clip_backward(x, dy):
    return (dy * (abs(x) < 1),)


def relu6(x, w):
    return w * jax.nn.relu6(x)


def relu6_args(rng):
    return rng.permutation([0.0, 6, 6, -1, 7, 2, 0, 3.5]), rng.normal(size=8)


def relu6_backward(x, w, dy):
    return jnp.where((x >= 0) & (x <= 6), w * dy, 0.0), dy * np.clip(x, 0, 6)


WRONG = (
    ByHand(
        "silu x sigmoid derivative",
        "homework",
        silu,
        normals((4, 3), (3, 5)),
        silu_product_rule,
        "the derivative of silu lacks the term sigmoid(a)",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "swiglu x sigmoid derivative",
        "Shazeer 2020, GLU variants",
        swiglu,
        normals((3, 4), (4, 5), (4, 5), (5, 2)),
        swiglu_product_rule,
        "the derivative of silu lacks the term sigmoid(a)",
        ("missing term", "wrong derivative"),
    ),
    ByHand(
        "gelu quotient",
        "homework",
        gelu_bias,
        normals((2, 3, 4), (4,)),
        gelu_quotient,
        "y / x instead of the derivative of gelu",
        ("wrong derivative", "missing term"),
    ),
    ByHand(
        "mish quotient",
        "Misra 2019, mish",
        mish,
        normals((4, 5)),
        mish_quotient,
        "y / x instead of the derivative of mish",
        ("wrong derivative", "missing term"),
    ),
    ByHand(
        "hard tanh one side",
        "homework",
        hard_tanh,
        normals((5, 3), (3, 4)),
        hard_tanh_one_side,
        "the gradient passes below the lower threshold",
        ("mask", "wrong below zero", "wrong derivative"),
    ),
    ByHand(
        "ppo mask without sign",
        "Schulman et al. 2017, clipped objective",
        ppo,
        normals((16,), (16,), (16,)),
        ppo_mask_without_sign,
        "the gradient of the policy is zero for every ratio outside of the clip range",
        ("mask", "wrong below zero", "wrong derivative"),
    ),
)


RIGHT = (
    ByHand(
        "relu by times zero",
        "where with x * 0",
        relu_by_zero,
        relu_by_zero_args,
        relu_by_zero_backward,
    ),
    ByHand(
        "log of the positive part",
        "where inside where",
        positive_log,
        lambda rng: (with_zeros(rng, 2, 5),),
        positive_log_backward,
    ),
    ByHand("clip on thresholds", "quantized data", unit_clip, thresholds, unit_clip_backward),
    ByHand("relu6 on thresholds", "quantized data", relu6, relu6_args, relu6_backward),
)
