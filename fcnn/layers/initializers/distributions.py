"""Initializers for any shape, with a given value, standard deviation or bound."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from fcnn.ops.validation import named, require, require_key

Initializer = Callable[[jax.Array, tuple[int, ...]], jax.Array]
TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal within -2 and 2


def zeros(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Zeros, for any shape; the key is not used."""
    return jnp.zeros(shape)


def ones(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Ones, for any shape; the key is not used."""
    return jnp.ones(shape)


def constant(value: float) -> Initializer:
    """Initializer that fills any shape with `value`; the key is not used.

    Options:
        value: value of every entry.

    >>> fcnn.layers.initializers.constant(0.5)(jax.random.key(0), (3,))
    Array([0.5, 0.5, 0.5], dtype=float32)
    """
    return lambda key, shape: jnp.full(shape, value, float)


def normal(std: float = 0.01) -> Initializer:
    """Initializer for any shape: a normal distribution with mean 0.

    Options:
        std: standard deviation.
    Raises: ValueError for a negative or infinite `std`.
    """
    with named("normal"):
        require_scale(std=std)
    return drawn("normal", lambda key, shape: std * jax.random.normal(key, shape))


def truncated(std: float = 0.01) -> Initializer:
    """Initializer for any shape: normal with mean 0, truncated at two standard deviations.

    Options:
        std: standard deviation after truncation.
    Raises: ValueError for a negative or infinite `std`.
    """
    with named("truncated"):
        require_scale(std=std)
    draw = lambda key, shape: jax.random.truncated_normal(key, -2, 2, shape)
    return drawn("truncated", lambda key, shape: std / TRUNCATED * draw(key, shape))


def uniform(bound: float = 0.01) -> Initializer:
    """Initializer for any shape: a uniform distribution on [-bound, bound).

    Options:
        bound: largest absolute value.
    Raises: ValueError for a negative or infinite `bound`.
    """
    with named("uniform"):
        require_scale(bound=bound)
    draw = lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    return drawn("uniform", draw)


def drawn(name: str, draw: Initializer) -> Initializer:
    """The initializer `draw` with validation of the key."""

    def init(key, shape):
        with named(name):
            require_key(key)
        return draw(key, shape)

    return init


def require_scale(**values: float) -> None:
    """ValueError unless every value is finite and not negative."""
    for what, value in values.items():
        require(0 <= value < math.inf, f"{what} {value} must be finite and not negative")
