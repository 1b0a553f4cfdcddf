"""The networks, which differ in their activation only, and their dead units."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fcnn import layers
from fcnn.layers import Layer, conv, dense, flatten, initializers, serial

FLAT = 1e-3  # a unit whose slope is smaller on all images is dead


class Kind(NamedTuple):
    """An activation with the initializer that textbooks give for it."""

    activation: Callable[[], Layer]
    w_init: initializers.Initializer = initializers.he
    convolutional: bool = False


KINDS = {
    "sigmoid": Kind(layers.sigmoid, initializers.glorot),
    "tanh": Kind(layers.tanh, initializers.glorot),
    "relu": Kind(layers.relu),
    "leaky relu": Kind(layers.leaky_relu),
    "ELU": Kind(layers.elu),
    "swish": Kind(layers.silu),
    "mish": Kind(layers.mish),
    "relu, conv": Kind(layers.relu, convolutional=True),
    "FReLU, conv": Kind(layers.frelu, convolutional=True),
}


def network(kind: Kind, classes: int, depth: int = 4) -> Layer:
    """`depth` dense layers of 64 units, or two convolutions: FReLU needs neighbouring pixels."""
    hidden = [dense(64, w_init=kind.w_init) for _ in range(depth)]
    if kind.convolutional:
        hidden = [conv(c, (3, 3), stride=2, w_init=kind.w_init) for c in (16, 32)]
    body = [part for layer in hidden for part in (layer, kind.activation())]
    ends = [*body, flatten()] if kind.convolutional else [flatten(), *body]
    return serial(*ends, dense(classes, w_init=initializers.lecun))


def dead_share(model: Layer, activation: str, params: Any, x: jax.Array) -> jax.Array:
    """Share of units whose activation has a slope below FLAT on all images x.

    A unit is an entry of a dense layer, or a channel of a convolution at all its positions.
    """
    dead = []
    for name, layer in model.parts:
        f = _of(layer, params.get(name, {}))
        if layer.name == activation:
            slope = jax.grad(lambda x, f=f: f(x).sum())(x)
            dead.append(jnp.abs(slope).max(range(x.ndim - 1)) < FLAT)
        x = f(x)
    return jnp.concatenate(dead).mean()


def _of(layer, params):
    return lambda x: layer.apply(params, {}, x)[0]
