"""The reason of a step that is not finite: an entry, a label, an example or a parameter."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.layers import Layer
from fcnn.ops.arrays import is_float
from fcnn.training.batch import Batch, OfBatch, as_batch, outputs
from fcnn.training.paths import with_paths
from fcnn.training.sources import Source
from fcnn.training.state import TrainState

ADVICE = "the learning rate may be too high"


def reason(
    update: Callable[[TrainState, Any], Any],
    loss: OfBatch,
    model: Layer,
    train_state: TrainState,
    source: Source,
    indices: np.ndarray,
) -> str:
    """Why the step after `train_state`, on the examples with these indices, is not finite."""
    step = int(train_state.step) + 1
    plain = train_state._replace(callbacks=None, totals=None)
    batch = as_batch(plain.params, source.take(indices))
    new, seen = jax.jit(update)(plain, batch)
    each = np.asarray(seen.each_loss)
    for row in np.argwhere(~np.isfinite(each))[:1]:
        at = int(row[0])
        if found := _entry(batch, at) or _label(loss, model, plain, batch, at):
            (name, *rest), value = found
            where = ", ".join(f"{i}" for i in (indices[rest[0]], *rest[1:]))
            return f"{name}[{where}] is {value} in step {step}"
        if found := _entry(seen.batch, at):
            (name, *_), value = found
            return f"{name} of example {indices[at]} is {value} in step {step}, after augmentation"
        value = each[tuple(row)]
        ids = any(jnp.issubdtype(a.dtype, jnp.integer) for a in jax.tree.leaves(batch["x"]))
        or_ids = ", or an integer of x is out of range" if ids else ""
        return f"the loss of example {indices[at]} is {value} in step {step}: {ADVICE}{or_ids}"
    loss_value = float(seen.each_loss.mean())
    if path := not_finite_path(new.params) or not_finite_path(new.state):
        return f"the update of {path} in step {step} is not finite, at loss {loss_value:.4g}"
    if not seen.skips and (path := not_finite_path(seen.gradient)):
        return f"the gradient of {path} in step {step} is not finite, at loss {loss_value:.4g}"
    return f"the mean loss is {loss_value} in step {step}: {ADVICE}"


def not_finite_path(tree: Any) -> str:
    """The path of the first array of floats that is not finite; "" if there is none."""
    for path, a in with_paths(tree):
        if is_float(a) and not bool(jnp.isfinite(a).all()):
            return path
    return ""


def require_labels(
    model: Layer, params: Any, state: Any, source: Source, functions: Iterable[OfBatch]
) -> None:
    """ValueError for the first label on the device that the model has no output for.

    A label for which no function, a loss or metric, is infinite or NaN is allowed: it is ignored,
    or it is no label.
    """
    y: Any = None if source.arrays is None else source.arrays.get("y")
    if not hasattr(y, "shape") or not jnp.issubdtype(y.dtype, jnp.integer):
        return
    one = as_batch(params, source.take(np.zeros(1, np.int32)))
    logits = _logits(model, params, state, one)
    if logits is None:
        return
    labels, classes = np.asarray(y), logits.shape[-1]
    for at in np.argwhere((labels < 0) | (labels >= classes))[:1]:
        batch = as_batch(params, source.take(at[:1].astype(np.int32)))
        zeros = jnp.zeros(logits.shape, logits.dtype)
        if not all(bool(jnp.isfinite(f(zeros, batch)).all()) for f in functions):
            where = ", ".join(f"{i}" for i in at)
            raise ValueError(f"y[{where}] is {_out_of(classes, labels[tuple(at)])}")


def _entry(batch: Batch, at: int) -> tuple[tuple[Any, ...], Any] | None:
    """The first entry that is not finite, of example `at` or else of any example of the batch."""
    for rows in (slice(at, at + 1), slice(None)):
        for name, a in with_paths(dict(batch)):
            if is_float(a):
                values = np.asarray(a.astype(jnp.float32))[rows]
                for place in np.argwhere(~np.isfinite(values))[:1]:
                    first = int(place[0]) + (rows.start or 0)
                    return (name, first, *map(int, place[1:])), values[tuple(place)]
    return None


def _label(loss, model, train_state, batch: Mapping[str, Any], at: int):
    """A label of example `at` without an output, for which the loss is not finite."""
    y: Any = batch.get("y")
    if not hasattr(y, "shape") or not jnp.issubdtype(y.dtype, jnp.integer):
        return None
    one = jax.tree.map(lambda a: a[at : at + 1], dict(batch))
    logits = _logits(model, train_state.params, train_state.state, one)
    if logits is None:
        return None
    labels, classes = np.asarray(one["y"]), logits.shape[-1]
    value = loss(jnp.zeros(logits.shape, logits.dtype), one)
    for place in np.argwhere((labels < 0) | (labels >= classes))[:1]:
        if not bool(jnp.isfinite(value).all()):
            return ("y", at, *map(int, place[1:])), f"{_out_of(classes, labels[tuple(place)])},"
    return None


def _logits(model, params, state, batch) -> Any:
    """The spec of the outputs, if they are logits with one row for each integer in y; else None."""
    y: Any = batch["y"]
    logits: Any = jax.eval_shape(lambda: outputs(model, params, state, batch)[0])
    return logits if getattr(logits, "shape", (0,))[:-1] == y.shape else None


def _out_of(classes, label):
    return f"{label}, but the model has classes 0 to {classes - 1}"
