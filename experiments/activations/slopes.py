"""Values and slopes of the functions; the slopes are fcnn's hand-derived gradients."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.framework.experiment import Log

BOUNDS = {"sigmoid": 0.25, "tanh": 1.0}
FUNCTIONS = {
    "sigmoid": fcnn.sigmoid,
    "tanh": fcnn.tanh,
    "relu": fcnn.relu,
    "leaky relu": fcnn.leaky_relu,
    "ELU": fcnn.elu,
    "swish": fcnn.silu,
    "mish": fcnn.mish,
}
PATTERNS = 2**32  # of float32, of which a run takes every STRIDE-th, or all with --full
STRIDE, SMOKE_STRIDE = 4093, 2**20 + 1  # odd: all signs, exponents and last bits occur
CHUNK = 2**24
LIMITS = np.finfo(np.float32)
EXTREMES = (0.0, np.inf, LIMITS.smallest_subnormal, LIMITS.tiny, LIMITS.max)  # with both signs


def bounded(stride: int, log: Log) -> dict[str, Any]:
    """For each of BOUNDS: how many slopes lie between 0 and the bound, of how many, the largest."""
    found = {name: {"within": 0, "of": 0, "largest": 0.0} for name in BOUNDS}
    within = {name: jax.jit(_within(FUNCTIONS[name], bound)) for name, bound in BOUNDS.items()}
    for i, x in enumerate(numbers(stride)):
        log.show(f"slopes of {len(x):,} numbers", min(1.0, i * CHUNK * stride / PATTERNS))
        for name, counted in within.items():
            count, largest = counted(x)
            found[name]["within"] += int(count)
            found[name]["of"] += len(x)
            found[name]["largest"] = max(found[name]["largest"], float(largest))
    return found


def numbers(stride: int) -> Iterator[np.ndarray]:
    """A grid from -20 to 20 with the extremes, then every `stride`-th float32 but NaN."""
    extremes = np.array(EXTREMES, np.float32)
    yield np.concatenate([np.linspace(-20, 20, 40001, dtype=np.float32), extremes, -extremes])
    for start in range(0, PATTERNS, CHUNK * stride):
        bits = np.arange(start, min(PATTERNS, start + CHUNK * stride), stride, dtype=np.uint64)
        x = bits.astype(np.uint32).view(np.float32)
        yield x[~np.isnan(x)]


def _within(f, bound):
    def count(x):
        slope = slopes(f, x)
        return ((slope >= 0) & (slope <= bound)).sum(), slope.max()

    return count


def slopes(f, x: jax.Array) -> jax.Array:
    return jax.vjp(f, x)[1](jnp.ones_like(x))[0]


def curves() -> dict[str, Any]:
    """Values and slopes of every function from -4 to 4."""
    x = jnp.linspace(-4, 4, 161)
    lists = lambda f: {"y": f(x).tolist(), "slope": slopes(f, x).tolist()}
    return {"x": x.tolist()} | {name: lists(f) for name, f in FUNCTIONS.items()}
