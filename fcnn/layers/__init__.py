"""Level 3: layers, which are operators with parameters, and their combinations."""

import types

from fcnn.layers import initializers as initializers
from fcnn.layers.activation import frelu as frelu
from fcnn.layers.activation import prelu as prelu
from fcnn.layers.attention import embedding as embedding
from fcnn.layers.attention import multi_head_attention as multi_head_attention
from fcnn.layers.combinators import repeat as repeat
from fcnn.layers.combinators import residual as residual
from fcnn.layers.combinators import serial as serial
from fcnn.layers.convolution import conv as conv
from fcnn.layers.convolution import conv_transpose as conv_transpose
from fcnn.layers.convolution import separable_conv as separable_conv
from fcnn.layers.dense import dense as dense
from fcnn.layers.dropout import classic_dropout as classic_dropout
from fcnn.layers.dropout import dropout as dropout
from fcnn.layers.dropout import spatial_dropout as spatial_dropout
from fcnn.layers.dropout import stochastic_depth as stochastic_depth
from fcnn.layers.layer import Layer as Layer
from fcnn.layers.layer import shapes as shapes
from fcnn.layers.layer import stateless as stateless
from fcnn.layers.normalization import batch_norm as batch_norm
from fcnn.layers.normalization import group_norm as group_norm
from fcnn.layers.normalization import instance_norm as instance_norm
from fcnn.layers.normalization import layer_norm as layer_norm
from fcnn.layers.normalization import rms_norm as rms_norm
from fcnn.layers.parameter_free import *
from fcnn.layers.recurrent import gru as gru
from fcnn.layers.recurrent import lstm as lstm
from fcnn.layers.recurrent import rnn as rnn
from fcnn.layers.summary import Summary as Summary
from fcnn.layers.summary import summary as summary

__all__ = ["initializers"]
__all__ += [
    name
    for name, value in list(vars().items())
    if not (name.startswith("_") or isinstance(value, types.ModuleType))
]
