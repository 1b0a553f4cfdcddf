"""Jacobians of dense networks with and without an activation.

Without an activation the network is x -> x W_1 W_2 … W_L + b, so its Jacobian is the same at all x,
and its rank is at most the width of the narrowest layer.
"""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.framework.seeds import ONCE
from fcnn.layers import identity, relu
from fcnn.models import mlp

DEPTHS = (1, 2, 4, 8)  # hidden layers
WIDTH, NARROWEST = 24, 5


def of_depth(depth: int, x: np.ndarray, seeds: int) -> dict[str, Any]:
    """Jacobians at the images x against the product of the matrices, with and without relu.

    Shapes: x (n, *shape); the results have one entry per seed.
    """
    hidden = (*(WIDTH,) * (depth - 1), NARROWEST)
    with jax.enable_x64(True):
        plain = _jacobians(hidden, identity, x, seeds)
        bent = _jacobians(hidden, relu, x, seeds)
        return {
            "depth": depth,
            "error": [
                float(np.abs(j - m).max() / np.abs(m).max()) for j, m in zip(*plain, strict=True)
            ],
            "rank": [int(np.linalg.matrix_rank(j[0])) for j in plain[0]],
            "distinct": [_distinct(j) for j in plain[0]],
            "distinct with relu": [_distinct(j) for j in bent[0]],
        }


def _jacobians(hidden, activation, x, seeds):
    """Jacobians (seeds, n, classes, inputs), and the product of the matrices for each seed."""
    net = mlp(hidden, activation=activation)
    flat = jnp.asarray(x.reshape(len(x), -1), jnp.float64)
    keys = jax.random.split(jax.random.key(len(hidden)), seeds)
    init = jax.vmap(lambda key: net.init(key, flat.shape[1:]))
    params, state = jax.jit(init, compiler_options=ONCE)(keys)
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params)
    f = lambda p, x: net.apply(p, state, x[None])[0][0]
    each = jax.vmap(jax.vmap(jax.jacrev(f, 1), (None, 0)), (0, None))
    matrices = [np.asarray(a).swapaxes(1, 2) for a in jax.tree.leaves(params) if a.ndim == 3]
    found = jax.jit(each, compiler_options=ONCE)(params, flat)
    return np.asarray(found), reduce(lambda m, w: w @ m, matrices)


def _distinct(jacobians):
    """Different Jacobians among these, where differences below 1e-9 are rounding."""
    flat = jacobians.reshape(len(jacobians), -1)
    return len(np.unique((flat / np.abs(flat).max()).round(9), axis=0))
