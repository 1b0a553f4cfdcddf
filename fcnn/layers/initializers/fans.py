"""Random kernels, scaled so that signals have about the same variance in every layer.

A kernel is (*window, c, o). One output is a sum of fan_in = prod(window) c products, and one input
enters fan_out = prod(window) o products. A kernel of variance about 1 / fan keeps the variance of
signals from layer to layer. Three variances are common:

    he        2 / fan_in                  for relu: He et al. 2015
    glorot    2 / (fan_in + fan_out)      for tanh: Glorot & Bengio 2010, also called Xavier
    lecun     1 / fan_in                  for selu and tanh: LeCun et al. 1998

Each variance has three distributions: normal (`he`), uniform (`he_uniform`), and normal truncated
at two standard deviations (`he_truncated`).

The output of a layer then has the variance fan_in var(w) mean(x^2) around b. In a transposed
convolution only one in prod(stride) taps contributes to an output, so the variance is smaller by
the factor prod(stride).
"""

import math

import jax

from fcnn.layers.initializers.distributions import normal, truncated, uniform
from fcnn.ops.validation import named


def he(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / fan_in), for layers before relu.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: He et al., arXiv:1502.01852.
    """
    return normal(_he(shape))(key, shape)


def he_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform on [-bound, bound) with bound sqrt(6 / fan_in), with the variance of `he`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: He et al., arXiv:1502.01852.
    """
    return uniform(math.sqrt(3) * _he(shape))(key, shape)


def he_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal truncated at two standard deviations, with the variance of `he`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: He et al., arXiv:1502.01852.
    """
    return truncated(_he(shape))(key, shape)


def glorot(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / (fan_in + fan_out)), for tanh; Xavier initialization.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: Glorot & Bengio 2010.
    """
    return normal(_glorot(shape))(key, shape)


def glorot_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform on [-bound, bound) with bound sqrt(6 / (fan_in + fan_out)); variance of `glorot`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: Glorot & Bengio 2010.
    """
    return uniform(math.sqrt(3) * _glorot(shape))(key, shape)


def glorot_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal truncated at two standard deviations, with the variance of `glorot`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: Glorot & Bengio 2010.
    """
    return truncated(_glorot(shape))(key, shape)


def lecun(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(1 / fan_in), for tanh, selu and logits.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: LeCun et al. 1998, "Efficient BackProp".
    """
    return normal(_lecun(shape))(key, shape)


def lecun_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform on [-bound, bound) with bound sqrt(3 / fan_in), with the variance of `lecun`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: LeCun et al. 1998, "Efficient BackProp".
    """
    return uniform(math.sqrt(3) * _lecun(shape))(key, shape)


def lecun_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal truncated at two standard deviations, with the variance of `lecun`.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: LeCun et al. 1998, "Efficient BackProp".
    """
    return truncated(_lecun(shape))(key, shape)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel (*window, c, o).

    Raises: ValueError for a shape of fewer than 2 axes, or without entries.

    >>> fcnn.layers.initializers.fans((3, 3, 16, 32))
    (144, 288)
    """
    with named("initializer"):
        if len(shape) < 2 or math.prod(shape) == 0:
            raise ValueError(f"shape {shape} has no fans; use zeros, normal or uniform")
    *window, c, o = shape
    return math.prod(window) * c, math.prod(window) * o


def _he(shape):
    return math.sqrt(2 / fans(shape)[0])


def _glorot(shape):
    return math.sqrt(2 / sum(fans(shape)))


def _lecun(shape):
    return math.sqrt(1 / fans(shape)[0])
