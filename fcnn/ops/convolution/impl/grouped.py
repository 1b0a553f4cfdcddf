"""Groups: one ungrouped convolution per group, and kernels whose channels are exchanged."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp


def each_group(sum_of_group: Callable, groups: int, a, b, **options):
    """Apply `sum_of_group` to each group of neighbouring channels, on the last axis of a and b."""
    if groups == 1:
        return sum_of_group(a, b, **options)
    split = lambda a: jnp.moveaxis(a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups), -2, 0)
    y = jnp.moveaxis(jax.vmap(partial(sum_of_group, **options))(split(a), split(b)), 0, -2)
    return y.reshape(*y.shape[:-2], y.shape[-2] * y.shape[-1])


def exchange(w, groups: int):
    """Exchange channels and features in each group: w (*window, c, (g, o)) -> (*window, o, (g, c)).

    A convolution with the result sums over the features of w.
    """
    *window, c, o = w.shape
    w = w.reshape(*window, c, groups, o // groups).swapaxes(-3, -1)
    return w.reshape(*window, o // groups, groups * c)
