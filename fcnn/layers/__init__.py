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
    avg_pool,
    flatten,
    global_avg_pool,
    identity,
    log_softmax,
    lp_pool,
    max_pool,
    min_max_scale,
    relu,
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
    "avg_pool",
    "batch_norm",
    "classic_dropout",
    "conv",
    "dense",
    "dropout",
    "flatten",
    "global_avg_pool",
    "gru",
    "group_norm",
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
    "rnn",
    "rms_norm",
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
