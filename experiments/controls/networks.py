"""The networks: dense and convolutional ones of fc_vs_conv, and two between or beside them."""

import math
from collections.abc import Callable

import jax.numpy as jnp

import fcnn
from experiments.framework.sized import nearest
from fcnn.layers import (
    Layer,
    conv,
    dense,
    flatten,
    initializers,
    leaf,
    max_pool,
    relu,
    serial,
    tanh,
)
from fcnn.models import ladder, mlp


def networks(shape: tuple[int, ...], classes: int, width: int) -> dict[str, Layer]:
    """The networks by name, for images of this shape.

    dense, conv3   three dense or three convolutional stages, with equal numbers of parameters
    dense-wide     dense, with as many multiply-adds as conv3
    local3         conv3 with separate weights at each pixel, and fewer channels: as many parameters
    dense-tanh, conv3-tanh   the same networks with tanh in place of relu
    """
    rungs = ladder(shape, classes, width=width)
    of = fcnn.summary(rungs["conv3"], shape)
    parameters = lambda net: fcnn.summary(net, shape).parameters
    multiply_adds = lambda net: fcnn.summary(net, shape).multiply_adds
    flat = lambda k, activation=relu: mlp((k, k, k), classes, activation=activation)
    rows = fcnn.summary(rungs["dense"], shape).rows
    (hidden,) = next(row.output for row in rows if row.path == "dense1")
    wide = nearest(flat, multiply_adds, of.multiply_adds)
    local = nearest(lambda k: local_net(k, classes), parameters, of.parameters)
    return {
        "dense": rungs["dense"],
        "conv3": rungs["conv3"],
        "dense-wide": flat(wide),
        "local3": local_net(local, classes),
        "dense-tanh": flat(hidden, tanh),
        "conv3-tanh": conv_net(width, classes, tanh),
    }


def conv_net(width: int, classes: int, activation: Callable[[], Layer]) -> Layer:
    kernels = [conv(width * 2**i, (3, 3)) for i in range(3)]
    return _in_stages(kernels, classes, activation)


def local_net(width: int, classes: int) -> Layer:
    return _in_stages([locally_connected(width * 2**i) for i in range(3)], classes, relu)


def _in_stages(layers, classes, activation):
    first, second, third = layers
    stages = [first, activation(), max_pool(2), second, activation(), max_pool(2)]
    head = [flatten(), dense(classes, w_init=initializers.lecun)]
    return serial(*stages, third, activation(), *head)


def locally_connected(features: int) -> Layer:
    """A 3×3 convolution, padded to the same size, whose weights differ from pixel to pixel.

        y[n,h,w,o] = b[h,w,o] + sum_ijc x[n,h+i-1,w+j-1,c] k[h,w,i,j,c,o]

    Shapes: x (n, h, w, c) -> y (n, h, w, features).
    """

    def init(key, x):
        _, h, w, c = x.shape
        fan_in = 9 * c
        each = initializers.normal(math.sqrt(2 / fan_in))(key, (h, w, fan_in, features))
        return {"k": each, "b": jnp.zeros((h, w, features), each.dtype)}

    def f(params, x, call):
        windows = fcnn.im2col(x, (3, 3), padding="same")
        return jnp.einsum("nhwi,hwio->nhwo", windows, params["k"]) + params["b"][None]

    return leaf(
        "locally_connected",
        f,
        init,
        parameters=("k", "b"),
        positions="mixed",
        multiply_adds=lambda x, y, plan: math.prod(y.shape[1:]) * 9 * x.shape[-1],
    )
