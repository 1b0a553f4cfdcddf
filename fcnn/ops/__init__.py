"""Level 1: arrays in, arrays out. Every operator imported here stands in OPS, in this order."""

from fcnn.ops.activation import identity, log_softmax, relu, sigmoid, softmax, tanh
from fcnn.ops.affine import dense
from fcnn.ops.convolution import conv
from fcnn.ops.loss import softmax_cross_entropy, squared_error
from fcnn.ops.normalization import batch_norm, layer_norm
from fcnn.ops.op import Case, Op, Shape, gradients, implementations, operator
from fcnn.ops.patches import col2im, im2col
from fcnn.ops.pooling import avg_pool, global_avg_pool, lp_pool, max_pool
from fcnn.ops.separable import separable_conv
from fcnn.ops.standardization import weight_standardization
from fcnn.ops.stochastic import dropout
from fcnn.ops.transposed import conv_transpose

OPS = tuple(value for value in list(vars().values()) if isinstance(value, Op))

__all__ = [
    "OPS",
    "Case",
    "Op",
    "Shape",
    "avg_pool",
    "batch_norm",
    "col2im",
    "conv",
    "conv_transpose",
    "dense",
    "dropout",
    "global_avg_pool",
    "gradients",
    "identity",
    "im2col",
    "implementations",
    "layer_norm",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "operator",
    "relu",
    "separable_conv",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
    "weight_standardization",
]
