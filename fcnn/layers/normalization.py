"""Normalization with its parameters, and with running statistics as state."""

from collections.abc import Callable

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers.layer import Layer


def batch_norm(
    *, momentum: float = 0.9, eps: float = 1e-5, axis_name: str | tuple[str, ...] | None = None
) -> Layer:
    """`fcnn.batch_norm`: scale and bias are parameters, the running mean and var are state."""

    def init(key, shape):
        c = shape[-1]
        return _affine(key, shape)[0], {"mean": jnp.zeros(c), "var": jnp.ones(c)}

    def apply(params, state, x, *, key=None, train=False):
        if not state:
            raise ValueError(
                "batch_norm: no running statistics; write params, state = model.init(key, shape) "
                "and hand on the state that each model.apply returns"
            )
        how = {"train": train, "momentum": momentum, "eps": eps, "axis_name": axis_name}
        y, mean, var = ops.batch_norm(x, **params, **state, **how)
        return y, {"mean": mean, "var": var}

    return Layer("batch_norm", init, apply)


def layer_norm(*, eps: float = 1e-5) -> Layer:
    """`fcnn.layer_norm` over the last axis, with its scale and bias."""
    return _layer("layer_norm", lambda x, p: ops.layer_norm(x, **p, eps=eps))


def instance_norm(*, eps: float = 1e-5) -> Layer:
    """`fcnn.instance_norm` of each channel over space, with its scale and bias."""
    return _layer("instance_norm", lambda x, p: ops.instance_norm(x, **p, eps=eps))


def group_norm(groups: int, *, eps: float = 1e-5) -> Layer:
    """`fcnn.group_norm` with its scale and bias."""
    return _layer("group_norm", lambda x, p: ops.group_norm(x, **p, groups=groups, eps=eps))


def rms_norm(*, eps: float = 1e-6) -> Layer:
    """`fcnn.rms_norm` over the last axis, with its scale."""

    def init(key, shape):
        return {"scale": jnp.ones(shape[-1])}, {}

    return _layer("rms_norm", lambda x, p: ops.rms_norm(x, **p, eps=eps), init)


def _affine(key, shape):
    return {"scale": jnp.ones(shape[-1]), "bias": jnp.zeros(shape[-1])}, {}


def _layer(name: str, f: Callable, init: Callable = _affine) -> Layer:
    def apply(params, state, x, *, key=None, train=False):
        return f(x, params), {}

    return Layer(name, init, apply)
