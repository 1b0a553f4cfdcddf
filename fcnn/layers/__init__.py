"""Level 3: operators with parameters, and how to put them together."""

from fcnn.layers import initializers
from fcnn.layers.combinators import residual, serial
from fcnn.layers.layer import Layer, shapes, stateless
from fcnn.layers.learned import conv, dense
from fcnn.layers.normalizing import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from fcnn.layers.plain import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    flatten,
    global_avg_pool,
    global_max_pool,
    identity,
    log_softmax,
    lp_pool,
    max_pool,
    min_max_scale,
    relu,
    resize_linear,
    resize_nearest,
    sigmoid,
    softmax,
    tanh,
)
from fcnn.layers.recurrent import gru, lstm, rnn
from fcnn.layers.stochastic import (
    classic_dropout,
    dropout,
    spatial_dropout,
    stochastic_depth,
)
from fcnn.layers.summary import Summary, summary

__all__ = [
    "Layer",
    "Summary",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "batch_norm",
    "classic_dropout",
    "conv",
    "dense",
    "dropout",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "gru",
    "identity",
    "initializers",
    "instance_norm",
    "layer_norm",
    "log_softmax",
    "lp_pool",
    "lstm",
    "max_pool",
    "min_max_scale",
    "relu",
    "residual",
    "resize_linear",
    "resize_nearest",
    "rms_norm",
    "rnn",
    "serial",
    "shapes",
    "sigmoid",
    "softmax",
    "spatial_dropout",
    "stateless",
    "stochastic_depth",
    "summary",
    "tanh",
]
