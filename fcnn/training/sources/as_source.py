"""What `fit` and `evaluate` take as a source, and the error messages for everything else."""

from typing import Any

import jax

from fcnn.ops.validation import named
from fcnn.training.batch import as_dict
from fcnn.training.sources.from_host import from_host
from fcnn.training.sources.on_device import on_device
from fcnn.training.sources.source import Source, facts, on_host

DEVICE_BYTES = 2**30  # largest size of arrays that are copied to the device as a whole


def as_source(caller: str, given: Any) -> Source:
    """`given` as a source: arrays of at most DEVICE_BYTES are copied to the device.

    Options:
        caller: the first words of error messages.
    Raises: TypeError if `given` is no source, pair or dict; the message shows what to write.
    """
    if isinstance(given, Source):
        return given
    with named(caller):
        _require_arrays(given)
        host = {name: on_host(name, a) for name, a in as_dict("examples", given).items()}
        facts(host)
    small = sum(a.nbytes for a in jax.tree.leaves(host)) <= DEVICE_BYTES
    return on_device(host) if small else from_host(host)


def _require_arrays(given):
    """TypeError unless `given` is a pair or a dict."""
    kind = type(given).__name__
    expected = "examples must be a pair (x, y), a dict with x, or a source"
    if hasattr(given, "train") and hasattr(given, "test"):
        raise TypeError(f"{expected}, not {kind}; write data.train, where data is the {kind}")
    if not isinstance(given, dict) and not (isinstance(given, tuple) and len(given) == 2):
        write = "from_indexable(examples)"
        if isinstance(given, float):
            write = "train, validation = fcnn.data.split(examples, share)"
        elif isinstance(given, tuple):
            write = '{"x": x, "y": y, "weights": weights}'
        elif isinstance(given, list):
            write = f"(np.array(x), np.array(y)), or {write}"
        elif hasattr(given, "dataset"):
            write = "from_indexable(loader.dataset), which has positions"
        elif hasattr(given, "shape"):
            write = '(x, y), or {"x": x} for a loss that reads x only'
        elif not hasattr(type(given), "__getitem__"):
            write += ", of examples with len and [i]: without positions, it could not be continued"
        raise TypeError(f"{expected}, not {kind}; write {write}")
