"""Kernels with a structure: identity, orthogonal, and one kernel for each group of channels.

The kernel of a grouped convolution is `groups` kernels side by side. `grouped` draws each of them
separately, so other initializers need no option for groups. Where c and o are the channels and
features of the whole layer,

    fan_in = prod(window) c / groups      fan_out = prod(window) o / groups
"""

import jax
import jax.numpy as jnp

from fcnn.layers.initializers.distributions import Initializer, drawn, require_scale
from fcnn.layers.initializers.fans import fans
from fcnn.ops.validation import named, require, require_key


def identity(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Identity kernel: y = x for a dense layer, and for a "same" convolution of stride 1.

    Entry [centre, i, i] is 1 and all others are 0; also called delta or Dirac initialization. The
    centre of an even window is the cell before its middle.

    Shapes: `shape` is (*window, c, o); the key is not used.
    Raises: ValueError for a shape of fewer than 2 axes, or without entries.

    >>> fcnn.layers.initializers.identity(jax.random.key(0), (2, 3))
    Array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    fans(shape)
    *window, c, o = shape
    centre = tuple((k - 1) // 2 for k in window)
    return jnp.zeros(shape).at[centre].set(jnp.eye(c, o))


def orthogonal(scale: float = 1.0) -> Initializer:
    """Initializer of random orthogonal kernels.

    As a matrix (prod(window) c, o), the kernel has orthogonal rows or columns, whichever are fewer,
    each of length `scale`.

    Shapes: the initializer takes (*window, c, o).
    Options:
        scale: length of each row or column.
    Raises: ValueError for a negative or infinite scale, or a shape of fewer than 2 axes.
    Source: Saxe, McClelland & Ganguli, arXiv:1312.6120.
    """
    with named("orthogonal"):
        require_scale(scale=scale)

    def draw(key, shape):
        fans(shape)
        return jax.nn.initializers.orthogonal(scale)(key, shape)

    return drawn("orthogonal", draw)


def grouped(init: Initializer, groups: int, axis: int = -1) -> Initializer:
    """Initializer of a grouped kernel (*window, c, o), which draws each group with `init`.

    Shapes: the initializer takes (*window, c, o) of the whole kernel.
    Options:
        init: initializer of the kernel of one group.
        groups: number of groups.
        axis: axis along which the groups lie: -1, the features of a convolution, or -2, the
            channels of a transposed convolution.
    Raises: ValueError if `groups` does not divide that axis.

    >>> ones = fcnn.layers.initializers.grouped(fcnn.layers.initializers.ones, 2)
    >>> ones(jax.random.key(0), (3, 3, 2, 8)).shape
    (3, 3, 2, 8)
    """
    if groups == 1:
        return init

    def draw_groups(key, shape):
        with named("grouped"):
            require_key(key)
        with named("initializer"):
            what = "features" if axis == -1 else "channels"
            divides = shape[axis] % groups == 0
            require(divides, f"groups {groups} does not divide {shape[axis]} {what}")
        group_shape = list(shape)
        group_shape[axis] //= groups
        draw = lambda key: init(key, tuple(group_shape))
        w = jax.vmap(draw, out_axes=axis - 1)(jax.random.split(key, groups))
        return w.reshape(shape)  # w has the axis of groups before the axis that the groups divide

    return draw_groups
