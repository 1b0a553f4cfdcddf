"""Dropout layers, which drop entries only while training, and then need a key."""

from collections.abc import Callable

import jax

from fcnn import ops
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf
from fcnn.ops.validation import named, require, require_numbers

Drop = Callable[[jax.Array, jax.Array], jax.Array]  # (x, key) -> y


def dropout(rate: float) -> Layer:
    """`fcnn.dropout` while training; the identity in evaluation mode.

    Shapes: x (n, *axes) -> y (n, *axes).
    Options:
        rate: probability of dropping an entry, in [0, 1).
    Raises: ValueError if `rate` is outside [0, 1), or if `key` is missing while training.

    >>> dropout, key = fcnn.layers.dropout(0.5), jax.random.key(0)
    >>> sorted(set(dropout.apply({}, {}, jnp.ones(100), key=key, train=True)[0].tolist()))
    [0.0, 2.0]
    """
    return _dropout("dropout", rate, lambda x, key: ops.dropout(x, key, rate=rate))


def spatial_dropout(rate: float) -> Layer:
    """`fcnn.spatial_dropout` while training; the identity in evaluation mode.

    Shapes: x (n, *size, c) -> y (n, *size, c).
    Options:
        rate: probability of dropping a whole channel of an example, in [0, 1).
    Raises: ValueError if `rate` is outside [0, 1), or if `key` is missing while training.

    >>> x, options = jnp.ones((1, 3, 9)), {"key": jax.random.key(0), "train": True}
    >>> y, _ = fcnn.layers.spatial_dropout(0.5).apply({}, {}, x, **options)
    >>> sorted(set(y.sum(1).ravel().tolist()))  # of each channel
    [0.0, 6.0]
    """
    return _dropout("spatial_dropout", rate, lambda x, key: ops.spatial_dropout(x, key, rate=rate))


def stochastic_depth(rate: float) -> Layer:
    """`fcnn.stochastic_depth` while training; the identity in evaluation mode.

    Use it as the last layer in the body of a `residual`:
    layers.residual(layers.serial(..., stochastic_depth(0.2))).

    Shapes: x (n, *axes) -> y (n, *axes).
    Options:
        rate: probability of dropping an example, in [0, 1).
    Raises: ValueError if `rate` is outside [0, 1), or if `key` is missing while training.

    >>> x, options = jnp.ones((9, 3)), {"key": jax.random.key(0), "train": True}
    >>> y, _ = fcnn.layers.stochastic_depth(0.5).apply({}, {}, x, **options)
    >>> sorted(set(y.sum(1).tolist()))  # of each example
    [0.0, 6.0]
    """
    drop = lambda x, key: ops.stochastic_depth(x, key, rate=rate)
    return _dropout("stochastic_depth", rate, drop)


def classic_dropout(rate: float) -> Layer:
    """`fcnn.classic_dropout`: drop while training; scale by 1 - rate in evaluation mode.

    Shapes: x (n, *axes) -> y (n, *axes).
    Options:
        rate: probability of dropping an entry, in [0, 1).
    Raises: ValueError if `rate` is outside [0, 1), or if `key` is missing while training.

    >>> fcnn.layers.classic_dropout(0.5).apply({}, {}, jnp.ones(3))[0]
    Array([0.5, 0.5, 0.5], dtype=float32)
    """
    drop = lambda x, key: ops.classic_dropout(x, key, rate=rate, train=True)
    evaluate = lambda x: ops.classic_dropout(x, rate=rate, train=False)
    return _dropout("classic_dropout", rate, drop, evaluate)


def _dropout(
    name: str, rate: float, drop: Drop, evaluate: Callable[[jax.Array], jax.Array] = lambda x: x
) -> Layer:
    with named(name):
        require_numbers(rate=rate)
        require(0 <= rate < 1, f"rate {rate} must lie in [0, 1)")

    def f(params, x, call):
        if not call.train:
            return evaluate(x)
        if call.key is None:
            do = "write model.apply(params, state, x, key=key, train=True)"
            raise ValueError(f"no key; {do}")
        return drop(x, call.key)

    return leaf(name, f)
