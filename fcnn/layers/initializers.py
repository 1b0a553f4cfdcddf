"""How parameters start: (key, shape) -> array, for kernels of any rank.

A kernel is (*window, c, o). One output sums fan_in = prod(window) c products and one input enters
fan_out = prod(window) o of them; a variance of about 1 / fan keeps signals at the same size from
layer to layer. Three such variances,

    he        2 / fan_in                  for relu: He et al. 2015
    glorot    2 / (fan_in + fan_out)      for tanh: Glorot & Bengio 2010, also called Xavier
    lecun     1 / fan_in                  for selu and tanh: LeCun et al. 1998

of three distributions each: normal (plain `he`), uniform (`he_uniform`), and normal but within two
standard deviations (`he_truncated`).

The kernel of a grouped convolution is `groups` kernels side by side. `grouped` starts each as the
kernel that it is, so no initializer need know of groups. With c and o of the whole layer,

    fan_in = prod(window) c / groups      fan_out = prod(window) o / groups

The output of a layer then has the variance fan_in var(w) mean(x^2) around b. Of a transposed
convolution only one in prod(stride) taps meets an output, and its variance is as much smaller.

Raises: ValueError for a shape without fans, or a negative scale; TypeError for what is no key.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from fcnn.ops.validation import require_key

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]
TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal within -2 and 2


def he(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / fan_in)."""
    return normal(_he(shape))(key, shape)


def he_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform within sqrt(6 / fan_in)."""
    return uniform(math.sqrt(3) * _he(shape))(key, shape)


def he_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Truncated normal with standard deviation sqrt(2 / fan_in)."""
    return truncated(_he(shape))(key, shape)


def glorot(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(2 / (fan_in + fan_out)); also called Xavier."""
    return normal(_glorot(shape))(key, shape)


def glorot_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform within sqrt(6 / (fan_in + fan_out))."""
    return uniform(math.sqrt(3) * _glorot(shape))(key, shape)


def glorot_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Truncated normal with standard deviation sqrt(2 / (fan_in + fan_out))."""
    return truncated(_glorot(shape))(key, shape)


def lecun(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal with standard deviation sqrt(1 / fan_in)."""
    return normal(_lecun(shape))(key, shape)


def lecun_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform within sqrt(3 / fan_in)."""
    return uniform(math.sqrt(3) * _lecun(shape))(key, shape)


def lecun_truncated(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Truncated normal with standard deviation sqrt(1 / fan_in)."""
    return truncated(_lecun(shape))(key, shape)


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All 0."""
    return jnp.zeros(shape)


def ones(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """All 1."""
    return jnp.ones(shape)


def constant(value: float) -> Initializer:
    """All `value`."""
    return lambda key, shape: jnp.full(shape, float(value))


def identity(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """What leaves x as it is: y = x for a dense layer, and for a "same" convolution of stride 1.

    1 at the window's centre from each channel to the feature of its number, else 0; also called
    delta or Dirac. The centre of an even window is the cell before its middle.
    """
    fans(shape)
    *window, c, o = shape
    centre = tuple((k - 1) // 2 for k in window)
    return jnp.zeros(shape).at[centre].set(jnp.eye(c, o))


def orthogonal(scale: float = 1.0) -> Initializer:
    """Random, and orthogonal as a matrix (prod(window) c, o): its shorter side has unit vectors.

    Source: Saxe, McClelland & Ganguli, arXiv:1312.6120.
    """
    _require_scale("orthogonal", "scale", scale)

    def draw(key, shape):
        fans(shape)
        return jax.nn.initializers.orthogonal(scale)(key, shape)

    return _drawn("orthogonal", draw)


def normal(std: float = 0.01) -> Initializer:
    """Normal with mean 0 and standard deviation `std`."""
    _require_scale("normal", "std", std)
    return _drawn("normal", lambda key, shape: std * jax.random.normal(key, shape))


def truncated(std: float = 0.01) -> Initializer:
    """Normal within two standard deviations of 0, widened so that its own is again `std`."""
    _require_scale("truncated", "std", std)
    draw = lambda key, shape: jax.random.truncated_normal(key, -2, 2, shape)
    return _drawn("truncated", lambda key, shape: std / TRUNCATED * draw(key, shape))


def uniform(bound: float = 0.01) -> Initializer:
    """Uniform on [-bound, bound)."""
    _require_scale("uniform", "bound", bound)
    draw = lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    return _drawn("uniform", draw)


def grouped(init: Initializer, groups: int, axis: int = -1) -> Initializer:
    """For a kernel (*window, c, o) of `groups` kernels side by side.

    They share the axis of the features o of a convolution (-1), or the axis of the channels c of a
    transposed one (-2).
    """
    if groups == 1:
        return init

    def each(key, shape):
        require_key("grouped", key)
        if shape[axis] % groups:
            what = "features" if axis == -1 else "channels"
            raise ValueError(f"initializer: groups {groups} does not divide {shape[axis]} {what}")
        one = list(shape)
        one[axis] //= groups
        draw = lambda key: init(key, tuple(one))
        w = jax.vmap(draw, out_axes=axis - 1)(jax.random.split(key, groups))
        return w.reshape(shape)  # the axis of groups stands before that which they share

    return each


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out of a kernel (*window, c, o)."""
    if len(shape) < 2 or math.prod(shape) == 0:
        raise ValueError(f"initializer: shape {shape} has no fan; use zeros, normal or uniform")
    *window, c, o = shape
    return math.prod(window) * c, math.prod(window) * o


def _drawn(name: str, draw: Initializer) -> Initializer:
    """`draw`, which refuses what is no random key."""

    def init(key, shape):
        require_key(name, key)
        return draw(key, shape)

    return init


def _he(shape):
    return math.sqrt(2 / fans(shape)[0])


def _glorot(shape):
    return math.sqrt(2 / sum(fans(shape)))


def _lecun(shape):
    return math.sqrt(1 / fans(shape)[0])


def _require_scale(name, what, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: {what} {value} must not be negative, and finite")
