"""Level 1: arrays in, arrays out. Every operator imported here stands in OPS, in this order."""

from fcnn.ops.activation.gate import glu, swiglu
from fcnn.ops.activation.monotone import (
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
from fcnn.ops.activation.rectifier import frelu, prelu
from fcnn.ops.activation.self_gated import gelu, hard_swish, mish, silu
from fcnn.ops.activation.simplex import log_softmax, softmax
from fcnn.ops.affine import dense
from fcnn.ops.attention.attention import dot_product_attention
from fcnn.ops.attention.lookup import embedding, one_hot
from fcnn.ops.attention.multi_head import multi_head_attention
from fcnn.ops.attention.position import positional_encoding, rotary_embedding
from fcnn.ops.convolution.convolution import conv
from fcnn.ops.convolution.patches import col2im, im2col
from fcnn.ops.convolution.separable import separable_conv
from fcnn.ops.convolution.standardization import weight_standardization
from fcnn.ops.convolution.transposed import conv_transpose
from fcnn.ops.loss.binary import focal, sigmoid_cross_entropy
from fcnn.ops.loss.classes import nll, softmax_cross_entropy
from fcnn.ops.loss.distance import (
    absolute_error,
    huber,
    l2_penalty,
    mean_squared_error,
    squared_error,
)
from fcnn.ops.loss.entropy import kl_divergence, soft_cross_entropy
from fcnn.ops.loss.margin import hinge
from fcnn.ops.normalization.batch import batch_norm
from fcnn.ops.normalization.example import group_norm, instance_norm, layer_norm, rms_norm
from fcnn.ops.normalization.scaling import min_max_scale
from fcnn.ops.op import Case, Op, Shape, gradients, implementations, operator
from fcnn.ops.pooling.adaptive import (
    adaptive_avg_pool,
    adaptive_max_pool,
    global_avg_pool,
    global_max_pool,
)
from fcnn.ops.pooling.norm_pooling import lp_pool
from fcnn.ops.pooling.pooling import avg_pool, max_pool
from fcnn.ops.pooling.resizing import resize_linear, resize_nearest
from fcnn.ops.pooling.unpooling import max_pool_with_indices, max_unpool
from fcnn.ops.recurrent.gated import gru
from fcnn.ops.recurrent.memory import lstm
from fcnn.ops.recurrent.plain import rnn
from fcnn.ops.stochastic import classic_dropout, dropout, spatial_dropout, stochastic_depth

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
