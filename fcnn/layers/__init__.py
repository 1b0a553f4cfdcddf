"""Level 3: operators with parameters, and how to put them together."""

from fcnn.layers import initializers
from fcnn.layers.combinators import residual, serial
from fcnn.layers.layer import Layer, shapes, stateless
from fcnn.layers.learned import conv, dense
from fcnn.layers.normalizing import batch_norm, layer_norm
from fcnn.layers.plain import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    dropout,
    flatten,
    global_avg_pool,
    global_max_pool,
    identity,
    log_softmax,
    lp_pool,
    max_pool,
    relu,
    resize_linear,
    resize_nearest,
    sigmoid,
    softmax,
    tanh,
)
from fcnn.layers.summary import Summary, summary

__all__ = [
    "Layer",
    "Summary",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "batch_norm",
    "conv",
    "dense",
    "dropout",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "identity",
    "initializers",
    "layer_norm",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "relu",
    "residual",
    "resize_linear",
    "resize_nearest",
    "serial",
    "shapes",
    "sigmoid",
    "softmax",
    "stateless",
    "summary",
    "tanh",
]
