"""Normalization with its parameters, and with running statistics as state."""

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers.layer import Layer


def batch_norm(*, momentum: float = 0.9, eps: float = 1e-5) -> Layer:
    """`fcnn.batch_norm`: scale and bias are parameters, the running mean and var are state."""

    def init(key, shape):
        c = shape[-1]
        affine = {"scale": jnp.ones(c), "bias": jnp.zeros(c)}
        return affine, {"mean": jnp.zeros(c), "var": jnp.ones(c)}

    def apply(params, state, x, *, key=None, train=False):
        if not state:
            raise ValueError(
                "batch_norm: no running statistics; write params, state = model.init(key, shape) "
                "and hand on the state that each model.apply returns"
            )
        how = {"train": train, "momentum": momentum, "eps": eps}
        y, mean, var = ops.batch_norm(x, **params, **state, **how)
        return y, {"mean": mean, "var": var}

    return Layer("batch_norm", init, apply)


def layer_norm(*, eps: float = 1e-5) -> Layer:
    """`fcnn.layer_norm` over the last axis, with its scale and bias."""

    def init(key, shape):
        return {"scale": jnp.ones(shape[-1]), "bias": jnp.zeros(shape[-1])}, {}

    def apply(params, state, x, *, key=None, train=False):
        return ops.layer_norm(x, **params, eps=eps), {}

    return Layer("layer_norm", init, apply)
