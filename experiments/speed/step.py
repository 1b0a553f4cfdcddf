"""One jitted training step, called repeatedly: the loop that all libraries on JAX share.

Libraries without optimizers of their own use the step of `adam`, which follows optax's
documentation. The train state is donated, so that parameters are updated in place.
"""

from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from typing import Any

import jax
import numpy as np
import optax

from experiments.speed.libraries import Prepared
from fcnn.cli.bench.jobs import LEARNING_RATE, Job, batches


def adam(
    apply: Callable, params: Any, state: Any, job: Job, x: np.ndarray, y: np.ndarray, seed: int
) -> Prepared:
    """Steps of Adam for a network `apply(params, state, x, key) -> (logits, state)` in training."""
    optimizer = optax.adam(LEARNING_RATE)

    def objective(params, state, x, y, key):
        logits, state = apply(params, state, x, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), state

    @partial(jax.jit, donate_argnums=0)
    def step(train_state, x, y):
        params, state, opt_state, key = train_state
        key, subkey = jax.random.split(key)
        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, state), g = gradient(params, state, x, y, subkey)
        updates, opt_state = optimizer.update(g, opt_state, params)
        return (optax.apply_updates(params, updates), state, opt_state, key), loss

    train_state = (params, state, optimizer.init(params), jax.random.PRNGKey(seed))
    memory = temporary_bytes(step, train_state, job, x, y)
    return Prepared(looped(step, train_state, job, x, y), size(params), memory)


def looped(
    step: Callable, train_state: Any, job: Job, x: np.ndarray, y: np.ndarray
) -> Callable[[int], float]:
    """`Prepared.run` by repeated calls of `step(train_state, x, y) -> (train_state, loss)`."""
    endless = cycle(jax.device_put(batches(job, x, y)))

    def run(k):
        nonlocal train_state
        loss = float("nan")
        for x, y in islice(endless, k):
            train_state, loss = step(train_state, x, y)
        return float(loss)

    return run


def temporary_bytes(
    step: Any, train_state: Any, job: Job, x: np.ndarray, y: np.ndarray
) -> Callable[[], int]:
    """`Prepared.memory` of a jitted `step(train_state, x, y)`."""
    # `run` donates the train state: keep only its shapes.
    shapes = jax.eval_shape(lambda *args: args, train_state, *batches(job, x, y)[0])

    def memory():
        return step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes

    return memory


def size(params: Any) -> int:
    """The number of parameters."""
    return sum(p.size for p in jax.tree.leaves(params))
