"""One network trained with hand-derived gradients and with autodiff, from equal weights."""

from functools import partial

import jax
import numpy as np
import optax

import fcnn
from experiments.framework import interrupt
from experiments.framework.seeds import ONCE
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import create, shuffled_indices, train_step

RATE, BATCH = 0.05, 64


def distances(model: Layer, images: Images, dtype: str, seeds: int, steps: int) -> list[float]:
    """Largest difference of the two trained networks' weights, by seed, over the largest weight."""
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        hand, auto = (
            list(_trained(model, images, dtype, seeds, steps, k)) for k in ("hand", "autodiff")
        )
    largest = lambda arrays: max(float(np.abs(a).max()) for a in arrays)
    apart = lambda a, b: [x - y for x, y in zip(a, b, strict=True)]
    return [largest(apart(a, b)) / largest(a) for a, b in zip(hand, auto, strict=True)]


def _trained(model, images, dtype, seeds, steps, kind):
    """Weights of each seed after training, as NumPy arrays."""
    optimizer = optax.sgd(RATE, momentum=0.9)
    step = jax.jit(train_step(model, fcnn.softmax_cross_entropy, optimizer))
    cast = partial(jax.tree.map, lambda a: a.astype(dtype))
    shape = images.x.shape[1:]

    @partial(jax.jit, compiler_options=ONCE)
    def start(key):
        params, state = model.init(key, shape)
        return create(model, optimizer, shape, key, params=cast(params), state=cast(state))

    with fcnn.gradients(kind):
        for seed in range(seeds):
            train_state = start(jax.random.key(seed))
            for indices in shuffled_indices(len(images.y), BATCH, steps, seed):
                interrupt.check()
                batch = images.x[indices].astype(dtype), images.y[indices]
                train_state, _ = step(train_state, batch)
            yield [np.asarray(a) for a in jax.tree.leaves(train_state.params)]
