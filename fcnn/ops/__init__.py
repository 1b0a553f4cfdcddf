"""Level 1: arrays in, arrays out. Every operator imported here stands in OPS, in this order."""

from fcnn.ops.activation.elu import (
    celu,
    elu,
    hard_sigmoid,
    hard_tanh,
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
from fcnn.ops.activation.frelu import frelu, prelu
from fcnn.ops.activation.gelu import gelu, hard_swish, mish, silu
from fcnn.ops.activation.glu import glu, swiglu
from fcnn.ops.activation.identity import identity
from fcnn.ops.activation.softmax import log_softmax, softmax
from fcnn.ops.attention.dot_product_attention import dot_product_attention
from fcnn.ops.attention.embedding import embedding, one_hot
from fcnn.ops.attention.multi_head_attention import multi_head_attention
from fcnn.ops.attention.positions import positional_encoding, rotary_embedding
from fcnn.ops.convolution.conv import conv
from fcnn.ops.convolution.conv_transpose import conv_transpose
from fcnn.ops.convolution.im2col import col2im, im2col
from fcnn.ops.convolution.separable_conv import separable_conv
from fcnn.ops.convolution.weight_standardization import weight_standardization
from fcnn.ops.dense import dense
from fcnn.ops.dropout import classic_dropout, dropout, spatial_dropout, stochastic_depth
from fcnn.ops.loss.binary_cross_entropy import focal, sigmoid_cross_entropy
from fcnn.ops.loss.cross_entropy import nll, softmax_cross_entropy
from fcnn.ops.loss.hinge import hinge
from fcnn.ops.loss.kl_divergence import kl_divergence, soft_cross_entropy
from fcnn.ops.loss.regression import (
    absolute_error,
    huber,
    l2_penalty,
    mean_squared_error,
    squared_error,
)
from fcnn.ops.normalization.batch_norm import batch_norm
from fcnn.ops.normalization.layer_norm import group_norm, instance_norm, layer_norm, rms_norm
from fcnn.ops.normalization.min_max_scale import min_max_scale
from fcnn.ops.op import Case, Op, Shape, gradients, implementations, operator
from fcnn.ops.pooling.adaptive_pooling import adaptive_avg_pool, adaptive_max_pool
from fcnn.ops.pooling.global_pooling import global_avg_pool, global_max_pool
from fcnn.ops.pooling.lp_pool import lp_pool
from fcnn.ops.pooling.max_unpool import max_pool_with_indices, max_unpool
from fcnn.ops.pooling.pooling import avg_pool, max_pool
from fcnn.ops.pooling.resize import resize_linear, resize_nearest
from fcnn.ops.recurrent.gru import gru
from fcnn.ops.recurrent.lstm import lstm
from fcnn.ops.recurrent.rnn import rnn

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
