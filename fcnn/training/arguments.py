"""Validation of the arguments of `fit` before the first step, with one-line error messages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import is_float
from fcnn.ops.validation import Named, require, require_integers, require_key
from fcnn.training.batch import Recorded, of_batch, require_all_read
from fcnn.training.callbacks import Callback
from fcnn.training.checkpoint import Checkpoints
from fcnn.training.evaluate import batch_spec
from fcnn.training.metrics import added
from fcnn.training.not_finite import not_finite_path, require_labels
from fcnn.training.parts import (
    require_augmentation,
    require_layer,
    require_loss,
    require_optimizer,
)
from fcnn.training.paths import with_paths
from fcnn.training.sources import Source
from fcnn.training.state import TrainState, create
from fcnn.training.step import updating


@contextmanager
def within(what: str) -> Iterator[None]:
    """Put "what: " in front of the message of a ValueError or TypeError, also of a named one."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if type(error) in (ValueError, TypeError):
            error.args = (Named(f"{what}: {error}"),)
        raise


def require_parts(model, loss, optimizer, augment, callbacks, key) -> None:
    """TypeError unless these are a layer, functions, an optimizer, callbacks and a key."""
    require_layer(model)
    require_optimizer(optimizer)
    require_loss(loss)
    require_augmentation(augment)
    require_key(key)
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks {callbacks!r:.60} is not a list; write callbacks=[...]")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            write = "write fcnn.training.print_progress()"
            raise TypeError(f"callback {callback!r:.60} is not a Callback; {write}")
    names = [callback.name for callback in callbacks]
    require(len({*names}) == len(names), f"callbacks {', '.join(names)}: a name occurs twice")


def require_counts(*, epochs, batch_size, every, accumulate) -> None:
    """TypeError unless these are integers; ValueError for a negative or zero count."""
    every = 1 if every is None else every
    require_integers(epochs=epochs, batch_size=batch_size, every=every, accumulate=accumulate)
    require(epochs >= 0, f"epochs {epochs} must not be negative")
    require(batch_size >= 1, f"batch_size {batch_size} must be at least 1")
    require(every >= 1, f"every {every} must be at least 1")
    require(accumulate >= 1, f"accumulate {accumulate} must be at least 1")


def require_needs(callbacks: Sequence[Callback], measured: set[str]) -> None:
    """ValueError if a callback reads a validation metric that is not measured."""
    for callback in callbacks:
        for name in callback.needs:
            what = f"{callback.name} reads the validation {name}"
            require(bool(measured), f"{what}; write validation=(x, y)")
            known = ", ".join(sorted(measured))
            require(name in measured, f"{what}, which is not measured; expected one of {known}")


def require_measured(checkpoints: Checkpoints | None, measured: set[str]) -> None:
    """ValueError if the best checkpoint is kept by a metric that validation does not measure."""
    best = None if checkpoints is None else checkpoints.keep.best
    known = ", ".join(sorted(measured)) or "none: write validation=(x, y)"
    require(
        best is None or best in measured,
        f"checkpoints keep the best by the validation {best!r}; expected one of {known}",
    )


def require_batch_size(source: Source, batch_size: int, accumulate: int) -> None:
    """ValueError for a batch of more than all examples, or that cannot be shared or cut."""
    n, shards = source.length, source.shards
    require(batch_size <= n, f"batch_size {batch_size} exceeds the {n} examples; write {n}")
    require(
        batch_size % shards == 0,
        f"batch_size {batch_size} must be a multiple of the {shards} devices that share a batch",
    )
    parts = f"the {accumulate} parts" + f" times {shards} devices that share them" * (shards > 1)
    fits = batch_size % (accumulate * shards) == 0
    require(fits, f"batch_size {batch_size} must be a multiple of accumulate, {parts}")


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
    _require_same(start, jax.eval_shape(made, key), "start: ", _kinds)
    if path := not_finite_path(start.params) or not_finite_path(start.state):
        raise ValueError(f"start: {path} is not finite")
    step = int(start.step)
    require(step == start.step and step >= 0, f"start: step {start.step} must be an integer >= 0")
    require(
        step <= total,
        f"start is at step {step}, but the run ends at step {total}; write a larger epochs, which "
        "counts from step 0, or start=start._replace(step=0)",
    )
    return start._replace(step=jnp.asarray(step, jnp.int32))


def trace(model, loss, optimizer, metrics, augment, train_state, source, batch_size) -> None:
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
        for name, metric in metrics.items():
            added(name, metric, metric.init, seen.outputs, recorded)
        read.update(recorded.read)
        return train_state

    new = jax.eval_shape(step, train_state, batch_spec(source, batch_size))
    _require_same(new, train_state, "after a step, ")
    require_all_read(model, [*source.spec], read)
    params, state = train_state.params, train_state.state
    require_labels(model, params, state, source, [of_batch("loss", loss)])


def _specs(a):
    return f"{jnp.result_type(a)}{jnp.shape(a)}"


def _kinds(a):
    """Like `_specs`, where floats of any dtype are equal: parameters may be bfloat16."""
    return f"{'floats' if is_float(a) else jnp.result_type(a)}{jnp.shape(a)}"


def _require_same(given: TrainState, expected: TrainState, what: str, facts=_specs) -> None:
    """ValueError for the first array whose facts, such as shape and dtype, differ."""
    for part in ("params", "state", "opt_state"):
        found, wanted = (_by_path(facts, getattr(each, part)) for each in (given, expected))
        for path in {**wanted, **found}:
            one, other = (arrays.get(path, "missing") for arrays in (found, wanted))
            because = f"the model has {other}"
            if part == "opt_state":
                write = "create(..., params=start.params, state=start.state) begins with another"
                because = f"the optimizer has {other}; {write}"
            require(one == other, f"{what}{part}/{path} is {one}, but {because}")


def _by_path(facts, tree):
    """The facts of each array, by path."""
    return {path: facts(a) for path, a in with_paths(tree)}
