"""Decoding caches: state that counts and keeps the steps of a sequence so far."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcnn.layers.call import Call
from fcnn.ops.validation import require


def start_of(x: jax.ShapeDtypeStruct) -> dict[str, jax.Array]:
    """The entry of a cache that counts the steps of each sequence."""
    return {"position": jnp.zeros(x.shape[0], jnp.int32)}


def place(call: Call, x: jax.Array, start: jax.Array | None) -> jax.Array | None:
    """The position of each step of x: given, or counted from `start`; None for 0 .. t - 1."""
    given = call.inputs.get("positions")
    if given is not None or start is None:
        return given
    return start[:, None] + jnp.arange(x.shape[1], dtype=start.dtype)[None]


def advanced(state: dict, call: Call, x: jax.Array) -> dict:
    """The cache with its position behind the steps of x, of which `lengths` are real."""
    if not state:
        return {}
    require_batch(state["position"], x)
    lengths = call.inputs.get("lengths")
    start, t = state["position"], x.shape[1]
    steps = t if lengths is None else jnp.clip(lengths, 0, t).astype(start.dtype)
    return state | {"position": start + steps}


def require_room(state: Any, x: Any, lengths: Any) -> None:
    """ValueError if a cache in `state` is too short for the steps of x; no check where traced."""
    if not isinstance(state, Mapping) or getattr(x, "ndim", 0) < 2:
        return
    for part in state.values():
        require_room(part, x, lengths)
    if not {"k", "position"} <= state.keys():
        return
    position, (n, t) = state["position"], x.shape[:2]
    known = not isinstance(position, Tracer) and not isinstance(lengths, Tracer | Mapping)
    if known and position.shape[-1] == n:
        steps = t if lengths is None else np.clip(np.asarray(lengths), 0, t)
        room, last = state["k"].shape[-3], int(np.max(np.asarray(position) + steps, initial=0))
        require(last <= room, f"the cache holds {room} steps, too few for step {last}")


def require_batch(cached: jax.Array, x: jax.Array) -> None:
    """ValueError unless the cache has as many sequences as x."""
    n = cached.shape[0]
    write = f"write model.init_cache(..., batch_size={x.shape[0]})"
    require(n == x.shape[0], f"the cache has {n} sequences, but x {x.shape}; {write}")
