"""Attention without positional encoding is equivariant to permutations of the steps.

With f the network and P a permutation of the steps: f(P x) = P f(x), whatever the parameters.
"""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.memory.networks import WIDTH, network
from experiments.memory.tasks import ALPHABET, copy

LENGTH = 10  # delay of the copy task
ROUNDING = 100  # rounding units: eps of float32, times the largest output


def equivariant(seeds: int, examples: int, *, order: bool) -> dict[str, int]:
    """Count of pairs of sequence and seed with f(P x) = P f(x) within rounding."""
    rng = np.random.default_rng(LENGTH)
    x = copy(LENGTH, examples, rng).x
    steps = x.shape[1]
    places = rng.permuted(np.tile(np.arange(steps), (examples, 1)), axis=1)[..., None]
    net = network("attention", 4 * WIDTH, steps, ALPHABET, order)

    both = jnp.asarray(np.concatenate([x, np.take_along_axis(x, places, 1)]))

    def outputs(key):
        params, state = net.init(key, x.shape[1:])
        return net.apply(params, state, both)[0]

    keys = jax.random.split(jax.random.key(0), seeds)
    y, permuted = np.split(np.asarray(jax.jit(jax.vmap(outputs))(keys)), 2, axis=1)
    error = np.abs(permuted - np.take_along_axis(y, places[None], 2)).max((2, 3))
    unit = np.finfo(np.float32).eps * np.abs(y).max((2, 3))
    return {"equal": int((error <= ROUNDING * unit).sum()), "of": error.size}
