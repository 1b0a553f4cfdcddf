"""One jitted step, called again and again: the loop that every library on JAX has in common.

`adam` is the step of the libraries that leave optimizers to optax, as optax's documentation writes
it. What a step starts from is donated, so that parameters are updated where they are.
"""

from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from typing import Any

import jax
import numpy as np
import optax

from fcnn.peers.jobs import RATE, Job, Prepared, batches


def adam(
    apply: Callable, params: Any, state: Any, job: Job, x: np.ndarray, y: np.ndarray, seed: int
) -> Prepared:
    """Steps of `apply(params, state, x, key) -> (logits, state)`, a network while it trains."""
    optimizer = optax.adam(RATE)

    def objective(params, state, x, y, key):
        logits, state = apply(params, state, x, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), state

    @partial(jax.jit, donate_argnums=0)
    def step(now, x, y):
        params, state, opt_state, key = now
        key, own = jax.random.split(key)
        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, state), g = gradient(params, state, x, y, own)
        updates, opt_state = optimizer.update(g, opt_state, params)
        return (optax.apply_updates(params, updates), state, opt_state, key), loss

    now = (params, state, optimizer.init(params), jax.random.PRNGKey(seed))
    return Prepared(looped(step, now, job, x, y), size(params))


def looped(
    step: Callable, now: Any, job: Job, x: np.ndarray, y: np.ndarray
) -> Callable[[int], float]:
    """`Prepared.run` by one call of `step(now, x, y) -> (now, loss)` after another."""
    turn = cycle(jax.device_put(batches(job, x, y)))

    def run(k):
        nonlocal now
        loss = float("nan")
        for x, y in islice(turn, k):
            now, loss = step(now, x, y)
        return float(loss)

    return run


def size(params: Any) -> int:
    """The number of parameters."""
    return sum(p.size for p in jax.tree.leaves(params))
