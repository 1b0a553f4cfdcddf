"""The jobs in fcnn: a model of `fcnn.models`, and the step of `fcnn.training`.

If a job takes several steps, one compiled scan runs all of them, as in `training.fit`.
"""

from functools import partial

import jax
import numpy as np
import optax

import fcnn
from experiments.speed.libraries import Prepared
from experiments.speed.step import looped, size, temporary_bytes
from fcnn import training
from fcnn.cli.bench.jobs import LEARNING_RATE, Job, build


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn with `seed`."""
    model, optimizer = build(job.network), optax.adam(LEARNING_RATE)
    train_state = training.create(model, optimizer, job.shape, jax.random.key(seed))
    step = training.train_step(model, fcnn.softmax_cross_entropy, optimizer)

    @partial(jax.jit, donate_argnums=0)
    def one(train_state, x, y):
        train_state, results = step(train_state, (x, y))
        return train_state, results["loss"]

    parameters, memory = size(train_state.params), temporary_bytes(one, train_state, job, x, y)
    all_steps = scanned(step, train_state, job, x, y) if job.steps > 1 else None
    return Prepared(all_steps or looped(one, train_state, job, x, y), parameters, memory)


def scanned(step, train_state, job, x, y):
    """`Prepared.run` as one scan of k steps. The scan is compiled again for each new k."""
    data = jax.device_put((x, y))
    epoch = jax.jit(partial(training.scan_steps, step), donate_argnums=0)

    def run(k):
        nonlocal train_state
        indices = training.shuffled_indices(len(x), job.batch, k, seed=0)
        train_state, results = epoch(train_state, data, indices)
        return float(results["loss"][-1])

    return run
