"""Initializers of parameters: (key, shape) -> array, for kernels of any rank.

    fans            variances from the numbers of inputs and outputs: he, glorot, lecun
    distributions   any shape: normal, truncated, uniform, constant, zeros, ones
    kernels         identity, orthogonal, and grouped, which draws each group separately

Raises: ValueError for a shape without fans, or a negative scale; TypeError if `key` is not a key.
"""

from fcnn.layers.initializers.distributions import (
    Initializer as Initializer,
    constant as constant,
    normal as normal,
    ones as ones,
    truncated as truncated,
    uniform as uniform,
    zeros as zeros,
)
from fcnn.layers.initializers.fans import (
    fans as fans,
    glorot as glorot,
    glorot_truncated as glorot_truncated,
    glorot_uniform as glorot_uniform,
    he as he,
    he_truncated as he_truncated,
    he_uniform as he_uniform,
    lecun as lecun,
    lecun_truncated as lecun_truncated,
    lecun_uniform as lecun_uniform,
)
from fcnn.layers.initializers.kernels import (
    grouped as grouped,
    identity as identity,
    orthogonal as orthogonal,
)
