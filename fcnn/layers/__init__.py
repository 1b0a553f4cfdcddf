"""Level 3: operators with parameters, and how to put them together."""

from fcnn.layers import initializers
from fcnn.layers.combinators import residual, serial
from fcnn.layers.convolving import conv_transpose, separable_conv
from fcnn.layers.layer import Layer, shapes, stateless
from fcnn.layers.learned import conv, dense
from fcnn.layers.normalizing import batch_norm, layer_norm
from fcnn.layers.plain import (
    avg_pool,
    dropout,
    flatten,
    global_avg_pool,
    identity,
    log_softmax,
    lp_pool,
    max_pool,
    relu,
    sigmoid,
    softmax,
    tanh,
)
from fcnn.layers.summary import Summary, summary

__all__ = [
    "Layer",
    "Summary",
    "avg_pool",
    "batch_norm",
    "conv",
    "conv_transpose",
    "dense",
    "dropout",
    "flatten",
    "global_avg_pool",
    "identity",
    "initializers",
    "layer_norm",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "relu",
    "residual",
    "separable_conv",
    "serial",
    "shapes",
    "sigmoid",
    "softmax",
    "stateless",
    "summary",
    "tanh",
]
