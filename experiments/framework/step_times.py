"""Seconds of one training step of each network, and of its compilation."""

from collections.abc import Mapping
from functools import partial
from time import perf_counter

import jax
import optax

import fcnn
from experiments.framework.experiment import Log
from experiments.framework.seeds import ONCE
from fcnn.bench import seconds
from fcnn.cli import compile_cache
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import create, train_step


def step_times(
    nets: Mapping[str, Layer],
    optimizer: optax.GradientTransformation,
    batch: Images,
    log: Log,
    *,
    rounds: int,
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of a step of one seed in each of `rounds` interleaved rounds; and of compilation."""
    data = jax.device_put((batch.x, batch.y))
    programs, compiling = {}, {}
    for name, net in nets.items():
        log.note(f"compiling one step of {name} …")
        start = jax.jit(partial(create, net, optimizer, batch.x.shape[1:]), compiler_options=ONCE)
        train_state = start(jax.random.key(0))
        step = jax.jit(train_step(net, fcnn.softmax_cross_entropy, optimizer))
        lowered, start = step.lower(train_state, data), perf_counter()
        with compile_cache.off():
            compiled = lowered.compile()
        compiling[name] = perf_counter() - start
        programs[name] = compiled, (train_state, data)
    return seconds(programs, rounds=rounds), compiling
