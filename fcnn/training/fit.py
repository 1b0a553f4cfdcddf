"""Training loop around the pure steps; the only part of training that prints."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fcnn.layers import Layer
from fcnn.ops.arrays import as_array
from fcnn.ops.validation import named, require_integers, require_key
from fcnn.training.evaluate import evaluate
from fcnn.training.shuffle import shuffled_indices
from fcnn.training.state import TrainState, create
from fcnn.training.step import Loss, scan_steps, train_step
from fcnn.training.validation import find_invalid

Pair = Any  # (x, y), each an array or a value that `as_array` converts
DEVICE_BYTES = 2**30


class EpochMetrics(NamedTuple):
    """Metrics of one epoch, printed as one line."""

    epoch: int  # from 1
    loss: float  # mean over the steps
    accuracy: float  # mean over the steps; each step measures it before its update
    test_accuracy: float | None
    seconds: float  # the first epoch includes compilation

    def __str__(self) -> str:
        test = "" if self.test_accuracy is None else f", test {self.test_accuracy:6.2%}"
        accuracy = f"train {self.accuracy:6.2%}{test}"
        return f"epoch {self.epoch:3d}: loss {self.loss:.4f}, {accuracy}, {self.seconds:.2f} s"


def fit(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    train: Pair,
    *,
    epochs: int,
    batch_size: int,
    key: jax.Array,
    test: Pair | None = None,
    report: Callable[[EpochMetrics], None] = print,
    device_bytes: int = DEVICE_BYTES,
) -> tuple[TrainState, list[EpochMetrics]]:
    """Train a model, and return its state with the metrics of each epoch.

    If all examples have at most `device_bytes` bytes, they are copied to the device, and an epoch
    is one compiled scan. Larger data stay on the host, where they may be memory-mapped. Each batch
    is then copied while the step of the previous batch runs.

    x and y are arrays of NumPy or JAX, or lists of numbers. Floats are converted to the dtype of
    the parameters.

    Shapes: x (n, *shape), y (n, *targets); an epoch has max(1, n // batch_size) steps.
    Options:
        model: a layer.
        loss: function (outputs, y) -> one number per example.
        optimizer: of optax.
        train: the pair (x, y) of training examples.
        epochs: number of passes over the examples.
        batch_size: examples of one step.
        key: random key for the parameters, the order of examples, and dropout.
        test: a pair (x, y) with integer labels y, for `test_accuracy` after each epoch.
        report: called with the `EpochMetrics` of each epoch.
        device_bytes: largest size of the data that is copied to the device as a whole.
    Raises: ValueError if x and y differ in length or are empty, or if the loss is not finite;
            TypeError if x or y do not hold numbers, if `key` is not a random key, or if the loss
            does not return one float per example. The test set is validated before the first epoch.
    Cost:   each call traces and compiles its programs again, since a loss may read variables that
            have changed. jax.config.update("jax_compilation_cache_dir", DIR) keeps compiled
            programs.

    >>> import optax
    >>> x, y = jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1])
    >>> model, loss, quiet = fcnn.layers.dense(2), fcnn.softmax_cross_entropy, lambda epoch: None
    >>> options = {"epochs": 20, "batch_size": 2, "key": jax.random.key(0), "report": quiet}
    >>> train_state, history = fcnn.training.fit(model, loss, optax.sgd(1.0), (x, y), **options)
    >>> history[-1].accuracy, fcnn.training.predict(model, train_state, x).argmax(1)
    (1.0, Array([0, 0, 1, 1], dtype=int32))
    """
    _require_parts(model, loss, optimizer, report)
    x, y = train = _pair("train", train)
    test = None if test is None else _pair("test", test)
    _validate(train, test, epochs, batch_size)
    with named("fit"):
        require_key(key)
    model_key, shuffle_key = jax.random.split(key)
    train_state = create(model, optimizer, x.shape[1:], model_key)
    step = train_step(model, loss, optimizer)
    source = _on_device if x.nbytes + y.nbytes <= device_bytes else _from_host
    run_epoch = source(step, x, y)
    test_accuracy = jax.jit(partial(evaluate, model))
    if test is not None:  # errors in the test set are raised before the first epoch
        jax.eval_shape(test_accuracy, train_state, *(_first("fit: test", a) for a in test))
        if why := find_invalid(model, *test):
            raise ValueError(f"fit: test: {why}")
    steps = max(1, len(x) // batch_size)
    seeds = np.asarray(jax.random.bits(shuffle_key, (epochs,), "uint32"))
    history = []
    for epoch, seed in enumerate(seeds, start=1):
        start = perf_counter()
        indices = shuffled_indices(len(x), batch_size, steps, int(seed))
        train_state, metrics = run_epoch(train_state, indices)
        mean_loss, accuracy = (float(np.mean(m)) for m in metrics)
        if not np.isfinite(mean_loss):
            why = find_invalid(model, x, y)
            why = why or "the learning rate is too high, or a label is out of range"
            raise ValueError(f"fit: the loss is {mean_loss} in epoch {epoch}: {why}")
        on_test = None
        if test is not None:  # the test set may be on another device than the parameters
            arrays = tuple(map(as_array, ("fit: test x", "fit: test y"), test))
            arrays = jax.device_put(arrays, train_state.step.sharding)
            on_test = float(test_accuracy(train_state, *arrays))
        seconds = perf_counter() - start
        history.append(EpochMetrics(epoch, mean_loss, accuracy, on_test, seconds))
        report(history[-1])
    return train_state, history


def _require_parts(model, loss, optimizer, report):
    """TypeError unless these are a layer, an optimizer and functions; the message shows a call."""
    if not isinstance(model, Layer):
        raise TypeError(f"fit: model {model!r:.60} is not a layer; write fcnn.models.mlp()")
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        what = f"optimizer {optimizer!r:.60} is not an optimizer of optax"
        raise TypeError(f"fit: {what}; write optax.adam(1e-3)")
    for name, f in (("loss", loss), ("report", report)):
        if not callable(f):
            raise TypeError(f"fit: {name} {f!r:.60} is not a function")


def _validate(train, test, epochs, batch_size):
    with named("fit"):
        require_integers(epochs=epochs, batch_size=batch_size)
    for what, pair in (("", train), ("test: ", test)):
        if pair is None:
            continue
        x, y = pair
        if len(x) != len(y):
            raise ValueError(f"fit: {what}{len(x)} examples but {len(y)} targets")
        if len(x) < 1 or batch_size < 1:
            raise ValueError(
                f"fit: {what}{len(x)} examples in batches of {batch_size}; both must be at least 1"
            )
    if epochs < 0:
        raise ValueError(f"fit: epochs {epochs} must not be negative")


def _pair(what: str, given: Any) -> tuple[Any, ...]:
    """x and y as arrays. NumPy arrays, memory-mapped or not, and JAX arrays are unchanged."""
    try:
        x, y = given
    except (TypeError, ValueError):
        kind = type(given).__name__
        write = f"; write data.{what}, where data is the {kind}" if hasattr(given, what) else ""
        raise TypeError(f"fit: {what} must be a pair (x, y) of arrays, not {kind}{write}") from None
    pair = []
    for name, a in (("x", x), ("y", y)):
        if not isinstance(a, np.ndarray | jax.Array):
            a = as_array(f"fit: {name}", a)
        if a.ndim == 0:
            raise ValueError(f"fit: {name} is one number, without an axis of examples")
        _first(f"fit: {name}", a)
        pair.append(a)
    return tuple(pair)


def _first(what: str, a: np.ndarray | jax.Array) -> jax.ShapeDtypeStruct:
    """Shape and dtype of a batch of one example; TypeError if it does not hold numbers."""
    dtype = a.dtype if isinstance(a, jax.Array) else as_array(what, a[:1]).dtype
    return jax.ShapeDtypeStruct((1, *a.shape[1:]), dtype)


def _on_device(step, x, y):
    """One epoch as a compiled scan over examples on the device."""
    data = as_array("fit: x", x), as_array("fit: y", y)
    run_epoch = jax.jit(partial(scan_steps, step), donate_argnums=0)
    return lambda train_state, indices: run_epoch(train_state, data, indices)


def _from_host(step, x, y):
    """One epoch as a loop that copies each batch to the device."""
    step = jax.jit(step, donate_argnums=0)

    def run_epoch(train_state, indices):
        metrics = []
        for i in indices:  # dispatch is asynchronous: the next batch is read while a step runs
            batch = as_array("fit: x", x[i]), as_array("fit: y", y[i])
            train_state, m = step(train_state, batch)
            metrics.append(m)
        return train_state, jax.tree.map(lambda *m: jnp.stack(m), *metrics)

    return run_epoch
