"""Metrics: means over examples, and sums of other kinds.

    mean      f(outputs, y) -> one number per example; the result is the mean over all examples;
              or (numbers, weights), for a weighted mean, such as one without padded positions
    Metric    total = init;  total = add(total, outputs, batch) for each batch;  value(total)

A mean is exact: each example has the same weight, also those of a short last batch. Sums carry
their rounding error along (Kahan 1965), so that long epochs do not lose digits.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from fcnn.ops.arrays import as_array
from fcnn.ops.returned import described
from fcnn.ops.sharding import automatically, explicit_mesh
from fcnn.ops.validation import named, require
from fcnn.training.batch import Batch, of_batch


class Metric(NamedTuple):
    """A metric that is not a mean over examples, such as an F-score or a confusion matrix.

    Options:
        init: total before the first batch, a pytree of arrays.
        add: function of (total, outputs, batch) -> total.
        value: function of the last total -> a number, or an array.

    >>> def add(matrix, outputs, batch):
    ...     return matrix.at[batch["y"], outputs.argmax(-1)].add(1)
    >>> confusion = fcnn.training.Metric(jnp.zeros((10, 10), int), add, lambda matrix: matrix)
    """

    init: Any
    add: Callable[[Any, Any, Batch], Any]
    value: Callable[[Any], Any]


class MeanTotal(NamedTuple):
    """Sum and number of values, each with the part that rounding cut off."""

    total: Any
    total_rest: Any
    number: Any
    number_rest: Any

    @classmethod
    def zero(cls) -> "MeanTotal":
        return cls(*jnp.zeros(4))

    def plus(self, each: jax.Array, weights: jax.Array | None = None) -> "MeanTotal":
        each = each.astype(float)
        weights = jnp.ones_like(each) if weights is None else weights.astype(float)
        weighted = jnp.where(weights == 0, 0, each * weights)  # what has no weight may be NaN
        total = _plus(self.total, self.total_rest, weighted.sum())
        number = _plus(self.number, self.number_rest, weights.sum())
        return MeanTotal(*total, *number)

    def value(self) -> Any:
        return (self.total + self.total_rest) / (self.number + self.number_rest)


def _plus(total, rest, a):
    """total + rest + a, and what its rounding cuts off."""
    a = a + rest
    new = total + a
    return new, a - (new - total)


def accuracy(outputs: jax.Array, y: jax.Array) -> jax.Array:
    """Whether the largest output has the index y: 1 or 0 for each example. It is a metric.

    Shapes: outputs (n, *positions, classes), y (n, *positions) integer labels, or
            (n, *positions, classes) probabilities, of which the largest is the label -> y's labels.
    Options:
        outputs: of the model, for example logits.
        y: labels.
    Raises: TypeError if labels are not integers; ValueError if shapes disagree.

    >>> outputs = jnp.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> fcnn.training.accuracy(outputs, jnp.array([0, 1, 0, 0]))
    Array([1., 1., 1., 0.], dtype=float32)
    """
    with named("accuracy"):
        outputs, y = as_array("outputs", outputs), as_array("y", y)
        if jnp.issubdtype(y.dtype, jnp.floating) and y.shape == outputs.shape:
            y = y.argmax(-1)
        if not jnp.issubdtype(y.dtype, jnp.integer):
            raise TypeError(f"y holds {y.dtype}, not integer labels; write y.astype(int)")
        fits = outputs.ndim > 0 and y.shape == outputs.shape[:-1]
        expected = f"expected {outputs.shape[:-1]}, one label per row of outputs {outputs.shape}"
        require(fits, f"y has shape {y.shape}; {expected}")
        classes = outputs.shape[-1]
        require(classes > 1, f"outputs {outputs.shape} have one class; write binary_accuracy")
    predicted = outputs.argmax(-1)
    return (predicted == y.astype(predicted.dtype)).astype(outputs.dtype)


def binary_accuracy(outputs: jax.Array, y: jax.Array) -> jax.Array:
    """Whether the sign of each logit agrees with its label: 1 or 0. It is a metric.

    Shapes: outputs and y (n, ...) -> (n, ...).
    Options:
        outputs: logits; a positive one predicts the label 1.
        y: labels 0 and 1, or probabilities, which are compared with ½.
    Raises: ValueError if shapes disagree.

    >>> fcnn.training.binary_accuracy(jnp.array([[2.0], [-1.0], [3.0]]), jnp.array([[1], [0], [0]]))
    Array([[1.],
           [1.],
           [0.]], dtype=float32)
    """
    with named("binary_accuracy"):
        outputs, y = as_array("outputs", outputs), as_array("y", y)
        require(outputs.shape == y.shape, f"outputs {outputs.shape} and y {y.shape} must be equal")
    return ((outputs > 0) == (y > 0.5)).astype(outputs.dtype)


def as_metrics(metrics: Any) -> dict[str, Metric]:
    """Every metric as a `Metric`.

    Raises: TypeError unless `metrics` is a dict of functions and triples.
    """
    if not isinstance(metrics, Mapping):
        write = "write metrics={'accuracy': fcnn.training.accuracy}"
        raise TypeError(f"metrics {metrics!r:.60} is not a dict; {write}")
    for name in metrics:
        if not isinstance(name, str):
            raise TypeError(f"metrics: {name!r:.60} is not a name; write a str")
    return {name: _as_metric(name, metric) for name, metric in metrics.items()}


def require_metrics(metrics: Any) -> dict[str, Metric]:
    """Every metric as a `Metric`; the name "loss" is the loss's."""
    measured = as_metrics(metrics)
    require("loss" not in measured, "metrics: the loss is always measured; leave out 'loss'")
    return measured


