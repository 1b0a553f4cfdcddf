"""Level 1: operators, pure functions of arrays.

Every operator is imported here, as `name as name`, which makes it public. OPS lists
them in the order of their modules.
"""

import inspect

from fcnn.ops.activation.elu import celu as celu, elu as elu, selu as selu
from fcnn.ops.activation.frelu import frelu as frelu
from fcnn.ops.activation.gelu import (
    gelu as gelu,
    hard_swish as hard_swish,
    mish as mish,
    silu as silu,
)
from fcnn.ops.activation.glu import glu as glu, swiglu as swiglu
from fcnn.ops.activation.identity import identity as identity
from fcnn.ops.activation.relu import (
    leaky_relu as leaky_relu,
    prelu as prelu,
    relu as relu,
    relu6 as relu6,
)
from fcnn.ops.activation.sigmoid import (
    hard_sigmoid as hard_sigmoid,
    log_sigmoid as log_sigmoid,
    sigmoid as sigmoid,
)
from fcnn.ops.activation.softmax import log_softmax as log_softmax, softmax as softmax
from fcnn.ops.activation.softplus import softplus as softplus, squareplus as squareplus
from fcnn.ops.activation.tanh import hard_tanh as hard_tanh, softsign as softsign, tanh as tanh
from fcnn.ops.attention.attention_weights import attention_weights as attention_weights
from fcnn.ops.attention.dot_product_attention import dot_product_attention as dot_product_attention
from fcnn.ops.attention.embedding import embedding as embedding, one_hot as one_hot
from fcnn.ops.attention.multi_head_attention import multi_head_attention as multi_head_attention
from fcnn.ops.attention.positional_encoding import positional_encoding as positional_encoding
from fcnn.ops.attention.rotary_embedding import rotary_embedding as rotary_embedding
from fcnn.ops.case import Case as Case
from fcnn.ops.contexts import gradients as gradients, implementations as implementations
from fcnn.ops.convolution.conv import conv as conv
from fcnn.ops.convolution.conv_transpose import conv_transpose as conv_transpose
from fcnn.ops.convolution.im2col import col2im as col2im, im2col as im2col
from fcnn.ops.convolution.separable_conv import separable_conv as separable_conv
from fcnn.ops.convolution.weight_standardization import (
    weight_standardization as weight_standardization,
)
from fcnn.ops.custom_gradient import custom_gradient as custom_gradient
from fcnn.ops.dense import dense as dense
from fcnn.ops.dropout import (
    classic_dropout as classic_dropout,
    dropout as dropout,
    spatial_dropout as spatial_dropout,
    stochastic_depth as stochastic_depth,
)
from fcnn.ops.loss.binary_cross_entropy import (
    focal as focal,
    sigmoid_cross_entropy as sigmoid_cross_entropy,
)
from fcnn.ops.loss.cross_entropy import (
    nll as nll,
    soft_cross_entropy as soft_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
)
from fcnn.ops.loss.hinge import hinge as hinge
from fcnn.ops.loss.kl_divergence import kl_divergence as kl_divergence
from fcnn.ops.loss.regression import (
    absolute_error as absolute_error,
    huber as huber,
    l2_penalty as l2_penalty,
    mean_squared_error as mean_squared_error,
    squared_error as squared_error,
)
from fcnn.ops.normalization.batch_norm import batch_norm as batch_norm
from fcnn.ops.normalization.layer_norm import (
    group_norm as group_norm,
    instance_norm as instance_norm,
    layer_norm as layer_norm,
    rms_norm as rms_norm,
)
from fcnn.ops.normalization.min_max_scale import min_max_scale as min_max_scale
from fcnn.ops.op import Op as Op, Shape as Shape, operator as operator
from fcnn.ops.pooling.adaptive_pooling import (
    adaptive_avg_pool as adaptive_avg_pool,
    adaptive_max_pool as adaptive_max_pool,
)
from fcnn.ops.pooling.global_pooling import (
    global_avg_pool as global_avg_pool,
    global_max_pool as global_max_pool,
)
from fcnn.ops.pooling.lp_pool import lp_pool as lp_pool
from fcnn.ops.pooling.max_unpool import (
    max_pool_with_indices as max_pool_with_indices,
    max_unpool as max_unpool,
)
from fcnn.ops.pooling.pooling import avg_pool as avg_pool, max_pool as max_pool
from fcnn.ops.pooling.resize import resize_linear as resize_linear, resize_nearest as resize_nearest
from fcnn.ops.recurrent.gru import gru as gru
from fcnn.ops.recurrent.lstm import lstm as lstm
from fcnn.ops.recurrent.rnn import rnn as rnn

OPS = tuple(
    sorted(
        (value for value in vars().values() if isinstance(value, Op)),
        key=lambda op: op.forward.__module__,
    )
)
__all__ = [k for k, v in vars().items() if not k.startswith("_") and not inspect.ismodule(v)]
