"""What setup and a forward pass see besides their input.

`Plan` is for setup, `Call` for a forward pass. Combinators give each part its own: the path of the
part, and in `Call` its own key. Side inputs have names that users write in `apply`:

    mask                 (n, *positions) booleans, True where a position of x is real
    lengths              (n,) integers; positions of x at or beyond lengths[n] are padding
    positions            (t,) or (n, t) integers, the place of each token in its sequence
    attention_mask       (n, h, t, s) or 1 along any axis: the mask of the operators of attention
    context              (n, s, c) what cross-attention reads, with its own context_mask and
                         context_lengths; a layer may give it another name
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from fcnn.ops.validation import require

Spec = Any  # a pytree of jax.ShapeDtypeStruct, each with a batch axis
PADDING = frozenset({"mask", "lengths"})  # the inputs for x with padding
OF_POSITIONS = PADDING | {"positions", "attention_mask"}  # inputs without a meaning for one vector


@dataclass(frozen=True)
class Plan:
    """What `Layer.setup` sees besides the key and the spec of x.

    Options:
        inputs: side inputs by name, as specs.
        cache: number of steps of a decoding cache; None for no cache.
        path: names of the enclosing layers, separated by "/".
        observe: called with each layer, its plan, and the specs of its input and what it made.
        times: number of blocks that `repeat` makes of this layer.
        dtype: of a decoding cache; None for the dtype of x.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    cache: int | None = None
    path: str = ""
    observe: Callable[..., None] | None = None
    times: int = 1
    dtype: Any = None

    def inside(self, name: str) -> "Plan":
        """The plan of a part."""
        return dataclasses.replace(self, path=_within(self.path, name))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Call:
    """What `Layer.forward` sees besides params, state and x. It is a pytree.

    Options:
        key: random key, or None.
        inputs: side inputs by name.
        train: whether the pass is for training.
        path: names of the enclosing layers, separated by "/".
        dtype: of the floats that a layer makes of integers; None for JAX's default.
        observe: called with each layer, its call, its forward pass as a function of x, and x; it
            returns what this function returns.
        blocks: with `observe`, the block of each enclosing `repeat`, which `path` marks by "[]".
    """

    key: jax.Array | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    train: bool = field(default=False, metadata={"static": True})
    path: str = field(default="", metadata={"static": True})
    dtype: Any = field(default=None, metadata={"static": True})
    observe: Callable[..., Any] | None = field(default=None, metadata={"static": True})
    blocks: tuple[jax.Array, ...] = ()

    def inside(self, name: str, i: int | jax.Array) -> "Call":
        """The call of part i, with its own key."""
        key = None if self.key is None else jax.random.fold_in(self.key, i)
        return dataclasses.replace(self, key=key, path=_within(self.path, name))

    def block(self, i: jax.Array) -> "Call":
        """The call of block i of a `repeat`, with its own key."""
        call = self
        if self.observe is not None:
            call = dataclasses.replace(self, path=f"{self.path}[]", blocks=(*self.blocks, i))
        key = None if self.key is None else jax.random.fold_in(self.key, i)
        return dataclasses.replace(call, key=key)


Given = TypeVar("Given", Plan, Call)


def without(given: Given, names: frozenset[str]) -> Given:
    """The plan or call without some of its inputs."""
    kept = {name: a for name, a in given.inputs.items() if name not in names}
    return dataclasses.replace(given, inputs=kept)


def routed(given: Given, name: str, names: tuple[str, ...]) -> Given:
    """The plan or call with entry `name` of each input that is a dict of some of `names`."""
    is_routed = lambda a: isinstance(a, Mapping) and set(a) <= set(names)
    own = {k: a.get(name) if is_routed(a) else a for k, a in given.inputs.items()}
    inputs = {k: a for k, a in own.items() if a is not None}
    return dataclasses.replace(given, inputs=inputs)


def entry(x: Any, name: str, names: tuple[str, ...]) -> Any:
    """x[name] if x is a dict with `names`, else x."""
    if not isinstance(x, Mapping) or not set(x) & set(names):
        return x
    entries, layers = ", ".join(map(str, x)), ", ".join(names)
    require(set(x) == set(names), f"x has the entries {entries}, but the layers are {layers}")
    return x[name]


def _within(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def real(call: Call, x: jax.Array) -> jax.Array | None:
    """Which positions of x are real, by `mask` and `lengths`: (n, *positions), or None for all.

    `lengths` counts along the first axis after the batch axis.
    """
    mask, lengths = call.inputs.get("mask"), call.inputs.get("lengths")
    require_padding(x, mask, lengths)
    if lengths is None:
        return mask
    valid = jnp.arange(x.shape[1])[None] < lengths.astype(int)[:, None]
    if mask is None:
        return valid
    return mask & valid.reshape(*valid.shape, *(1,) * (mask.ndim - 2))


def require_padding(
    x: jax.Array, mask: jax.Array | None, lengths: jax.Array | None, of: str = ""
) -> None:
    """TypeError or ValueError unless `mask` and `lengths` fit x; their names begin with `of`."""
    what = f"{of.removesuffix('_') or 'x'} {x.shape}"
    if mask is not None:
        if mask.dtype != bool:
            advice = f"write {of}mask.astype(bool)"
            raise TypeError(f"{of}mask holds {mask.dtype}, not booleans; {advice}")
        fits = 2 <= mask.ndim < x.ndim and mask.shape == x.shape[: mask.ndim]
        require(fits, f"{of}mask {mask.shape} needs shape {x.shape[:-1]} for {what}")
    if lengths is not None:
        if not jnp.issubdtype(lengths.dtype, jnp.integer):
            hold = f"{of}lengths hold {lengths.dtype}, not integers"
            raise TypeError(f"{hold}; write {of}lengths.astype(int)")
        fits = x.ndim > 2 and lengths.shape == x.shape[:1]
        require(fits, f"{of}lengths {lengths.shape} need shape {x.shape[:1]} for {what}")
