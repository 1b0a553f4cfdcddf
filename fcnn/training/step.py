"""Train steps as pure functions.

    g           = d/dparams mean over the batch of loss(model(x), y)
    update, opt = optimizer(g, opt)
    params      = params + update

`train_step` makes the step, a function of (TrainState, batch). `scan_steps` scans the step over
indices into arrays on the device, so that an epoch is one compiled loop without a dispatch per
step.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.layers import Layer
from fcnn.layers.spec import as_arrays
from fcnn.ops.arrays import as_array
from fcnn.ops.validation import named, require, require_counts
from fcnn.training.accumulate import gradient_in_parts, value_in_parts
from fcnn.training.batch import Batch, as_batch, as_dict, of_batch, outputs
from fcnn.training.finite import all_finite
from fcnn.training.metrics import added, require_metrics
from fcnn.training.optimizers import loss_scale
from fcnn.training.parts import (
    require_augmentation,
    require_layer,
    require_loss,
    require_optimizer,
    require_per_example,
)
from fcnn.training.sources import read
from fcnn.training.state import TrainState

Loss = Callable[[Any, Any], jax.Array]  # (outputs, y) or (outputs, batch) -> one per example
Augment = Callable[[jax.Array, Batch], Batch]  # (key, batch) -> batch
Step = Callable[[TrainState, Any], tuple[TrainState, dict[str, jax.Array]]]
AUGMENT = 2**32 - 1  # folded into the key of a step: no layer has this number


class Seen(NamedTuple):
    """What a step computed: metrics are taken from its outputs, before its update."""

    each_loss: jax.Array  # one number per example; the step minimizes its mean
    finite: jax.Array  # whether the loss and the new state of the model are finite
    outputs: Any
    batch: Batch
    gradient: Any
    change: Any  # of the parameters
    skips: Any  # whether the optimizer itself skips a gradient that is not finite


def train_step(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    metrics: Mapping[str, Any] = {},
    *,
    augment: Augment | None = None,
    accumulate: int = 1,
) -> Step:
    """Make a train step: a pure function (TrainState, batch) -> (TrainState, results).

    Floats in the batch are converted to the dtype of the parameters. The function is not jitted.

    Shapes: of the step: a batch is a pair (x, y) or a dict, x (n, *shape), y of the shape that the
            loss needs; `results` is a dict with one number for "loss" and for each metric.
    Options:
        model: a layer. It gets the entries of the batch that it reads, such as lengths.
        loss: function (outputs, y), or (outputs, batch), -> one number per example; the step
            minimizes its mean.
        optimizer: of optax. Optimizers that use the loss, such as reduce_on_plateau, get it.
        metrics: functions like the loss, or `Metric`s, by name. A step measures them on its batch
            before its update, in training mode.
        augment: function (key, batch) -> batch, such as those of `fcnn.data.augment`.
        accumulate: number of parts in which a batch is computed, one after the other, in the
            memory of one part; it divides the batch size. The gradient is the mean of theirs.
    Raises: from the step, when traced: TypeError if an entry does not hold numbers, or if the loss
            does not return one float per example; errors of the model and of the loss.
    Source: Robbins & Monro 1951.

    >>> import optax
    >>> model, sgd = fcnn.layers.dense(1, w_init=fcnn.layers.initializers.zeros), optax.sgd(0.5)
    >>> step = fcnn.training.train_step(model, fcnn.squared_error, sgd)
    >>> train_state = fcnn.training.create(model, sgd, (1,), jax.random.key(0))
    >>> train_state, results = step(train_state, (jnp.array([[1.0]]), jnp.array([[3.0]])))
    >>> results["loss"], train_state.params["w"]
    (Array(4.5, dtype=float32), Array([[1.5]], dtype=float32))
    """
    with named("train_step"):
        require_layer(model)
        require_loss(loss)
        require_optimizer(optimizer)
        require_augmentation(augment)
        require_counts(accumulate=accumulate)
        measured = require_metrics(metrics)
    update = updating(model, loss, optimizer, augment, accumulate)

    def step(train_state: TrainState, batch: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        train_state, seen = update(train_state, batch)
        results = {
            name: metric.value(added(name, metric, metric.init, seen.outputs, seen.batch))
            for name, metric in measured.items()
        }
        return train_state, {"loss": seen.each_loss.mean(), **results}

    return step


def updating(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    augment: Augment | None = None,
    accumulate: int = 1,
) -> Callable[[TrainState, Any], tuple[TrainState, Seen]]:
    """The step without metrics: a function (TrainState, batch) -> (TrainState, Seen)."""
    per_example = of_batch("loss", loss)
    optimizer = optax.with_extra_args_support(optimizer)

    def objective(params, state, batch, key, scale=None):
        y, state = outputs(model, params, state, batch, key=key, train=True)
        each = per_example(y, batch)
        require_per_example(each, y)
        value = each.mean()
        scaled = value if scale is None else value * scale.astype(value.dtype)
        return scaled, (state, y, each, value)

    gradient = jax.value_and_grad(objective, has_aux=True)
    mean_loss = lambda *args: objective(*args)[0]
    if accumulate > 1:
        gradient = gradient_in_parts(gradient, accumulate)
        mean_loss = value_in_parts(objective, accumulate)

    def update(train_state: TrainState, batch: Any) -> tuple[TrainState, Seen]:
        params, state = train_state.params, train_state.state
        batch, key = as_batch(params, batch), jax.random.fold_in(train_state.key, train_state.step)
        if augment is not None:
            with named("augment"):
                augmented = augment(jax.random.fold_in(key, AUGMENT), batch)
                batch = _same_examples(batch, as_batch(params, augmented))
        scale = loss_scale(train_state.opt_state)
        (_, (new_state, y, each, value)), g = gradient(params, state, batch, key, scale)
        of_params = lambda params: mean_loss(params, state, batch, key)
        change, opt_state = optimizer.update(
            g, train_state.opt_state, params, value=value, grad=g, value_fn=of_params
        )
        new = train_state._replace(
            step=train_state.step + 1,
            params=optax.apply_updates(params, change),
            state=new_state,
            opt_state=opt_state,
        )
        finite = all_finite((value, new_state))
        return new, Seen(each, finite, y, batch, g, change, scale is not None)

    return update


def _same_examples(batch, augmented):
    """`augmented`, which must have as many examples as the batch."""
    n, m = (jax.tree.leaves(each["x"])[0].shape[0] for each in (batch, augmented))
    require(n == m, f"returns {m} examples for a batch of {n}")
    return augmented


def scan_steps(
    step: Step, train_state: TrainState, data: Any, indices: jax.typing.ArrayLike
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Steps over batches of examples on the device, as one `lax.scan`.

    Shapes: data is a pair (x, y) or a dict, x (n, *shape), y (n, *targets); indices
            (steps, batch_size) int32 in 0 .. n - 1; each result (steps,). If a mesh with explicit
            axes shards the examples, the number of shards must divide the batch size.
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
    >>> train_state, results = fcnn.training.scan_steps(step, train_state, (x, 2 * x + 1), indices)
    >>> int(train_state.step), results["loss"].shape
    (30, (30,))
    """
    with named("scan_steps"):
        arrays = {name: as_arrays(name, a) for name, a in as_dict("data", data).items()}
        indices = as_array("indices", indices)
        if not jnp.issubdtype(indices.dtype, jnp.integer) or indices.ndim != 2:
            what = f"indices {indices.dtype}{indices.shape} need shape (steps, batch_size)"
            raise TypeError(f"{what} and integers; write shuffled_indices(n, batch_size, ...)")
    on_batch = lambda train_state, i: step(train_state, read(arrays, i))
    return jax.lax.scan(on_batch, train_state, indices)