def values(metrics: Mapping[str, Metric], totals: Mapping[str, Any]) -> dict[str, Any]:
    """The results: floats, or arrays of NumPy for a metric whose value is an array."""
    found = {}
    for name, metric in metrics.items():
        value = np.asarray(metric.value(_exact(totals[name])))
        if value.dtype.kind not in "biufV":  # V: bfloat16 and other floats of ml_dtypes
            what = f"metric {name!r}: value returns {value.dtype}"
            raise TypeError(f"{what}; expected a number or an array")
        found[name] = float(value) if value.ndim == 0 else value
    return found


def types(tree: Any) -> Any:
    """The structure of a pytree, and the shape and dtype of each leaf."""
    facts = [(jnp.shape(a), jnp.result_type(a)) for a in jax.tree.leaves(tree)]
    return jax.tree.structure(tree), facts


def added(name: str, metric: Metric, total: Any, outputs: Any, batch: Batch) -> Any:
    """metric.add(total, outputs, batch), which must have the shapes and dtypes of `total`.

    On a mesh with explicit axes, XLA shards the addition of a metric that is no mean.
    """
    mesh = explicit_mesh(jax.tree.leaves(outputs))
    add = metric.add
    if mesh is not None and not isinstance(total, MeanTotal):
        add = automatically(metric.add, mesh, jax.tree.map(lambda _: PartitionSpec(), total))
    new = add(total, outputs, batch)
    if types(new) != types(total):
        what = f"metric {name!r}: add returns {described(new)}, but init is {described(total)}"
        raise TypeError(f"{what}; both need the same shapes and dtypes")
    return new


def _exact(total):
    """A mean's total in Python's float64, so that its quotient is not rounded to float32."""
    return MeanTotal(*map(float, total)) if isinstance(total, MeanTotal) else total


def _as_metric(name, metric):
    if callable(metric):
        return _mean(name, metric)
    if isinstance(metric, tuple) and len(metric) == 3 and all(map(callable, metric[1:])):
        return Metric(jax.tree.map(jnp.asarray, metric[0]), *metric[1:])
    what = f"metric {name!r} is {metric!r:.60}"
    raise TypeError(f"{what}; expected a function of (outputs, y), or a Metric(init, add, value)")


def _require_numbers_of(name, each, outputs):
    """TypeError unless a mean metric has one real number per example, position or output."""
    shape, whole = getattr(each, "shape", None), jax.tree.leaves(outputs)[0].shape
    what = f"metric {name!r} returns {described(each)} for outputs {whole}"
    if shape == ():
        raise TypeError(f"{what}; it must be one number per example: leave out .mean()")
    real = isinstance(each, jax.Array) and not jnp.issubdtype(each.dtype, jnp.complexfloating)
    if not real or shape != whole[: len(shape or ())]:
        advice = "do y and outputs have different shapes?"
        raise TypeError(f"{what}; it must be {whole[:1]}, one real number per example: {advice}")


def _mean(name, f):
    of = of_batch(f"metric {name!r}", f)

    def add(total, outputs, batch):
        found = of(outputs, batch)
        pair = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        for each in pair if pair[1] is not None else pair[:1]:
            _require_numbers_of(name, each, outputs)
        if pair[1] is not None and pair[0].shape != pair[1].shape:
            both = f"{pair[0].shape} and {pair[1].shape}"
            raise TypeError(f"metric {name!r}: numbers and weights have shapes {both}")
        return total.plus(*pair)

    return Metric(MeanTotal.zero(), add, MeanTotal.value)
