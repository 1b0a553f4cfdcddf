"""Seconds of an epoch of one network with each batch size, as one compiled program."""

from functools import partial

import jax
import optax

import fcnn
from experiments.framework import interrupt
from experiments.framework.experiment import Log
from experiments.framework.seeds import ONCE
from fcnn.bench import seconds
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import create, scan_steps, shuffled_indices, train_step

ROUNDS = 10  # interleaved runs of each repeat


def epoch_times(
    model: Layer, images: Images, sizes: dict[str, int], log: Log, *, repeats: int, rounds: int
) -> dict[str, list[float]]:
    """The shortest of `rounds` interleaved epochs of each batch size, for each of `repeats`."""
    data, n, optimizer = jax.device_put((images.x, images.y)), len(images.y), optax.sgd(0.01)
    start = jax.jit(partial(create, model, optimizer, images.x.shape[1:]), compiler_options=ONCE)
    train_state = start(jax.random.key(0))
    step = train_step(model, fcnn.softmax_cross_entropy, optimizer)
    epoch = jax.jit(partial(scan_steps, step))
    programs = {}
    for name, size in sizes.items():
        log.note(f"compiling an epoch with {name} per step …")
        args = (train_state, data, jax.device_put(shuffled_indices(n, size, n // size, 0)))
        programs[name] = epoch.lower(*args).compile(), args
    shortest: dict[str, list[float]] = {name: [] for name in sizes}
    for repeat in range(repeats):
        interrupt.check()
        log.show("timing epochs", repeat / repeats)
        for name, times in seconds(programs, rounds=rounds).items():
            shortest[name].append(min(times))
    return shortest
