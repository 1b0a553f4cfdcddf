"""Normalization layers: scale and bias as parameters, running statistics as state."""

from collections.abc import Callable

import jax.numpy as jnp

from fcnn import ops
from fcnn.layers.call import PADDING, real
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf, with_state


def batch_norm(
    *, momentum: float = 0.9, eps: float = 1e-5, axis_name: str | tuple[str, ...] | None = None
) -> Layer:
    """`fcnn.batch_norm` with its parameters and running statistics.

    While training, x is normalized with the statistics of the batch, and `apply` returns running
    statistics that have moved towards the statistics of the batch. In evaluation mode, x is
    normalized with the running statistics.

    Shapes: x (n, *size, c) -> y (n, *size, c); params: scale (c,), bias (c,);
            state: mean (c,), var (c,). Reads: mask (n, *size) and lengths (n,), which leave padding
            out of the statistics of the batch.
    Options:
        momentum: weight of the old running statistics.
        eps: added to the variance.
        axis_name: mapped axes over which the batch is divided; the statistics include all parts.
    Raises: ValueError if `apply` is called without state.
    Source: Ioffe & Szegedy, arXiv:1502.03167.

    >>> norm = fcnn.layers.batch_norm(momentum=0.5)
    >>> params, state = norm.init(jax.random.key(0), (1,))
    >>> _, state = norm.apply(params, state, jnp.array([[1.0], [5.0]]), train=True)
    >>> state["mean"]
    Array([1.5], dtype=float32)
    """

    def init(key, x, plan):
        c = x.shape[-1]
        return _affine(key, x), {"mean": jnp.zeros(c), "var": jnp.ones(c)}

    def forward(params, state, x, call):
        options = {"train": call.train, "momentum": momentum, "eps": eps, "axis_name": axis_name}
        mask = real(call, x) if call.train else None
        y, mean, var = ops.batch_norm(x, **params, **state, mask=mask, **options)
        return y, {"mean": mean, "var": var}

    return with_state(
        "batch_norm",
        forward,
        init,
        parameters=("scale", "bias"),
        state=("mean", "var"),
        reads=PADDING,
        positions="mixed",
        decodes=True,
    )


def layer_norm(*, eps: float = 1e-5) -> Layer:
    """`fcnn.layer_norm` over the last axis, with its parameters.

    Shapes: x (n, *axes, c) -> y (n, *axes, c); params: scale (c,), bias (c,).
    Options:
        eps: added to the variance.
    Source: Ba, Kiros & Hinton, arXiv:1607.06450.

    >>> norm = fcnn.layers.layer_norm()
    >>> params, state = norm.init(jax.random.key(0), (2,))
    >>> norm.apply(params, state, jnp.array([[10.0, 30.0]]))[0].round(3)
    Array([[-1.,  1.]], dtype=float32)
    """
    return _layer("layer_norm", lambda x, p: ops.layer_norm(x, **p, eps=eps))


def instance_norm(*, eps: float = 1e-5) -> Layer:
    """`fcnn.instance_norm` of each channel over space, with its parameters.

    Shapes: x (n, *size, c) -> y (n, *size, c); params: scale (c,), bias (c,).
    Options:
        eps: added to the variance.
    Source: Ulyanov, Vedaldi & Lempitsky, arXiv:1607.08022.

    >>> norm = fcnn.layers.instance_norm()
    >>> params, state = norm.init(jax.random.key(0), (2, 1))
    >>> norm.apply(params, state, jnp.array([[[10.0], [30.0]]]))[0].round(3).ravel()
    Array([-1.,  1.], dtype=float32)
    """
    return _layer("instance_norm", lambda x, p: ops.instance_norm(x, **p, eps=eps), "mixed")


def group_norm(groups: int, *, eps: float = 1e-5) -> Layer:
    """`fcnn.group_norm` over space and the channels of a group, with its parameters.

    Shapes: x (n, *size, c) -> y (n, *size, c); params: scale (c,), bias (c,).
    Options:
        groups: number of groups of channels; divides c.
        eps: added to the variance.
    Raises: ValueError from `apply` if `groups` does not divide c.
    Source: Wu & He, arXiv:1803.08494.

    >>> norm = fcnn.layers.group_norm(2)
    >>> params, state = norm.init(jax.random.key(0), (1, 4))
    >>> norm.apply(params, state, jnp.array([[[1.0, 3.0, 20.0, 40.0]]]))[0].round(3).ravel()
    Array([-1.,  1., -1.,  1.], dtype=float32)
    """
    return _layer(
        "group_norm", lambda x, p: ops.group_norm(x, **p, groups=groups, eps=eps), "mixed"
    )


def rms_norm(*, eps: float = 1e-6) -> Layer:
    """`fcnn.rms_norm` over the last axis, with its scale.

    Shapes: x (n, *axes, c) -> y (n, *axes, c); params: scale (c,).
    Options:
        eps: added to the mean square.
    Source: Zhang & Sennrich, arXiv:1910.07467.

    >>> norm = fcnn.layers.rms_norm()
    >>> params, state = norm.init(jax.random.key(0), (2,))
    >>> norm.apply(params, state, jnp.array([[10.0, -10.0]]))[0].round(3)
    Array([[ 1., -1.]], dtype=float32)
    """

    return leaf(
        "rms_norm",
        lambda params, x, call: ops.rms_norm(x, **params, eps=eps),
        lambda key, x: {"scale": jnp.ones(x.shape[-1])},
        parameters=("scale",),
    )


def _affine(key, x):
    return {"scale": jnp.ones(x.shape[-1]), "bias": jnp.zeros(x.shape[-1])}


def _layer(name: str, f: Callable, positions: str = "each") -> Layer:
    return leaf(
        name,
        lambda params, x, call: f(x, params),
        _affine,
        parameters=("scale", "bias"),
        positions=positions,
    )
