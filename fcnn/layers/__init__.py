"""Level 3: layers, which are operators with parameters, and their combinations."""

import types

from fcnn.layers import initializers as initializers
from fcnn.layers.activation import frelu as frelu, prelu as prelu
from fcnn.layers.attention import multi_head_attention as multi_head_attention
from fcnn.layers.bidirectional import bidirectional as bidirectional
from fcnn.layers.call import Call as Call, Plan as Plan
from fcnn.layers.combinators import (
    parallel as parallel,
    residual as residual,
    serial as serial,
)
from fcnn.layers.convolution import (
    conv as conv,
    conv_transpose as conv_transpose,
    separable_conv as separable_conv,
)
from fcnn.layers.dense import dense as dense
from fcnn.layers.dropout import (
    classic_dropout as classic_dropout,
    dropout as dropout,
    spatial_dropout as spatial_dropout,
    stochastic_depth as stochastic_depth,
)
from fcnn.layers.embedding import embedding as embedding
from fcnn.layers.global_pooling import (
    global_avg_pool as global_avg_pool,
    global_max_pool as global_max_pool,
)
from fcnn.layers.layer import Layer as Layer
from fcnn.layers.leaf import leaf as leaf, stateless as stateless, with_state as with_state
from fcnn.layers.normalization import (
    batch_norm as batch_norm,
    group_norm as group_norm,
    instance_norm as instance_norm,
    layer_norm as layer_norm,
    rms_norm as rms_norm,
)
from fcnn.layers.parameter_free import *
from fcnn.layers.paths import matches as matches, replace as replace, select as select
from fcnn.layers.positions import positional_encoding as positional_encoding
from fcnn.layers.precision import precision as precision
from fcnn.layers.recurrent import gru as gru, lstm as lstm, rnn as rnn
from fcnn.layers.remat import remat as remat
from fcnn.layers.repeat import repeat as repeat
from fcnn.layers.shapes import shapes as shapes
from fcnn.layers.summary import Summary as Summary, summary as summary

__all__ = ["initializers"]
__all__ += [
    name
    for name, value in list(vars().items())
    if not (name.startswith("_") or isinstance(value, types.ModuleType))
]
