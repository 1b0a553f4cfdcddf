"""Replay of one training step, with statistics of each array that it computes.

The step is that of `train_step`: `updating` traces it for a model whose layers are observed. Rows
are in the order of computation: batch, augmented batch, arrays before the step, outputs of the
layers, new state, loss, gradients from the last layer to the first, updates, new parameters.
"""

from typing import Any

import jax
import optax

from fcnn.layers import Layer
from fcnn.ops.validation import named
from fcnn.training.batch import as_batch, common_length
from fcnn.training.observer import Observer
from fcnn.training.parts import (
    require_augmentation,
    require_layer,
    require_loss,
    require_optimizer,
    shown,
)
from fcnn.training.replay_message import message
from fcnn.training.replay_report import Replay
from fcnn.training.replay_rows import in_order
from fcnn.training.state import TrainState
from fcnn.training.step import Augment, Loss, updating


def replay(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    train_state: TrainState,
    batch: Any,
    *,
    augment: Augment | None = None,
) -> Replay:
    """Make one training step, and report for each layer where NaN and infinite entries come from.

    print(replay) shows a table and, in its last line, a sentence on the first array that is not
    finite. Rows have a kind:

        batch, augmented                 entries of the batch, before and after augmentation
        parameter, state                 before the step
        output, new state                of each layer; of a layer with parts only if it differs
                                         from the output of its last part
        loss, mean loss                  of the examples
        gradient of output, gradient     of each layer, and of its parameters
        gradient of input                only where it is not finite, but the gradient of the output
                                         is: the backward pass of this layer is the cause
        optimizer state                  before the step, only where it is not finite
        update, new parameter            what the optimizer adds, and the sum

    The blocks of `repeat` have numbers, as in repeat1[0]/dense1. The other paths are those of
    `fcnn.summary` and of the parameters.

    The step is compiled with the reports in it. It uses the same operators, dtypes and random
    numbers as `train_step`, but XLA may fuse other operations. So the last bits of floats may
    differ. In float16 and bfloat16, a compiled step may keep an intermediate result in float32
    where the replay rounds it, and only one of the two may overflow.

    Shapes: a batch is a pair (x, y) or a dict, as for `train_step`.
    Options:
        model: a layer.
        loss: function (outputs, y), or (outputs, batch), -> one number per example.
        optimizer: of optax.
        train_state: state of training before the step. It is not changed.
        batch: the examples of the step.
        augment: the augmentation of training.
    Units:  `Replay.step` counts from 1: it is train_state.step + 1.
    Raises: TypeError for an argument of another kind; errors of the model and of the loss.
    Cost:   compiles and runs one step, and passes over each array once more.

    >>> import optax
    >>> layers, sgd = fcnn.layers, optax.sgd(0.1)
    >>> zeros = layers.initializers.zeros
    >>> model = layers.serial(layers.dense(2, w_init=zeros), layers.stateless("sqrt", jnp.sqrt))
    >>> train_state = fcnn.training.create(model, sgd, (1,), jax.random.key(0))
    >>> batch = jnp.ones((3, 1)), jnp.ones((3, 2))
    >>> replay = fcnn.training.replay(model, fcnn.squared_error, sgd, train_state, batch)
    >>> print(replay)
    kind                path      shape  dtype     least  greatest  NaN  inf
    ------------------  --------  -----  -------  ------  --------  ---  ---
    batch               x         3×1    float32       1         1
    batch               y         3×2    float32       1         1
    parameter           dense1/b  2      float32       0         0
    parameter           dense1/w  1×2    float32       0         0
    output              dense1    3×2    float32       0         0
    output              sqrt1     3×2    float32       0         0
    loss                          3      float32       1         1
    mean loss                            float32       1         1
    gradient of output  sqrt1     3×2    float32  -0.333    -0.333
    gradient of input   sqrt1     3×2    float32                           6
    gradient of output  dense1    3×2    float32                           6
    gradient            dense1/b  2      float32                           2
    gradient            dense1/w  1×2    float32                           2
    update              dense1/b  2      float32                           2
    update              dense1/w  1×2    float32                           2
    new parameter       dense1/b  2      float32                           2
    new parameter       dense1/w  1×2    float32                           2
    step 1: first not finite: the gradient of the input of sqrt1, 6 of 6 entries are inf, first in
    examples 0, 1, 2; the gradient of the output of sqrt1 is finite, from -0.33 to -0.33; the input
    of sqrt1 is finite, from 0 to 0
    """
    with named("replay"):
        require_layer(model)
        require_loss(loss)
        require_optimizer(optimizer)
        require_augmentation(augment)
        if not isinstance(train_state, TrainState):
            write = "write run.train_state, where run is what fit returned"
            raise TypeError(f"train_state {shown(train_state)} is not a TrainState; {write}")
        batch = as_batch(train_state.params, batch)
        common_length(batch)
    observer = Observer()
    update = updating(observer.observed(model), loss, optimizer, augment)

    def step(train_state, batch):
        new, seen = update(train_state, batch)
        return {
            "augmented": {} if augment is None else seen.batch,
            "new state": new.state,
            "loss": seen.each_loss,
            "mean loss": seen.each_loss.mean(),
            "gradient": seen.gradient,
            "update": seen.change,
            "new parameter": new.params,
        }

    made = jax.jit(step)(train_state._replace(callbacks=None, totals=None), batch)
    jax.effects_barrier()
    before = {
        "batch": batch,
        "parameter": train_state.params,
        "state": train_state.state,
        "optimizer state": train_state.opt_state,
    }
    step_number = int(train_state.step) + 1
    rows, inputs = in_order(observer, before | made)
    return Replay(step_number, tuple(rows), message(step_number, rows, inputs))
