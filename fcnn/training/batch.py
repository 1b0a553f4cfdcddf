"""A batch: a dict of arrays with the examples along the first axis.

    x        input of the model, an array or a pytree
    y        labels or targets
    others   side inputs that the model reads (mask, lengths, context), or entries for the loss

A pair (x, y) is short for {"x": x, "y": y}.

A loss or a metric is a function of (outputs, y). If its second parameter is called `batch`, it gets
the whole batch.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import jax

from fcnn.layers import Layer
from fcnn.layers.spec import as_arrays
from fcnn.ops.arrays import is_float
from fcnn.ops.validation import named, require

Batch = Mapping[str, Any]
OfBatch = Callable[[Any, Batch], Any]  # (outputs, batch) -> a value


def as_dict(what: str, given: Any) -> dict[str, Any]:
    """The entries of a batch, or of all examples, from a dict or a pair.

    Raises: TypeError if `given` is neither.
    """
    if isinstance(given, Mapping):
        for name in given:
            if not isinstance(name, str):
                raise TypeError(f"{what}: {name!r:.60} is not a name; write a str")
        require("x" in given, f"{what} has {', '.join(map(str, given)) or 'no entry'}, but no x")
        return dict(given)
    if isinstance(given, tuple) and len(given) == 2:
        return {"x": given[0], "y": given[1]}
    write = ""
    if isinstance(given, tuple) and len(given) > 2:
        write = '; write {"x": x, "y": y, "weights": weights}'
    raise TypeError(f"{what} must be a pair (x, y) or a dict with x, not {_kind(given)}{write}")


def as_batch(params: Any, given: Any) -> dict[str, Any]:
    """A batch as a dict of JAX arrays, with floats in the dtype of the parameters.

    For example, float32 data are converted for bfloat16 parameters. If the parameters have several
    dtypes, the batch is unchanged.
    """
    batch = {name: as_arrays(name, a) for name, a in as_dict("batch", given).items()}
    return jax.tree.map(partial(_cast, dtype_of(params)), batch)


def dtype_of(params: Any) -> Any:
    """The dtype of the floats in `params`, or None if they have several dtypes."""
    dtypes = {p.dtype for p in jax.tree.leaves(params) if is_float(p)}
    return dtypes.pop() if len(dtypes) == 1 else None


def common_length(arrays: Batch) -> int:
    """The number of examples, which must be equal in all entries."""
    lengths: dict[int, str] = {}
    for name, tree in arrays.items():
        for a in jax.tree.leaves(tree):
            require(a.ndim > 0, f"{name} is one number, without an axis of examples")
            lengths.setdefault(a.shape[0], name)
    if len(lengths) > 1:
        (n, name), (m, other), *_ = lengths.items()
        one = "; a single example needs a batch axis: write x[None]" if 1 in lengths else ""
        raise ValueError(f"{name} has {n} examples, but {other} has {m}{one}")
    (n,) = lengths
    return n


def _cast(dtype, a):
    return a.astype(dtype) if dtype is not None and is_float(a) else a


def outputs(
    model: Layer, params: Any, state: Any, batch: Batch, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """Outputs and the new state of the model, with the entries of the batch that it reads."""
    inputs = {name: batch[name] for name in batch if name in model.reads and name != "x"}
    return model.apply(params, state, batch["x"], **options, **inputs)


def of_batch(name: str, f: Callable[[Any, Any], Any]) -> OfBatch:
    """The loss or metric f as a function of (outputs, batch)."""

    whole = _second_parameter(f) == "batch"

    def of(outputs, batch):
        with named(name):
            if not whole:
                require("y" in batch, f"reads y, but the batch has {', '.join(batch)}")
            try:
                return f(outputs, batch if whole else batch["y"])
            except jax.errors.JAXTypeError as error:  # its message has many lines
                what = f"{type(error).__name__}: NumPy and Python cannot compute with traced arrays"
                raise TypeError(f"{what}; use jax.numpy, or a Metric") from None
            except (TypeError, IndexError) as error:
                if whole or "string ind" not in f"{error}":
                    raise
                advice = "call its second parameter `batch` to get the whole batch"
                raise TypeError(f"y has no entries by name; {advice}") from None

    return of


def _second_parameter(f):
    try:
        names = [*inspect.signature(f).parameters]
    except (TypeError, ValueError):  # a function in C has no signature
        return None
    return names[1] if len(names) > 1 else None


class Recorded(dict):
    """A batch that records in `read` which of its entries are read."""

    def __init__(self, batch: Batch):
        super().__init__(batch)
        self.read: set[str] = set()

    def __iter__(self):  # dict(batch) and {**batch} call __getitem__ where __iter__ is defined
        return super().__iter__()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def __missing__(self, name):
        raise ValueError(f"batch has no entry {name!r}; it has {', '.join(self)}")

    def get(self, name, default=None):
        return self[name] if name in self else default

    def copy(self):
        return dict(self)

    def values(self):
        self.read.update(self)
        return super().values()

    def items(self):
        self.read.update(self)
        return super().items()


# A jitted loss takes the batch apart, and so reads all of it.
jax.tree_util.register_pytree_node(
    Recorded,
    lambda batch: ([batch[name] for name in sorted(batch)], tuple(sorted(batch))),
    lambda names, entries: Recorded(dict(zip(names, entries, strict=True))),
)


def require_all_read(model: Layer, names: Collection[str], read: Collection[str]) -> None:
    """ValueError for an entry of a batch that neither the model nor a loss or metric reads."""
    unread = [name for name in names if name not in {"x", *read, *model.reads}]
    if unread:
        reads = ", ".join(sorted(model.reads)) or "nothing besides x"
        raise ValueError(
            f"batch entry {unread[0]!r} is not read: the model reads {reads}; leave it out, "
            "or read it in a loss of (outputs, batch)"
        )


def _kind(given):
    return f"an array {given.shape}" if hasattr(given, "shape") else type(given).__name__
