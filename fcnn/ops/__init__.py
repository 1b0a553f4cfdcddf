"""Level 1: arrays in, arrays out. Every operator imported here stands in OPS, in this order."""

from fcnn.ops.activation import (
    celu,
    elu,
    hard_sigmoid,
    hard_tanh,
    identity,
    leaky_relu,
    log_sigmoid,
    relu,
    relu6,
    selu,
    sigmoid,
    softplus,
    softsign,
    squareplus,
    tanh,
)
from fcnn.ops.adaptive import adaptive_avg_pool, adaptive_max_pool, global_avg_pool, global_max_pool
from fcnn.ops.affine import dense
from fcnn.ops.attention import dot_product_attention
from fcnn.ops.batch_statistics import batch_norm
from fcnn.ops.binary import focal, sigmoid_cross_entropy
from fcnn.ops.classes import hinge, nll, softmax_cross_entropy
from fcnn.ops.convolution import conv
from fcnn.ops.entropy import kl_divergence, soft_cross_entropy
from fcnn.ops.gate import glu, swiglu
from fcnn.ops.lookup import embedding, one_hot
from fcnn.ops.loss import absolute_error, huber, l2_penalty, mean_squared_error, squared_error
from fcnn.ops.multi_head import multi_head_attention
from fcnn.ops.norm_pooling import lp_pool
from fcnn.ops.normalization import group_norm, instance_norm, layer_norm, rms_norm
from fcnn.ops.op import Case, Op, Shape, gradients, implementations, operator
from fcnn.ops.patches import col2im, im2col
from fcnn.ops.pooling import avg_pool, max_pool
from fcnn.ops.position import positional_encoding, rotary_embedding
from fcnn.ops.rectifier import frelu, prelu
from fcnn.ops.recurrence_gated import gru
from fcnn.ops.recurrence_memory import lstm
from fcnn.ops.recurrence_plain import rnn
from fcnn.ops.resizing import resize_linear, resize_nearest
from fcnn.ops.scaling import min_max_scale
from fcnn.ops.self_gated import gelu, hard_swish, mish, silu
from fcnn.ops.separable import separable_conv
from fcnn.ops.simplex import log_softmax, softmax
from fcnn.ops.standardization import weight_standardization
from fcnn.ops.stochastic import classic_dropout, dropout, spatial_dropout, stochastic_depth
from fcnn.ops.transposed import conv_transpose
from fcnn.ops.unpooling import max_pool_with_indices, max_unpool

OPS = tuple(value for value in list(vars().values()) if isinstance(value, Op))

__all__ = [
    "OPS",
    "Case",
    "Op",
    "Shape",
    "absolute_error",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "avg_pool",
    "batch_norm",
    "celu",
    "classic_dropout",
    "col2im",
    "conv",
    "conv_transpose",
    "dense",
    "dot_product_attention",
    "dropout",
    "elu",
    "embedding",
    "focal",
    "frelu",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "glu",
    "gradients",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "hinge",
    "huber",
    "identity",
    "im2col",
    "implementations",
    "instance_norm",
    "kl_divergence",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "lp_pool",
    "lstm",
    "max_pool",
    "max_pool_with_indices",
    "max_unpool",
    "mean_squared_error",
    "min_max_scale",
    "mish",
    "multi_head_attention",
    "nll",
    "one_hot",
    "operator",
    "positional_encoding",
    "prelu",
    "relu",
    "relu6",
    "resize_linear",
    "resize_nearest",
    "rms_norm",
    "rnn",
    "rotary_embedding",
    "selu",
    "separable_conv",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "soft_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
    "spatial_dropout",
    "squared_error",
    "squareplus",
    "stochastic_depth",
    "swiglu",
    "tanh",
    "weight_standardization",
]
