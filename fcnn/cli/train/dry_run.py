"""fcnn train --dry-run: parameters, memory and FLOP of a run, from shapes alone."""

import math
import os
from typing import Any

import jax
import jax.numpy as jnp

import fcnn
from fcnn.cli.train.plan import Plan
from fcnn.training import create


def dry_run(made: Plan) -> int:
    """Print the costs of a run; 0 if it fits into the memory of the device, else 1."""
    chosen, recipe, source = made.chosen, made.recipe, made.data.train
    part = chosen.batch_size // chosen.accumulate
    table = fcnn.summary(recipe.model, made.shape, batch_size=part, cost=True)
    assert table.training is not None
    new = lambda key: create(recipe.model, recipe.optimizer, made.shape, key)
    state = jax.eval_shape(new, jax.random.key(0))
    example = sum(map(_bytes, jax.tree.leaves(dict(source.spec))))
    on_device = 0 if source.arrays is None else example * source.length
    sizes = {
        "parameters": sum(map(_bytes, jax.tree.leaves(state.params))),
        "gradients": sum(map(_bytes, jax.tree.leaves(state.params))),
        "optimizer state": sum(map(_bytes, jax.tree.leaves(state.opt_state))),
        "kept for the backward pass": table.training.residual_bytes,
        "largest output of a layer": max(row.activation_bytes for row in table.rows),
        "a batch": example * chosen.batch_size,
        "examples on the device": on_device,
    }
    needed, free = sum(sizes.values()), _free()
    print(table)
    print()
    for name, size in sizes.items():
        print(f"{name:28s} {_shown(size):>10s}")
    print(f"{'together, about':28s} {_shown(needed):>10s}")
    flop = table.training.flop * chosen.accumulate
    print(f"{'FLOP per step':28s} {flop:>10.2e}")
    print(f"{'steps':28s} {made.steps_per_epoch * chosen.epochs:>10,d}")
    print(f"{'free memory':28s} {_shown(free):>10s}")
    fits = needed <= free
    print("It fits." if fits else "It does not fit: try a smaller --batch-size or --accumulate.")
    return 0 if fits else 1


def _bytes(a: Any) -> int:
    key = jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
    return math.prod(a.shape) * (8 if key else jnp.dtype(a.dtype).itemsize)


def _free() -> int:
    """Bytes that are free on the device, or in the memory of the machine if it has no own."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _shown(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
