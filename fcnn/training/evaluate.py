"""Predictions and metrics of a trained model, one batch of examples at a time."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from fcnn.layers import Layer
from fcnn.layers.spec import as_arrays
from fcnn.ops.validation import named, require, require_counts
from fcnn.training.batch import (
    Recorded,
    as_batch,
    common_length,
    of_batch,
    outputs,
    require_all_read,
)
from fcnn.training.metrics import added, as_metrics, values
from fcnn.training.not_finite import require_labels
from fcnn.training.parts import require_layer
from fcnn.training.sources import Source, as_source, read


def predict(
    model: Layer, params: Any, state: Any, x: Any, *, batch_size: int = 500, **inputs: Any
) -> Any:
    """Outputs of a model in evaluation mode: without dropout, with running statistics.

    Floats in x are converted to the dtype of the parameters.

    Shapes: x (n, *shape) -> outputs (n, *out); x and the outputs may be pytrees.
    Options:
        model: a layer.
        params: parameters of the model.
        state: state of the model, {} if it has none.
        batch_size: largest number of examples computed at a time.
        inputs: side inputs that the model reads, with examples along the first axis, such as
            lengths=lengths.
    Raises: ValueError if x has no axis of examples, or inputs have another number of examples;
            TypeError if x does not hold numbers.
    Cost:   one forward pass; memory for the activations of `batch_size` examples.

    >>> model = fcnn.layers.dense(2, w_init=fcnn.layers.initializers.ones)
    >>> params, state = model.init(jax.random.key(0), (3,))
    >>> fcnn.training.predict(model, params, state, jnp.array([[1.0, 2.0, 3.0]]))
    Array([[6., 6.]], dtype=float32)
    """
    with named("predict"):
        require_counts(batch_size=batch_size)
        require_layer(model)
        _require_trees(params=params, state=state)
        given = {"x": x, **inputs}
        batch = as_batch(params, {name: as_arrays(name, a) for name, a in given.items()})
        n = common_length(batch)
    count = max(1, -(-n // batch_size))
    length = -(-n // count)

    def split(a):
        fill = [(0, count * length - n), *[(0, 0)] * (a.ndim - 1)]
        return jnp.pad(a, fill).reshape(count, length, *a.shape[1:])

    one = lambda batch: model.apply(
        params, state, batch["x"], **{name: batch[name] for name in inputs}
    )
    y = jax.lax.map(lambda batch: one(batch)[0], jax.tree.map(split, batch))
    return jax.tree.map(lambda a: a.reshape(count * length, *a.shape[2:])[:n], y)


def evaluate(
    model: Layer,
    params: Any,
    state: Any,
    source: Any,
    metrics: Mapping[str, Any],
    *,
    batch_size: int = 500,
) -> dict[str, Any]:
    """Metrics of a model in evaluation mode, by name.

    Shapes: each result is a float, or an array if the value of a `Metric` is an array.
    Options:
        model: a layer. It gets the entries of a batch that it reads, such as lengths.
        params: parameters of the model.
        state: state of the model, {} if it has none.
        source: a pair (x, y), a dict of arrays, or a source.
        metrics: functions (outputs, y), or (outputs, batch), -> one number per example, such as
            `accuracy` or a loss; or `Metric`s. Every example has the same weight.
        batch_size: largest number of examples computed at a time.
    Raises: ValueError if there are no examples, or an entry that neither the model nor a metric
            reads; TypeError for metrics that are not functions; errors of the model and metrics.
    Cost:   one forward pass, traced and compiled in each call.

    >>> model, metrics = fcnn.layers.identity(), {"accuracy": fcnn.training.accuracy}
    >>> x = jnp.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> fcnn.training.evaluate(model, {}, {}, (x, jnp.array([0, 1, 0, 0])), metrics)
    {'accuracy': 0.75}
    """
    with named("evaluate"):
        require_counts(batch_size=batch_size)
        require_layer(model)
        _require_trees(params=params, state=state)
        prepared = as_source("evaluate", source)
        evaluation = Evaluation(model, metrics, prepared, batch_size)
        evaluation.validate(params, state)
    return evaluation.run(params, state) or {}


AHEAD = 8  # batches that are dispatched before the host waits


class Evaluation:
    """Metrics of a model over a source, in batches of equal size but for the last."""

    def __init__(self, model: Layer, metrics: Any, source: Source, batch_size: int) -> None:
        self.model, self.source, self.metrics = model, source, as_metrics(metrics)
        require(bool(self.metrics), "no metric; write {'accuracy': fcnn.training.accuracy}")
        self.functions = [of_batch(name, f) for name, f in metrics.items() if callable(f)]
        count = -(-source.length // batch_size)
        size = -(-source.length // count)
        each = np.arange(source.length, dtype=np.int32)
        self.batches = [each[i : i + size] for i in range(0, source.length, size)]
        self.totals = {name: metric.init for name, metric in self.metrics.items()}
        add = self._add if source.arrays is None else self._read_and_add
        self._programs: dict[int, Callable[..., Any]] = {}
        self._jitted = jax.jit(add)

    def validate(self, params: Any, state: Any) -> None:
        """Trace one batch: errors of the model, metrics and labels, and unread entries."""
        read: set[str] = set()

        def measured(params, state, batch):
            batch = as_batch(params, batch)
            recorded, (y, _) = Recorded(batch), outputs(self.model, params, state, batch)
            found = [added(name, m, m.init, y, recorded) for name, m in self.metrics.items()]
            read.update(recorded.read)
            return found

        jax.eval_shape(measured, params, state, batch_spec(self.source, len(self.batches[0])))
        require_all_read(self.model, [*self.source.spec], read)
        require_labels(self.model, params, state, self.source, self.functions)

    def place(self, home: Sharding) -> None:
        """Copy the examples to the devices of `home` if they are on others."""
        arrays = self.source.arrays
        if arrays is not None and _devices(arrays) != home.device_set:
            moved = jax.device_put(arrays, home)
            self.source = dataclasses.replace(self.source, arrays=moved)

    def compile(self, params: Any, state: Any, compiled: Callable[[Any], Any]) -> None:
        """Compile for the batch sizes that occur; `compiled` makes a program of a lowered one."""
        for batch in {len(batch): batch for batch in self.batches}.values():
            args = params, state, self.totals, *self._data(batch)
            if not jax.config.values["jax_disable_jit"]:
                self._programs[len(batch)] = compiled(self._jitted.lower(*args))

    def run(
        self, params: Any, state: Any, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Any] | None:
        """The results by name, or None if `stop()` became true."""
        totals = self.totals
        for i, batch in enumerate(self.batches):
            if stop():
                return None
            run = self._programs.get(len(batch), self._jitted)
            totals = run(params, state, totals, *self._data(batch))
            if i % AHEAD == 0:
                jax.block_until_ready(totals)
        return values(self.metrics, totals)

    def _data(self, indices):
        source = self.source
        return (source.take(indices),) if source.arrays is None else (source.arrays, indices)

    def _read_and_add(self, params, state, totals, arrays, indices):
        return self._add(params, state, totals, read(arrays, indices))

    def _add(self, params, state, totals, batch):
        batch = as_batch(params, batch)
        y, _ = outputs(self.model, params, state, batch)
        return {name: added(name, m, totals[name], y, batch) for name, m in self.metrics.items()}


def batch_spec(source: Source, n: int) -> Any:
    """The spec of a batch of n examples."""
    each = lambda spec: jax.ShapeDtypeStruct((n, *spec.shape), spec.dtype)
    return jax.tree.map(each, dict(source.spec))


def _devices(arrays):
    return jax.tree.leaves(arrays)[0].sharding.device_set


def _require_trees(**trees):
    for name, tree in trees.items():
        if hasattr(tree, "params") or not isinstance(tree, Mapping):
            write = "write train_state.params, train_state.state"
            raise TypeError(f"{name} is a {type(tree).__name__}, not a dict; {write}")
