"""Correct gradients at large and small values, in low precision, with cancellation, and at -inf."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.checkers.build import ints, numbers, problem

OPERATORS = {  # family, operator, shapes
    "dense": ("affine", fcnn.dense, ((7, 3), (3, 5), (5,))),
    "conv": ("convolution", partial(fcnn.conv, padding=1), ((3, 5, 7, 4), (3, 3, 4, 6), (6,))),
    "layer_norm": ("normalization", fcnn.layer_norm, ((7, 5), (5,), (5,))),
    "rms_norm": ("normalization", fcnn.rms_norm, ((7, 5), (5,))),
    "softmax": ("activation", fcnn.softmax, ((7, 5),)),
    "sigmoid": ("activation", fcnn.sigmoid, ((7, 5),)),
    "softplus": ("activation", fcnn.softplus, ((7, 5),)),
    "tanh": ("activation", fcnn.tanh, ((7, 5),)),
    "gelu": ("activation", fcnn.gelu, ((7, 5),)),
    "mean_squared_error": ("loss", fcnn.mean_squared_error, ((7, 5), (7, 5))),
}
SHORT = ("dense", "conv", "layer_norm", "softmax", "tanh", "gelu")
RANGES = {
    "large values": (1e8, ("dense", "layer_norm", "rms_norm", "sigmoid", "softplus")),
    "small values": (1e-8, ("dense", "layer_norm", "rms_norm", "sigmoid", "mean_squared_error")),
}

LABELS = ints((7,), 5)
QKV = ((4, 5, 3, 6), (4, 7, 3, 6), (4, 7, 3, 8))

square = lambda x: x * x
logsumexp = lambda x: jax.nn.logsumexp(x, 1)
variance = lambda x: x.var(1)
root = lambda x: jnp.sqrt(x)
log = lambda x: jnp.log(x)
one_minus_cos = lambda x: 1 - jnp.cos(x)
reciprocal = lambda x: 1 / x
wave = lambda x: x * jnp.sin(1 / x)
centred = lambda x: x - x.mean(1, keepdims=True)
cross_entropy, mean_squared_error = fcnn.softmax_cross_entropy, fcnn.mean_squared_error
causal = partial(fcnn.dot_product_attention, causal=True)


def batched(x, scale, bias):
    """The output of batch_norm, without its running statistics."""
    return fcnn.batch_norm(x, scale, bias, bias * 0, bias * 0 + 1, train=True)[0]


def times(size, *shape):
    return lambda rng: size * rng.standard_normal(shape)


def far_off(rng):
    return 1e6 + rng.standard_normal((5, 7))


def tiny(rng):
    return 1e-12 * rng.uniform(0.5, 2, 5)


def partly_hidden(rng):
    """Logits, of which about a third are -inf. The first logit of each row is finite."""
    hidden = (rng.random((7, 5)) < 1 / 3) & (np.arange(5) > 0)
    return np.where(hidden, -np.inf, rng.standard_normal((7, 5)))


def visible_keys(rng):
    """A boolean mask that hides all keys from the first query."""
    return (rng.random((1, 1, 5, 7)) < 0.7) & (np.arange(5) > 0)[:, None]


def hidden_keys(rng):
    """A mask of 0 and -inf that is added to scores. Every query attends to the first key."""
    hidden = (rng.random((1, 1, 5, 7)) < 0.3) & (np.arange(7) > 0)
    return np.where(hidden, -np.inf, 0.0)


def softmax_dy(x, dy):
    return jax.nn.softmax(x, 1) * dy[:, None]


def variance_dx(x, dy):
    return 2 / x.shape[1] * centred(x) * dy[:, None]


def centred_dx(dy):
    return centred(dy)


def sin_dy(x, dy):
    return jnp.sin(x) * dy


def wave_dx(x, dy):
    return (jnp.sin(1 / x) - jnp.cos(1 / x) / x) * dy


def scaled(kind, size, name):
    family, op, shapes = OPERATORS[name]
    return problem(family, kind, f"{name} at {size:g}", op, tuple(times(size, *s) for s in shapes))


def short(dtype, name):
    family, op, shapes = OPERATORS[name]
    draw = lambda shape: lambda rng: rng.standard_normal(shape).astype(jnp.dtype(dtype))
    return problem(family, dtype, f"{name} in {dtype}", op, tuple(map(draw, shapes)))


activation, loss = partial(problem, "activation"), partial(problem, "loss")
normalization, attention = partial(problem, "normalization"), partial(problem, "attention")
LARGE, SMALL, ILL, HIDDEN = "large values", "small values", "ill-conditioned", "-inf mask"

CORRECT_GRADIENTS = (
    *(scaled(kind, size, name) for kind, (size, names) in RANGES.items() for name in names),
    *(short(dtype, name) for dtype in ("bfloat16", "float16") for name in SHORT),
    activation(LARGE, "x² at 1e4", square, (times(1e4, 7),), dx=lambda x, dy: 2 * x * dy),
    activation(LARGE, "x² at 1e8", square, (times(1e8, 7),), dx=lambda x, dy: 2 * x * dy),
    activation(SMALL, "x² at 1e-8", square, (times(1e-8, 7),), dx=lambda x, dy: 2 * x * dy),
    activation(LARGE, "log sum exp at 1e8", logsumexp, (times(1e8, 7, 5),), dx=softmax_dy),
    activation(SMALL, "log sum exp at 1e-8", logsumexp, (times(1e-8, 7, 5),), dx=softmax_dy),
    activation(SMALL, "sqrt at 1e-12", root, (tiny,), dx=lambda y, dy: dy / (2 * y)),
    activation(SMALL, "log at 1e-12", log, (tiny,), dx=lambda x, dy: dy / x),
    activation(SMALL, "1 / x at 1e-12", reciprocal, (tiny,), dx=lambda y, dy: -y * y * dy),
    loss(LARGE, "cross entropy at 1e8", cross_entropy, (times(1e8, 7, 5), LABELS)),
    loss(SMALL, "cross entropy at 1e-8", cross_entropy, (times(1e-8, 7, 5), LABELS)),
    loss(LARGE, "mean_squared_error at 1e8", mean_squared_error, (times(1e8, 7, 5),) * 2),
    normalization(LARGE, "batch_norm at 1e8", batched, (times(1e8, 7, 5), (5,), (5,))),
    normalization(SMALL, "batch_norm at 1e-8", batched, (times(1e-8, 7, 5), (5,), (5,))),
    normalization(ILL, "layer_norm at 1e6 + noise", fcnn.layer_norm, (far_off, (7,), (7,))),
    normalization(ILL, "variance of 1e6 + noise", variance, (far_off,), dx=variance_dx),
    normalization(ILL, "centred 1e6 + noise", centred, (far_off,), dx=centred_dx),
    activation(ILL, "1 - cos at 1e-4", one_minus_cos, (times(1e-4, 7),), dx=sin_dy),
    activation(ILL, "x sin(1 / x) near 0", wave, (numbers([1e-3, -2e-3, 3e-2]),), dx=wave_dx),
    activation(HIDDEN, "softmax of -inf", fcnn.softmax, (partly_hidden,)),
    activation(HIDDEN, "log_softmax of -inf", fcnn.log_softmax, (partly_hidden,)),
    activation(HIDDEN, "log sum exp of -inf", logsumexp, (partly_hidden,), dx=softmax_dy),
    loss(
        HIDDEN,
        "cross entropy of -inf",
        cross_entropy,
        (partly_hidden, lambda rng: np.zeros(7, np.int32)),
    ),
    attention(
        HIDDEN, "attention: a row sees nothing", fcnn.dot_product_attention, (*QKV, visible_keys)
    ),
    attention(HIDDEN, "attention: a mask of -inf", fcnn.dot_product_attention, (*QKV, hidden_keys)),
    attention(HIDDEN, "causal attention", causal, QKV),
)
