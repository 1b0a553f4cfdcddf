"""Training: a source of examples in, a state of training out.

Everything that happens in a step is a function of the number of the step: the batch through the
order of its epoch, dropout and augmentation through the key folded with the step. So a run that is
continued from its state is equal, bit for bit, to a run that was never interrupted.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import jax
import optax

from fcnn.layers import Layer
from fcnn.ops.validation import named, require, require_flags
from fcnn.training.arguments import (
    require_batch_size,
    require_counts,
    require_measured,
    require_needs,
    require_parts,
    start_state,
    trace,
    within,
)
from fcnn.training.batch import of_batch
from fcnn.training.callbacks import Callback, Progress
from fcnn.training.checkpoint import Checkpoints
from fcnn.training.checkpoint.arrays import digest
from fcnn.training.checkpoint.fingerprint import fingerprint
from fcnn.training.evaluate import Evaluation
from fcnn.training.interrupt import listening, notice
from fcnn.training.loop import SKIPPED, Loop
from fcnn.training.metrics import require_metrics
from fcnn.training.not_finite import reason
from fcnn.training.run import Run
from fcnn.training.sources import Source, as_source
from fcnn.training.state import TrainState
from fcnn.training.step import Augment, Loss, updating

VALIDATION_BATCH = 500  # examples, at least; a larger batch size of training is used here too


class Fit(NamedTuple):
    """What `fit` returns."""

    train_state: TrainState  # after the last step whose results are finite
    history: list[Progress]  # one entry for each chunk of steps
    stopped: str  # "", "interrupted", "not finite", "checkpoint not saved", "error in NAME", or
    #               the reason of a callback
    message: str = ""  # one line on what was not finite, or on the error


def fit(
    model: Layer,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    source: Any,
    *,
    epochs: int,
    batch_size: int,
    key: jax.Array,
    validation: Any = None,
    metrics: Mapping[str, Any] = {},
    start: TrainState | None = None,
    callbacks: Sequence[Callback] = (),
    every: int | None = None,
    augment: Augment | None = None,
    accumulate: int = 1,
    skip_not_finite: bool = False,
    checkpoints: Checkpoints | None = None,
) -> Fit:
    """Train a model, and return its state with the results of each chunk of steps.

    Prints nothing unless a callback does: pass callbacks=[fcnn.training.print_progress()].

    Ctrl-C or SIGTERM ends training after the running steps, and `fit` returns what it has. A second
    Ctrl-C raises. A loss, or a parameter, that is not finite ends training too, and so does an
    error in a callback or a source after the first step. The state is that of the last finite step,
    and one line goes to standard error.

    Shapes: an epoch has n // batch_size steps for n examples.
    Options:
        model: a layer. It gets the entries of the batch that it reads, such as lengths.
        loss: function (outputs, y), or (outputs, batch), -> one number per example. Its mean over
            the batch is minimized.
        optimizer: of optax.
        source: training examples: a pair (x, y) or a dict of arrays, or a source. Arrays of at most
            1 GiB are copied to the device, and an epoch is one compiled loop.
        epochs: number of passes over the examples, counted from step 0, also with `start`.
        batch_size: examples of one step.
        key: random key for the parameters, the order of examples, dropout and augmentation. With
            `start`, the key in its state is used instead.
        validation: examples for the metrics after each chunk. Early stopping and the like read
            them. Take them from the training examples, by `fcnn.data.split`, not from the test set.
        metrics: functions like the loss, or `Metric`s, by name, such as
            {"accuracy": fcnn.training.accuracy}. The loss itself is always measured.
        start: state to continue from, as `fit` or `create` returns it.
        callbacks: what happens after each chunk of steps.
        every: steps of a chunk; one epoch if None. The last chunk of a run is shorter if `every`
            does not divide its steps; a continued run then has one chunk more.
        augment: function (key, batch) -> batch of training batches, such as those of
            `fcnn.data.augment`. Its randomness comes from the key: it is compiled, so random
            numbers of NumPy would be drawn once.
        accumulate: number of parts in which a batch is computed, one after the other, in the
            memory of one part; it divides the batch size. The gradient is the mean of theirs.
        skip_not_finite: whether a step whose loss, gradient or result is not finite is left out
            and counted, as "skipped" among the training results of its chunk. Training ends if all
            steps of a chunk are.
        checkpoints: the folder where states are saved after each chunk and on an interrupt, as
            Checkpoints("runs/mnist"). If it has one, training continues from there.
    Raises: TypeError or ValueError, before the first step, for an argument of another kind, for
            data, labels or outputs that do not fit, a batch entry that nothing reads, or a
            checkpoint of another run. ImportError if checkpoints are given without Orbax.
    Cost:   each call traces and compiles its programs again, since a loss may read variables that
            have changed. jax.config.update("jax_compilation_cache_dir", DIR) keeps compiled
            programs.

    >>> import optax
    >>> x, y = jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1])
    >>> model, loss = fcnn.layers.dense(2), fcnn.softmax_cross_entropy
    >>> options = {"epochs": 20, "batch_size": 2, "key": jax.random.key(0)}
    >>> metrics = {"accuracy": fcnn.training.accuracy}
    >>> run = fcnn.training.fit(model, loss, optax.sgd(1.0), (x, y), metrics=metrics, **options)
    >>> run.history[-1].training["accuracy"], run.train_state
    (1.0, TrainState(step 40, params: 4 numbers in 2 arrays, state: 0 numbers in 0 arrays,
    opt_state: 0 numbers in 0 arrays))
    """
    with listening("fit") as received, named("fit"):
        require_parts(model, loss, optimizer, augment, callbacks, key)
        require_counts(epochs=epochs, batch_size=batch_size, every=every, accumulate=accumulate)
        require_flags(skip_not_finite=skip_not_finite)
        measured = require_metrics(metrics)
        require(
            not (skip_not_finite and SKIPPED in measured),
            f"metric {SKIPPED!r}: skip_not_finite has a result of this name; write another one",
        )
        examples = as_source("fit", source)
        held_out = None if validation is None else as_source("fit: validation", validation)
        results = {"loss", *measured} if held_out else set()
        require_needs(callbacks, results)
        require_measured(checkpoints, results)
        require_batch_size(examples, batch_size, accumulate)
        steps = examples.length // batch_size
        train_state = start_state(model, optimizer, examples, key, start, epochs * steps)
        trace(model, loss, optimizer, measured, augment, train_state, examples, batch_size)
        evaluation = None
        if held_out is not None:
            size = max(batch_size, VALIDATION_BATCH)
            evaluation = Evaluation(model, {"loss": loss, **metrics}, held_out, size)
            with within("fit: validation"):
                evaluation.validate(train_state.params, train_state.state)
        update = updating(model, loss, optimizer, augment, accumulate)
        loop = Loop(update, measured, examples, steps, batch_size, skip=skip_not_finite)
        config = {} if checkpoints is None else _config(examples, batch_size, train_state.key)
        kept = {"checkpoints": checkpoints, "config": config}
        run = Run(loop, evaluation, callbacks, epochs=epochs, every=every or steps, **kept)
        with nullcontext() if checkpoints is None else checkpoints.in_use():
            stopped = run.train(train_state, received)
    train_state, message = run.train_state, run.message
    if stopped == "not finite":
        indices = run.indices(int(train_state.step))
        message = reason(update, of_batch("loss", loss), model, train_state, examples, indices)
    if not (stopped or run.history or epochs == 0):
        message = f"nothing to train: the state is at step {int(train_state.step)} of {run.total}"
    if message:
        notice(": ".join(["fit", *[stopped] * bool(stopped), message]))
    return Fit(train_state, run.history, stopped, message)


def _config(source: Source, batch_size: int, key: jax.Array) -> dict[str, Any]:
    """What a checkpoint must agree with besides the shapes of its arrays."""
    return {"batch size": batch_size, "examples": fingerprint(source), "key": digest(key)[:16]}
