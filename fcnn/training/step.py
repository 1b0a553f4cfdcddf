"""One step of gradient descent, and many, as pure functions.

    g           = d/dparams mean over the batch of loss(model(x), y)
    update, opt = optimizer(g, opt)
    params      = params + update

`train_step` makes the function of (TrainState, batch); `steps` scans it over a table of row numbers
into arrays that live on the device, so that an epoch is one compiled loop with nothing dispatched
in between.
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
Batch = tuple[Any, Any]  # x and y: arrays, or what `as_array` makes arrays of
Step = Callable[[TrainState, Batch], tuple[TrainState, "Metrics"]]


class Metrics(NamedTuple):
    """Of one step, on its own batch, before the update."""

    loss: jax.Array
    accuracy: jax.Array


def train_step(model: Layer, loss: Loss, optimizer: optax.GradientTransformation) -> Step:
    """The pure function (TrainState, (x, y)) -> (TrainState, Metrics).

    Floats in x and y are converted to the dtype of the parameters.

    Raises: TypeError, when traced, for a loss that does not return one float per example.
    Units:  loss is the batch's mean; accuracy the share of examples whose largest output is y,
            which means something where y are class numbers and is NaN elsewhere.
    """

    def objective(params, state, x, y, key):
        outputs, state = model.apply(params, state, x, key=key, train=True)
        value = loss(outputs, y)
        require_per_example(value, outputs.shape)
        return value.mean(), (state, accuracy(outputs, y))

    def step(now: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        x, y = cast(now.params, *map(as_array, ("train_step: x", "train_step: y"), batch))
        key = jax.random.fold_in(now.key, now.step)
        gradient = jax.value_and_grad(objective, has_aux=True)
        (value, (state, right)), g = gradient(now.params, now.state, x, y, key)
        updates, opt_state = optimizer.update(g, now.opt_state, now.params)
        params = optax.apply_updates(now.params, updates)
        return TrainState(now.step + 1, params, state, opt_state, now.key), Metrics(value, right)

    return step


def require_per_example(value: Any, outputs: tuple[int, ...]) -> None:
    """TypeError unless a loss returns one float for each example, position or entry of outputs."""
    per = ", or one per ".join(["example", *["position"] * (len(outputs) > 2)])
    what = f"loss: returns {described(value)} for outputs {outputs}"
    shape = getattr(value, "shape", None)
    if shape == ():
        raise TypeError(f"{what}; it must be one number per {per}: leave out .mean() or .sum()")
    if not isinstance(value, jax.Array) or not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"{what}; it must be an array of floats, one per {per}")
    if shape != outputs[: value.ndim]:
        y = "labels or targets of another shape than outputs?"
        raise TypeError(f"{what}; it must be {outputs[:1]}, one number per {per}: {y}")


def steps(
    step: Step, now: TrainState, data: Batch, rows: jax.typing.ArrayLike
) -> tuple[TrainState, Metrics]:
    """`step` on the examples numbered rows[0], then rows[1], ...

    Shapes: rows (number of steps, batch size) int32; each metric (number of steps,). Where a mesh
            with explicit axes shards the examples, it must divide the batch size.
    """
    x, y = data
    return jax.lax.scan(lambda now, i: step(now, (_read(x, i), _read(y, i))), now, rows)


def _read(a: jax.Array, i: Any) -> jax.Array:
    """a[i]; on a mesh with explicit axes the examples are sharded as those of a."""
    where = of_batch(a)
    return a[i] if where is None else a.at[i].get(out_sharding=where)


def accuracy(outputs: jax.Array, y: jax.Array) -> jax.Array:
    """The share of examples whose largest output is y; NaN where y are not their class numbers."""
    if not jnp.issubdtype(y.dtype, jnp.integer) or y.shape != outputs.shape[:-1]:
        return jnp.full((), jnp.nan, outputs.dtype)
    told = outputs.argmax(-1)
    return (told == y.astype(told.dtype)).mean(dtype=outputs.dtype)
