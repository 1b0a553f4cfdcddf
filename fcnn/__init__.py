"""Neural networks as pure functions, each operator with the gradient derived for it by hand.

Levels, each importing only from those before it: ops, check and bench, layers, models and data,
training.
"""

from fcnn import data, layers, models, ops, training
from fcnn.layers import Layer, summary
from fcnn.ops import (
    avg_pool,
    batch_norm,
    col2im,
    conv,
    dense,
    dropout,
    global_avg_pool,
    gradients,
    identity,
    im2col,
    implementations,
    layer_norm,
    log_softmax,
    lp_pool,
    max_pool,
    relu,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    squared_error,
    tanh,
)

__all__ = [
    "Layer",
    "avg_pool",
    "batch_norm",
    "col2im",
    "conv",
    "data",
    "dense",
    "dropout",
    "global_avg_pool",
    "gradients",
    "identity",
    "im2col",
    "implementations",
    "layer_norm",
    "layers",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "models",
    "ops",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
    "summary",
    "tanh",
    "training",
]
