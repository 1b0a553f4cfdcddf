"""Elementwise activations."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand

sigmoid = lambda z: 1 / (1 + np.exp(-z))

C = np.sqrt(2 / np.pi)


def gelu_tanh(x):
    return 0.5 * x * (1 + jnp.tanh(C * (x + 0.044715 * x**3)))


def gelu_tanh_backward(x, dy):
    t = np.tanh(C * x * (1 + 0.044715 * x * x))
    return (dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * C * (1 + 3 * 0.044715 * x * x)),)


def gelu_tanh_short_inner(x, dy):
    t = np.tanh(C * x * (1 + 0.044715 * x * x))
    return (dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * C),)


def elu(x, alpha):
    return jnp.where(x > 0, x, alpha * (jnp.exp(jnp.minimum(x, 0)) - 1))


def elu_args(rng):
    return rng.normal(size=(6, 7)), np.asarray(rng.uniform(0.5, 1.5))


def elu_from_output(x, alpha, dy):
    y = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    dx = dy * np.where(x > 0, 1, y)
    return dx, np.sum(np.where(x > 0, 0, dy * np.expm1(np.minimum(x, 0))))


def elu_backward(x, alpha, dy):
    y = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    dx = dy * np.where(x > 0, 1, y + alpha)
    return dx, np.sum(np.where(x > 0, 0, dy * np.expm1(np.minimum(x, 0))))


def prelu(x, slope):
    """Channels first, one slope per channel."""
    return jnp.where(x >= 0, x, slope[:, None, None] * x)


prelu_args = lambda rng: (rng.normal(size=(3, 4, 4, 4)), rng.uniform(0.1, 0.4, size=4))


def prelu_channels_last(x, slope, dy):
    dx = np.where(x >= 0, dy, slope[:, None, None] * dy)
    return dx, np.where(x >= 0, 0, x * dy).sum(axis=(0, 1, 2))


def prelu_loop(x, slope, dy):
    dslope = np.zeros_like(slope)
    dx = np.array(dy)
    for c in range(len(slope)):
        neg = x[:, c] < 0
        dslope[c] = np.sum(x[:, c][neg] * np.asarray(dy)[:, c][neg])
        dx[:, c][neg] *= slope[c]
    return dx, dslope


def relu6(x):
    return jnp.clip(x, 0, 6)


relu6_args = lambda rng: (rng.normal(size=(8, 5)) * 6,)


def relu6_one_side(x, dy):
    return (jnp.where(x > 0, dy, 0),)


def relu6_integers(rng):
    return (rng.integers(-3, 10, size=(6, 6)).astype(float),)


def relu6_backward(x, dy):
    return (dy * ((x > 0) & (x < 6)),)


def softplus(x, beta):
    """torch.nn.Softplus: linear above the threshold 20."""
    z = beta * x
    return jnp.where(z > 20, x, jnp.log1p(jnp.exp(jnp.minimum(z, 20))) / beta)


def softplus_args(rng):
    return rng.normal(size=(5, 8)) * 20, np.asarray(rng.uniform(0.7, 2))


def softplus_backward(x, beta, dy):
    z = np.minimum(beta * x, 20)
    s = sigmoid(z)
    dbeta = np.where(beta * x > 20, 0, (z * s - np.log1p(np.exp(z))) / beta**2)
    return dy * np.where(beta * x > 20, 1, s), np.sum(dy * dbeta)


WRONG = (
    ByHand(
        "gelu with a short inner derivative",
        "GPT-2 approximation, hand-written kernels",
        gelu_tanh,
        lambda rng: (rng.normal(size=(4, 9)) * 1.5,),
        gelu_tanh_short_inner,
        "The cubic term inside the tanh is not differentiated.",
        ("wrong derivative", "missing term", "missing factor"),
    ),
    ByHand(
        "elu slope from the output",
        "ELU written in place, from the output",
        elu,
        elu_args,
        elu_from_output,
        "Below zero the slope is y in place of y + alpha.",
        ("wrong below zero", "wrong derivative", "missing term"),
    ),
    ByHand(
        "prelu slope summed as channels last",
        "framework issue on the layout of PReLU",
        prelu,
        prelu_args,
        prelu_channels_last,
        "The gradient of the slope keeps the last axis in place of the channel axis.",
        ("wrong axis",),
    ),
    ByHand(
        "relu6 without the upper limit",
        "MobileNet ports",
        relu6,
        relu6_args,
        relu6_one_side,
        "Above 6 the gradient still passes.",
        ("wrong below zero", "mask", "wrong derivative"),
    ),
)
RIGHT = (
    ByHand(
        "gelu of tanh at large values",
        "GPT-2 approximation",
        gelu_tanh,
        lambda rng: (rng.normal(size=(6, 6)) * 10.0 ** rng.integers(-6, 3, size=(6, 6)),),
        gelu_tanh_backward,
    ),
    ByHand("elu from the output", "framework source", elu, elu_args, elu_backward),
    ByHand("prelu by channel", "framework source", prelu, prelu_args, prelu_loop),
    ByHand("relu6 at its thresholds", "framework source", relu6, relu6_integers, relu6_backward),
    ByHand(
        "softplus with threshold",
        "torch.nn.Softplus",
        softplus,
        softplus_args,
        softplus_backward,
    ),
)
