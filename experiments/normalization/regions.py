"""The cells of x that are averaged together with a cell, read from the operator's Jacobian.

Output cell i of a normalization depends on all cells in its region, through their mean and
variance, and on no other cell:

    batch norm       same channel                 instance norm    same example and channel
    layer norm       same example                 group norm       same example, group of channels
    layer norm of sequences                       same example and position

For images, layer norm is `fcnn.group_norm` with one group. `fcnn.layer_norm`, as transformers use
it, normalizes the channels of one position.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn

SHAPE = N, H, W, C = 3, 2, 2, 4
GROUPS = 2
ONE_POSITION = "layer norm, one position"


def operators() -> dict[str, Any]:
    """Functions of x (n, h, w, c)."""
    one, zero = jnp.ones(C), jnp.zeros(C)
    return {
        "batch norm": lambda x: fcnn.batch_norm(x, one, zero, zero, one, train=True)[0],
        "layer norm": lambda x: fcnn.group_norm(x, one, zero, groups=1),
        "instance norm": lambda x: fcnn.instance_norm(x, one, zero),
        "group norm": lambda x: fcnn.group_norm(x, one, zero, groups=GROUPS),
        ONE_POSITION: lambda x: fcnn.layer_norm(x, one, zero),
    }


def expected() -> dict[str, np.ndarray]:
    """The regions of the table above. Shape (cells of y, cells of x)."""
    example, row, column, channel = (axis.ravel() for axis in np.indices(SHAPE))
    same = lambda a: a[:, None] == a[None]
    return {
        "batch norm": same(channel),
        "layer norm": same(example),
        "instance norm": same(example) & same(channel),
        "group norm": same(example) & same(channel // (C // GROUPS)),
        ONE_POSITION: same(example) & same(W * row + column),
    }


def found(operator: Any) -> np.ndarray:
    """Where the Jacobian of the operator at a random x is not 0."""
    x = jax.random.normal(jax.random.key(0), SHAPE)
    return np.asarray(jax.jit(jax.jacobian(operator))(x)).reshape(x.size, x.size) != 0


def regions() -> dict[str, Any]:
    """For each operator the region of the first cell, and how many cells have the expected one."""
    results = {}
    for name, operator in operators().items():
        mask = found(operator)
        right = (mask == expected()[name]).all(1)
        first = mask[0].reshape(N, H * W, C)
        results[name] = {"right": int(right.sum()), "of": len(right), "first": first.tolist()}
    return results
