"""The reason of a loss or update that is not finite: the first example and entry, or parameter."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.layers import Layer
from fcnn.ops.arrays import is_float
from fcnn.training.batch import Batch, as_batch, of_batch, outputs
from fcnn.training.sources import Source
from fcnn.training.state import TrainState

ADVICE = "the learning rate may be too high"


def reason(
    update: Callable[[TrainState, Any], Any],
    model: Layer,
    train_state: TrainState,
    source: Source,
    indices: np.ndarray,
) -> str:
    """Why the step after `train_state`, on the examples with these indices, is not finite."""
    batch = as_batch(train_state.params, source.take(indices))
    if found := _entry(batch, indices) or _label(model, train_state, batch, indices):
        return f"{found} (step {int(train_state.step) + 1})"
    new, seen = jax.jit(update)(train_state, batch)
    step = int(train_state.step) + 1
    each = np.asarray(seen.each_loss, np.float64)
    bad = np.argwhere(~np.isfinite(each))
    if len(bad):
        example = int(indices[bad[0, 0]])
        value = each[tuple(bad[0])]
        return f"the loss of example {example} is {value} in step {step}: {ADVICE}"
    loss = float(each.mean())
    for path, a in jax.tree_util.tree_leaves_with_path(new.params):
        if is_float(a) and not bool(jnp.isfinite(a).all()):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            return f"the update of {name} in step {step} is not finite, at loss {loss:.4g}"
    return f"the mean loss is {loss} in step {step}: {ADVICE}"


def require_labels(model: Layer, params: Any, state: Any, source: Source, loss: Any) -> None:
    """ValueError for the first label on the device that the model has no output for.

    A label that gives a finite loss, such as an ignored one, is allowed.
    """
    y: Any = None if source.arrays is None else source.arrays.get("y")
    if not hasattr(y, "shape") or not jnp.issubdtype(y.dtype, jnp.integer):
        return
    one = as_batch(params, source.take(np.zeros(1, np.int32)))
    logits: Any = jax.eval_shape(lambda: outputs(model, params, state, one)[0])
    if not hasattr(logits, "shape") or logits.shape[1:-1] != y.shape[1:] or logits.ndim < 2:
        return
    classes, labels = logits.shape[-1], np.asarray(y)
    for at in np.argwhere((labels < 0) | (labels >= classes))[:1]:
        batch = as_batch(params, source.take(at[:1].astype(np.int32)))
        each = of_batch("loss", loss)(jnp.zeros(logits.shape, logits.dtype), batch)
        if not bool(jnp.isfinite(each).all()):
            raise ValueError(_out_of_range(at, labels[tuple(at)], classes))


def _entry(batch: Batch, indices: np.ndarray) -> str:
    """The first entry of the batch that is not finite; "" if all are."""
    for path, a in jax.tree_util.tree_leaves_with_path(dict(batch)):
        if is_float(a):
            values = np.asarray(a.astype(jnp.float32))
            for at in np.argwhere(~np.isfinite(values))[:1]:
                where = ", ".join(map(str, (int(indices[at[0]]), *map(int, at[1:]))))
                name = jax.tree_util.keystr(path, simple=True, separator="/")
                return f"{name}[{where}] is {values[tuple(at)]}"
    return ""


def _label(model, train_state, batch, indices):
    """A label of the batch without an output; "" if there is none, or y does not hold labels."""
    y: Any = batch.get("y")
    if not hasattr(y, "shape") or not jnp.issubdtype(y.dtype, jnp.integer):
        return ""
    params, state = train_state.params, train_state.state
    logits = jax.eval_shape(lambda: outputs(model, params, state, batch)[0])
    if getattr(logits, "shape", (0,))[:-1] != y.shape:
        return ""
    labels, classes = np.asarray(y), logits.shape[-1]
    for at in np.argwhere((labels < 0) | (labels >= classes))[:1]:
        return _out_of_range((indices[at[0]], *at[1:]), labels[tuple(at)], classes)
    return ""


def _out_of_range(at, label, classes):
    where = ", ".join(f"{i}" for i in at)
    return f"y[{where}] is {label}, but the model has classes 0 to {classes - 1}"
