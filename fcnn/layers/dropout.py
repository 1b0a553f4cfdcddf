"""Dropouts as layers: at work while training, which needs a key."""

from collections.abc import Callable

import jax

from fcnn import ops
from fcnn.layers.layer import Layer

Noise = Callable[[jax.Array, jax.Array], jax.Array]  # (x, key) -> y


def dropout(rate: float) -> Layer:
    """`fcnn.dropout` while training, which needs a key; the identity otherwise."""
    return _noisy("dropout", rate, lambda x, key: ops.dropout(x, key, rate=rate))


def spatial_dropout(rate: float) -> Layer:
    """`fcnn.spatial_dropout` while training, which needs a key; the identity otherwise."""
    return _noisy("spatial_dropout", rate, lambda x, key: ops.spatial_dropout(x, key, rate=rate))


def stochastic_depth(rate: float) -> Layer:
    """`fcnn.stochastic_depth` while training, which needs a key; the identity otherwise.

    It ends the body of a residual: layers.residual(layers.serial(..., stochastic_depth(0.2))).
    """
    return _noisy("stochastic_depth", rate, lambda x, key: ops.stochastic_depth(x, key, rate=rate))


def classic_dropout(rate: float) -> Layer:
    """`fcnn.classic_dropout`: training needs a key; otherwise all is scaled by 1 - rate."""
    drop = lambda x, key: ops.classic_dropout(x, key, rate=rate, train=True)
    later = lambda x: ops.classic_dropout(x, rate=rate, train=False)
    return _noisy("classic_dropout", rate, drop, later)


def _noisy(
    name: str, rate: float, drop: Noise, later: Callable[[jax.Array], jax.Array] = lambda x: x
) -> Layer:
    if not 0 <= rate < 1:
        raise ValueError(f"{name}: rate {rate} must lie in [0, 1)")

    def apply(params, state, x, *, key=None, train=False):
        if not train:
            return later(x), {}
        if key is None:
            raise ValueError(
                f"{name}: no key; write model.apply(params, state, x, key=key, train=True)"
            )
        return drop(x, key), {}

    return Layer(name, lambda key, shape: ({}, {}), apply)
