"""Initializers of parameters: (key, shape) -> array, for kernels of any rank.

A kernel is (*window, c, o). One output is a sum of fan_in = prod(window) c products, and one input
enters fan_out = prod(window) o of them. A variance of about 1 / fan keeps signals at the same size
from layer to layer. There are three such variances,

    he        2 / fan_in                  for relu: He et al. 2015
    glorot    2 / (fan_in + fan_out)      for tanh: Glorot & Bengio 2010, also called Xavier
    lecun     1 / fan_in                  for selu and tanh: LeCun et al. 1998

each with three distributions: normal (`he`), uniform (`he_uniform`), and normal truncated at two
standard deviations (`he_truncated`).

The kernel of a grouped convolution is `groups` kernels side by side. `grouped` draws each of them
separately, so initializers do not depend on groups. With c and o of the whole layer,

    fan_in = prod(window) c / groups      fan_out = prod(window) o / groups

The output of a layer then has the variance fan_in var(w) mean(x^2) around b. In a transposed
convolution only one in prod(stride) taps meets an output, so the variance is as much smaller.

Raises: ValueError for a shape without fans, or a negative scale; TypeError if `key` is not a key.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from fcnn.ops.validation import named, require, require_key

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]
TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal within -2 and 2


def he(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / fan_in), for layers before relu.

    Shapes: `shape` is (*window, c, o).
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.
    Source: He et al., arXiv:1502.01852.
    """
    return normal(_he(shape))(key, shape)


def he_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform on [-bound, bound) with bound sqrt(6 / fan_in), the variance of `he`.

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
    """Uniform on [-bound, bound) with bound sqrt(6 / (fan_in + fan_out)), the variance of `glorot`.

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
    """Uniform on [-bound, bound) with bound sqrt(3 / fan_in), the variance of `lecun`.

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


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Zeros, for any shape; the key is not used."""
    return jnp.zeros(shape)


def ones(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Ones, for any shape; the key is not used."""
    return jnp.ones(shape)


def constant(value: float) -> Initializer:
    """Initializer that fills any shape with `value`; the key is not used.

    Options:
        value: every entry.

    >>> fcnn.layers.initializers.constant(0.5)(jax.random.key(0), (3,))
    Array([0.5, 0.5, 0.5], dtype=float32)
    """
    return lambda key, shape: jnp.full(shape, value, float)


def identity(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Identity kernel: y = x for a dense layer, and for a "same" convolution of stride 1.

    Entry [centre, i, i] is 1 and all others are 0; also called delta or Dirac initialization. The
    centre of an even window is the cell before its middle.

    Shapes: `shape` is (*window, c, o); the key is not used.
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.

    >>> fcnn.layers.initializers.identity(jax.random.key(0), (2, 3))
    Array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    fans(shape)
    *window, c, o = shape
    centre = tuple((k - 1) // 2 for k in window)
    return jnp.zeros(shape).at[centre].set(jnp.eye(c, o))


def orthogonal(scale: float = 1.0) -> Initializer:
    """Initializer of random orthogonal kernels.

    As a matrix (prod(window) c, o), the kernel has orthogonal rows or columns, whichever are fewer,
    each of length `scale`.

    Shapes: of the initializer: (*window, c, o).
    Options:
        scale: length of each row or column.
    Raises: ValueError for a negative or infinite scale, or a shape of fewer than 2 axes.
    Source: Saxe, McClelland & Ganguli, arXiv:1312.6120.
    """
    with named("orthogonal"):
        _require_scale(scale=scale)

    def draw(key, shape):
        fans(shape)
        return jax.nn.initializers.orthogonal(scale)(key, shape)

    return _drawn("orthogonal", draw)


def normal(std: float = 0.01) -> Initializer:
    """Initializer: normal with mean 0, for any shape.

    Options:
        std: standard deviation.
    Raises: ValueError for a negative or infinite `std`.
    """
    with named("normal"):
        _require_scale(std=std)
    return _drawn("normal", lambda key, shape: std * jax.random.normal(key, shape))


def truncated(std: float = 0.01) -> Initializer:
    """Initializer: normal with mean 0, truncated at two standard deviations, for any shape.

    Options:
        std: standard deviation after truncation.
    Raises: ValueError for a negative or infinite `std`.
    """
    with named("truncated"):
        _require_scale(std=std)
    draw = lambda key, shape: jax.random.truncated_normal(key, -2, 2, shape)
    return _drawn("truncated", lambda key, shape: std / TRUNCATED * draw(key, shape))


def uniform(bound: float = 0.01) -> Initializer:
    """Initializer: uniform on [-bound, bound), for any shape.

    Options:
        bound: largest absolute value.
    Raises: ValueError for a negative or infinite `bound`.
    """
    with named("uniform"):
        _require_scale(bound=bound)
    draw = lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    return _drawn("uniform", draw)


def grouped(init: Initializer, groups: int, axis: int = -1) -> Initializer:
    """Initializer of a grouped kernel (*window, c, o): `init` for each of `groups` kernels.

    Shapes: of the initializer: (*window, c, o) of the whole kernel.
    Options:
        init: initializer of the kernel of one group.
        groups: number of groups.
        axis: axis along which the groups lie: -1, the features of a convolution, or -2, the
            channels of a transposed convolution.
    Raises: ValueError if `groups` does not divide that axis.

    >>> ones = fcnn.layers.initializers.grouped(fcnn.layers.initializers.ones, 2)
    >>> ones(jax.random.key(0), (3, 3, 2, 8)).shape
    (3, 3, 2, 8)
    """
    if groups == 1:
        return init

    def each(key, shape):
        with named("grouped"):
            require_key(key)
        if shape[axis] % groups:
            what = "features" if axis == -1 else "channels"
            raise ValueError(f"initializer: groups {groups} does not divide {shape[axis]} {what}")
        one = list(shape)
        one[axis] //= groups
        draw = lambda key: init(key, tuple(one))
        w = jax.vmap(draw, out_axes=axis - 1)(jax.random.split(key, groups))
        return w.reshape(shape)  # the axis of groups precedes the axis that they share

    return each


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel (*window, c, o).

    Raises: ValueError for a shape of fewer than 2 axes, or without entries.

    >>> fcnn.layers.initializers.fans((3, 3, 16, 32))
    (144, 288)
    """
    if len(shape) < 2 or math.prod(shape) == 0:
        raise ValueError(f"initializer: shape {shape} has no fans; use zeros, normal or uniform")
    *window, c, o = shape
    return math.prod(window) * c, math.prod(window) * o


def _drawn(name: str, draw: Initializer) -> Initializer:
    """`draw` with validation of the key."""

    def init(key, shape):
        with named(name):
            require_key(key)
        return draw(key, shape)

    return init


def _he(shape):
    return math.sqrt(2 / fans(shape)[0])


def _glorot(shape):
    return math.sqrt(2 / sum(fans(shape)))


def _lecun(shape):
    return math.sqrt(1 / fans(shape)[0])


def _require_scale(**values):
    for what, value in values.items():
        require(0 <= value < math.inf, f"{what} {value} must be finite and not negative")
