"""Seconds of the forward and backward pass of each activation, in and beyond the cache."""

from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp

from experiments.activations.slopes import FUNCTIONS
from experiments.framework import interrupt
from experiments.framework.experiment import Log

SIZES = {"in the cache": 2**18, "beyond the cache": 2**23}  # floats: 2 MB and 64 MB for x and dy
SMOKE_SIZES = {"in the cache": 2**10, "beyond the cache": 2**11}


def timed(n: int, repeats: int, rounds: int, log: Log) -> dict[str, Any]:
    """The shortest of `rounds` interleaved runs of each function, for each of `repeats`.

    A run replaces x by y and dy by dx in place, so that no memory is allocated.
    """
    run = {name: jax.jit(_both(f), donate_argnums=(0, 1)) for name, f in FUNCTIONS.items()}
    arrays = {name: (jnp.linspace(-3, 3, n), jnp.ones(n)) for name in FUNCTIONS}
    arrays = {name: run[name](*xs) for name, xs in arrays.items()}  # compile
    shortest: dict[str, list[float]] = {name: [] for name in FUNCTIONS}
    for repeat in range(repeats):
        log.show(f"timing {n:,} numbers", repeat / repeats)
        times: dict[str, list[float]] = {name: [] for name in FUNCTIONS}
        for _ in range(rounds):
            interrupt.check()
            for name, both in run.items():
                start = perf_counter()
                arrays[name] = jax.block_until_ready(both(*arrays[name]))
                times[name].append(perf_counter() - start)
        for name, each in times.items():
            shortest[name].append(min(each))
    return {"n": n, "seconds": shortest}


def _both(f) -> Any:
    def both(x, dy):
        y, pull = jax.vjp(f, x)
        return y, pull(dy)[0]

    return both
