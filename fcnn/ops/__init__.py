"""Level 1: arrays in, arrays out. Every operator imported here stands in OPS, in this order."""

from fcnn.ops.activation import identity, log_softmax, relu, sigmoid, softmax, tanh
from fcnn.ops.affine import dense
from fcnn.ops.attention import dot_product_attention
from fcnn.ops.convolution import conv
from fcnn.ops.lookup import embedding, one_hot
from fcnn.ops.loss import softmax_cross_entropy, squared_error
from fcnn.ops.multi_head import multi_head_attention
from fcnn.ops.normalization import batch_norm, layer_norm
from fcnn.ops.op import Case, Op, Shape, gradients, implementations, operator
from fcnn.ops.patches import col2im, im2col
from fcnn.ops.pooling import avg_pool, global_avg_pool, lp_pool, max_pool
from fcnn.ops.position import positional_encoding, rotary_embedding
from fcnn.ops.stochastic import dropout

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
    "dense",
    "dot_product_attention",
    "dropout",
    "embedding",
    "global_avg_pool",
    "gradients",
    "identity",
    "im2col",
    "implementations",
    "layer_norm",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "multi_head_attention",
    "one_hot",
    "operator",
    "positional_encoding",
    "relu",
    "rotary_embedding",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
]
