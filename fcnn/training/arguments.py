"""Validation of the arguments of `fit` before the first step, with one-line error messages."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.ops.validation import require, require_integers, require_key
from fcnn.training.batch import Recorded, of_batch, require_all_read
from fcnn.training.callbacks import Callback
from fcnn.training.evaluate import one_example, require_layer
from fcnn.training.metrics import Metric, as_metrics
from fcnn.training.not_finite import require_labels
from fcnn.training.sources import Source
from fcnn.training.state import TrainState, create
from fcnn.training.step import updating


def require_parts(model, loss, optimizer, augment, callbacks, key) -> None:
    """TypeError unless these are a layer, functions, an optimizer, callbacks and a key."""
    require_layer(model)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        what = f"optimizer {optimizer!r:.60} is not an optimizer of optax"
        raise TypeError(f"{what}; write optax.adam(1e-3)")
    if not callable(loss):
        write = "write fcnn.softmax_cross_entropy"
        raise TypeError(f"loss {loss!r:.60} is not a function of (outputs, y); {write}")
    if augment is not None and not callable(augment):
        write = "write fcnn.data.augment.shift(2)"
        raise TypeError(f"augment {augment!r:.60} is not a function of (key, batch); {write}")
    require_key(key)
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks {callbacks!r:.60} is not a list; write callbacks=[...]")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            write = "write fcnn.training.print_progress()"
            raise TypeError(f"callback {callback!r:.60} is not a Callback; {write}")
    names = [callback.name for callback in callbacks]
    require(len({*names}) == len(names), f"callbacks {', '.join(names)}: a name occurs twice")


def require_counts(*, epochs, batch_size, every) -> None:
    """TypeError unless these are integers; ValueError for a negative or zero count."""
    every = 1 if every is None else every
    require_integers(epochs=epochs, batch_size=batch_size, every=every)
    require(epochs >= 0, f"epochs {epochs} must not be negative")
    require(batch_size >= 1, f"batch_size {batch_size} must be at least 1")
    require(every >= 1, f"every {every} must be at least 1")


def require_metrics(metrics: Any) -> dict[str, Metric]:
    """Every metric as a `Metric`; the name "loss" is the loss's."""
    measured = as_metrics(metrics)
    require("loss" not in measured, "metrics: the loss is always measured; leave out 'loss'")
    return measured


def require_needs(callbacks: Sequence[Callback], measured: set[str]) -> None:
    """ValueError if a callback reads a validation metric that is not measured."""
    for callback in callbacks:
        for name in callback.needs:
            what = f"{callback.name} reads the validation {name}"
            require(bool(measured), f"{what}; write validation=(x, y)")
            known = ", ".join(sorted(measured))
            require(name in measured, f"{what}, which is not measured; expected one of {known}")


def require_batch_size(source: Source, batch_size: int) -> None:
    """ValueError if the devices of a mesh do not divide the batch size."""
    shards = source.shards
    require(
        batch_size % shards == 0,
        f"batch_size {batch_size} must be a multiple of the {shards} devices that share a batch",
    )


def start_state(model, optimizer, source, key, start, total) -> TrainState:
    """The state before the first step: a new one, or `start`, which must fit."""
    shapes = jax.tree.map(lambda spec: tuple(spec.shape), dict(source.spec))
    inputs = {name: shape for name, shape in shapes.items() if name in model.reads and name != "x"}
    made = partial(create, model, optimizer, shapes["x"], **inputs)
    if start is None:
        return made(key)
    if not isinstance(start, TrainState):
        write = "write start=run.train_state, where run is what fit returned"
        raise TypeError(f"start is a {type(start).__name__}, not a TrainState; {write}")
    _require_same(start, jax.eval_shape(made, key), "start: ")
    step = int(start.step)
    require(
        step <= total,
        f"start is at step {step}, but the run ends at step {total}; write a larger epochs, which "
        "counts from step 0, or start=start._replace(step=0)",
    )
    return start._replace(step=jnp.asarray(step, jnp.int32))


def trace(model, loss, optimizer, metrics, augment, train_state, source) -> None:
    """Trace one step: errors of the model, the loss and the metrics, and unread entries."""
    read: set[str] = set()

    def recording(outputs, batch):
        recorded = Recorded(batch)
        each = of_batch("loss", loss)(outputs, recorded)
        read.update(recorded.read)
        return each

    def step(train_state, batch):
        train_state, seen = updating(model, recording, optimizer, augment)(train_state, batch)
        recorded = Recorded(seen.batch)
        for metric in metrics.values():
            metric.add(metric.init, seen.outputs, recorded)
        read.update(recorded.read)
        return train_state

    new = jax.eval_shape(step, train_state, one_example(source))
    _require_same(new, train_state, "after a step, ")
    require_all_read(model, [*source.spec], read)
    require_labels(model, train_state.params, train_state.state, source, loss)


def _require_same(given: TrainState, expected: TrainState, what: str) -> None:
    """ValueError for the first array whose shape or dtype differs."""
    for part in ("params", "state", "opt_state"):
        found, wanted = (_arrays(getattr(each, part)) for each in (given, expected))
        for path in {**wanted, **found}:
            one, other = (arrays.get(path, "missing") for arrays in (found, wanted))
            because = "the optimizer" if part == "opt_state" else "the model"
            require(one == other, f"{what}{part}/{path} is {one}, but {because} has {other}")


def _arrays(tree):
    """dtype and shape of each array, by path."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    spec = lambda a: f"{jnp.result_type(a)}{jnp.shape(a)}"
    return {name(path): spec(a) for path, a in jax.tree_util.tree_leaves_with_path(tree)}
