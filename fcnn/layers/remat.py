"""Rematerialization: the backward pass computes the activations of a block again."""

import dataclasses

import jax

from fcnn.layers.combinators import require_layer
from fcnn.layers.layer import Layer
from fcnn.ops.validation import named


def remat(block: Layer) -> Layer:
    """The same layer, whose activations are computed again in the backward pass, and not stored.

    Inside `jax.checkpoint`, JAX differentiates the plain forward pass, so the gradient of the block
    is autodiff's.

    Shapes: those of the block.
    Options:
        block: a layer, for example the block of `repeat`.
    Raises: TypeError if the argument is not a layer.
    Cost:   one more forward pass of the block; memory for x instead of all activations inside.
    Source: Chen et al., arXiv:1604.06174.

    >>> model = fcnn.layers.repeat(fcnn.layers.remat(fcnn.layers.dense(3)), 4)
    >>> fcnn.layers.shapes(model, (3,))[2].shape
    (3,)
    """
    with named("remat"):
        require_layer(block)
    return dataclasses.replace(block, forward=jax.checkpoint(block.forward), parts=block.parts)
