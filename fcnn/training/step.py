"""Train steps as pure functions.

    g           = d/dparams mean over the batch of loss(model(x), y)
    update, opt = optimizer(g, opt)
    params      = params + update

`train_step` makes the step, a function of (TrainState, batch). `scan_steps` scans the step over
indices into arrays on the device, so that an epoch is one compiled loop without a dispatch per
step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer
from fcnn.ops.arrays import as_array
from fcnn.ops.returned import described
from fcnn.ops.sharding import of_batch
from fcnn.training.state import TrainState, cast

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # (outputs, targets) -> one number per example
Batch = tuple[Any, Any]  # x and y: arrays, or values that `as_array` converts
Step = Callable[[TrainState, Batch], tuple[TrainState, "Metrics"]]


class Metrics(NamedTuple):
    """Metrics of one step, on its batch, before the update of the parameters."""

    loss: jax.Array
    accuracy: jax.Array


def train_step(model: Layer, loss: Loss, optimizer: optax.GradientTransformation) -> Step:
    """Make a train step: a pure function (TrainState, (x, y)) -> (TrainState, Metrics).

    Floats in x and y are converted to the dtype of the parameters. The function is not jitted.

    Shapes: of the step: x (n, *shape), y of the shape that the loss needs; a metric is one number.
    Options:
        model: a layer.
        loss: function (outputs, y) -> one number per example; the step minimizes its mean.
        optimizer: of optax.
    Units:  the metric `loss` is the mean over the batch; `accuracy` is the share of examples whose
            largest output has the index y, or NaN if y does not hold integer labels.
    Raises: from the step, when traced: TypeError if x or y do not hold numbers, or if the loss does
            not return one float per example; errors of the model and of the loss.
    Source: Robbins & Monro 1951.

    >>> import optax
    >>> model, sgd = fcnn.layers.dense(1, w_init=fcnn.layers.initializers.zeros), optax.sgd(0.5)
    >>> step = fcnn.training.train_step(model, fcnn.squared_error, sgd)
    >>> train_state = fcnn.training.create(model, sgd, (1,), jax.random.key(0))
    >>> train_state, metrics = step(train_state, (jnp.array([[1.0]]), jnp.array([[3.0]])))
    >>> metrics.loss, train_state.params["w"]
    (Array(4.5, dtype=float32), Array([[1.5]], dtype=float32))
    """

    def objective(params, state, x, y, key):
        outputs, state = model.apply(params, state, x, key=key, train=True)
        value = loss(outputs, y)
        require_per_example(value, outputs.shape)
        return value.mean(), (state, accuracy(outputs, y))

    def step(train_state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        i, params, state, opt_state, key = train_state
        x, y = cast(params, *map(as_array, ("train_step: x", "train_step: y"), batch))
        gradient = jax.value_and_grad(objective, has_aux=True)
        (value, (state, share)), g = gradient(params, state, x, y, jax.random.fold_in(key, i))
        updates, opt_state = optimizer.update(g, opt_state, params)
        params = optax.apply_updates(params, updates)
        return TrainState(i + 1, params, state, opt_state, key), Metrics(value, share)

    return step


def require_per_example(value: Any, outputs: tuple[Any, ...]) -> None:
    """Raise TypeError unless a loss has one float per example, position or entry of the outputs."""
    per = ", or one per ".join(["example", *["position"] * (len(outputs) > 2)])
    what = f"loss: returns {described(value)} for outputs {outputs}"
    shape = getattr(value, "shape", None)
    if shape == ():
        raise TypeError(f"{what}; it must be one number per {per}: leave out .mean() or .sum()")
    if not isinstance(value, jax.Array) or not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"{what}; it must be an array of floats, one per {per}")
    if shape != outputs[: value.ndim]:
        y = "do labels or targets have another shape than outputs?"
        raise TypeError(f"{what}; it must be {outputs[:1]}, one number per {per}: {y}")


def scan_steps(
    step: Step, train_state: TrainState, data: Batch, indices: jax.typing.ArrayLike
) -> tuple[TrainState, Metrics]:
    """Steps over batches of examples on the device, as one `lax.scan`.

    Shapes: data (x, y), x (n, *shape), y (n, *targets); indices (steps, batch_size) int32 in
            0 .. n - 1; each metric (steps,). If a mesh with explicit axes shards the examples,
            the number of shards must divide the batch size.
    Options:
        step: made by `train_step`.
        train_state: state of training before the first step.
    Cost:   the cost of the steps. Under jax.jit, epochs of equal shapes need one compilation.

    >>> import optax
    >>> model, sgd = fcnn.layers.dense(1), optax.sgd(0.1)
    >>> step = fcnn.training.train_step(model, fcnn.squared_error, sgd)
    >>> train_state = fcnn.training.create(model, sgd, (1,), jax.random.key(0))
    >>> x = jnp.arange(6.0).reshape(6, 1)
    >>> indices = fcnn.training.shuffled_indices(6, batch_size=2, steps=30, seed=0)
    >>> train_state, metrics = fcnn.training.scan_steps(step, train_state, (x, 2 * x + 1), indices)
    >>> int(train_state.step), metrics.loss.shape
    (30, (30,))
    """
    x, y = data
    on_batch = lambda train_state, i: step(train_state, (_read(x, i), _read(y, i)))
    return jax.lax.scan(on_batch, train_state, indices)


def _read(a: jax.Array, indices: Any) -> jax.Array:
    """a[indices]. On a mesh with explicit axes, the result is sharded over examples like `a`."""
    where = of_batch(a)
    return a[indices] if where is None else a.at[indices].get(out_sharding=where)


def accuracy(outputs: jax.Array, y: jax.Array) -> jax.Array:
    """Share of examples whose largest output has the index y; NaN if y does not hold labels."""
    if not jnp.issubdtype(y.dtype, jnp.integer) or y.shape != outputs.shape[:-1]:
        return jnp.full((), jnp.nan, outputs.dtype)
    predicted = outputs.argmax(-1)
    return (predicted == y.astype(predicted.dtype)).mean(dtype=outputs.dtype)
