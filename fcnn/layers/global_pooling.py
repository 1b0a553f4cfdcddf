"""Global pooling over the real positions of each example."""

from fcnn import ops
from fcnn.layers.call import PADDING, real
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import leaf


def global_avg_pool() -> Layer:
    """`fcnn.global_avg_pool`: mean over all positions, or over those that mask and lengths keep.

    Shapes: x (n, *size, c) -> y (n, c). Reads: mask (n, *size), lengths (n,).
    Source: Lin, Chen & Yan, arXiv:1312.4400.

    >>> x = jnp.array([[[1.0], [3.0], [99.0]]])
    >>> fcnn.layers.global_avg_pool().apply({}, {}, x, lengths=jnp.array([2]))[0]
    Array([[2.]], dtype=float32)
    """
    return _pool("global_avg_pool", ops.global_avg_pool)


def global_max_pool() -> Layer:
    """`fcnn.global_max_pool`: maximum over all positions, or over those that mask and lengths keep.

    Shapes: x (n, *size, c) -> y (n, c). Reads: mask (n, *size), lengths (n,).

    >>> x = jnp.array([[[1.0], [3.0], [99.0]]])
    >>> fcnn.layers.global_max_pool().apply({}, {}, x, mask=jnp.array([[True, True, False]]))[0]
    Array([[3.]], dtype=float32)
    """
    return _pool("global_max_pool", ops.global_max_pool)


def _pool(name, op):
    f = lambda params, x, call: op(x, real(call, x))
    return leaf(name, f, reads=PADDING, positions="removed")
