"""Global pooling: one number per channel, over all spatial axes.

Over the N cells x[i] of one example and channel,

    average   y = mean_i x[i]                       dx[i] = dy / N
    max       y = x[i*], i* the first maximum       dx[i] = dy if i = i*, 0 otherwise

Ties in max go to the first cell in row-major order, and NaN counts as the maximum. Max saves i*;
average saves nothing.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Shape, operator
from fcnn.ops.pooling.axes import validate_grid
from fcnn.ops.pooling.draws import EXTREMES, distinct
from fcnn.ops.pooling.max_unpool import gather, scatter_add

X = Float[Array, "n *size c"]


@operator()
def global_avg_pool(x: X) -> Float[Array, "n c"]:
    """Mean over all spatial axes, per channel.

    Shapes: x (n, *size, c) -> (n, c).
    Units:  those of x.
    Raises: ValueError if x has no cells; TypeError if x does not hold floats.
    Cost:   one addition per entry of x.
    Source: Lin, Chen & Yan 2013.

    >>> fcnn.global_avg_pool(jnp.array([[[1.0, 10.0], [3.0, 30.0]]]))
    Array([[ 2., 20.]], dtype=float32)
    """
    return x.mean(range(1, x.ndim - 1))


@global_avg_pool.fwd
def global_avg_pool_fwd(x):
    return global_avg_pool.forward(x), Shape(x.shape)


@global_avg_pool.bwd
def global_avg_pool_bwd(shape, dy):
    cells = math.prod(shape[1:-1])  # N, which may exceed the largest float16
    dx = (dy.astype(accumulation_dtype(dy.dtype)) / cells).astype(dy.dtype)
    return (jnp.broadcast_to(dx.reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1]), shape),)


@operator()
def global_max_pool(x: X) -> Float[Array, "n c"]:
    """Maximum over all spatial axes, per channel.

    Shapes: x (n, *size, c) -> (n, c).
    Units:  those of x. NaN counts as the maximum.
    Raises: ValueError if x has no cells; TypeError if x does not hold floats.
    Cost:   one comparison per entry of x. The gradient of ties goes to the first maximum.
    Source: Oquab et al. 2015.

    >>> fcnn.global_max_pool(jnp.array([[[1.0, 30.0], [3.0, 10.0]]]))
    Array([[ 3., 30.]], dtype=float32)
    """
    return global_max_pool_fwd(x)[0]


@global_max_pool.fwd
def global_max_pool_fwd(x):
    cells = x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])
    first = lax.argmax(cells, 1, jnp.int32)[:, None]
    return gather(x, first)[:, 0], (first, Shape(x.shape))


@global_max_pool.bwd
def global_max_pool_bwd(saved, dy):
    first, shape = saved
    return (scatter_add(dy[:, None], first, shape[1:-1]),)


for op in (global_avg_pool, global_max_pool):
    op.validate(validate_grid)
    op.cases = (
        Case("2-D", (distinct((2, 3, 4, 5)),)),
        Case("1-D", (distinct((2, 3, 5)),)),
        Case("no examples", ((0, 4, 4, 2),)),
        *(extreme(name, x) for name, x in EXTREMES.items()),
        rejects("at least 3 axes", (4, 3)),
        rejects("has no cells", (4, 0, 3)),
        rejects("x holds int32", ints((1, 4, 4, 1)), kind=TypeError),
    )
global_max_pool.cases += (Case("ties", (lambda rng: np.ones((1, 3, 4, 1)),), kink=True),)
