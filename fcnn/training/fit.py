"""The loop around the pure steps; all that training says to the world, it says here."""

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
from fcnn.ops.validation import require_key
from fcnn.training.evaluate import evaluate
from fcnn.training.shuffle import shuffled_rows
from fcnn.training.state import TrainState, create
from fcnn.training.step import Loss, steps, train_step
from fcnn.training.validation import unfit

Pair = Any  # (x, y), each an array or what `as_array` makes one of
WHAT = "fit: test x", "fit: test y"
RESIDENT = 2**30  # bytes of examples that may live on the device


class Epoch(NamedTuple):
    """What one pass over the examples came to."""

    epoch: int  # from 1
    loss: float  # mean over the steps
    accuracy: float  # on the training batches, as they were seen
    test_accuracy: float | None
    seconds: float  # compilation included, in the first

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
    report: Callable[[Epoch], None] = print,
    resident: int = RESIDENT,
) -> tuple[TrainState, list[Epoch]]:
    """Train `model` on (x, y) and return its state, with one `Epoch` per pass.

    Examples of up to `resident` bytes live on the device, and an epoch is one compiled scan. Larger
    ones stay where they are, memory-mapped if they were, and each batch is sent while the last one
    computes.

    x and y are arrays of NumPy or JAX, or lists of numbers. Floats are converted to the dtype of
    the parameters. With `test`, y are class numbers.

    Shapes: x (n, ...), y (n, ...); a pass takes n // batch_size steps, at least 1.
    Raises: ValueError if x and y differ in length, are empty, or the loss stops being a finite
            number; TypeError for what holds no numbers, for what is no random key, and for a
            loss that does not return one float per example.
    Cost:   each call traces and compiles its programs anew, since a loss may read variables that
            changed. jax.config.update("jax_compilation_cache_dir", DIR) keeps compiled programs.
    """
    x, y = train = _pair("train", train)
    test = None if test is None else _pair("test", test)
    _check(train, test, epochs, batch_size)
    require_key("fit", key)
    of_model, of_rows = jax.random.split(key)
    now = create(model, optimizer, x.shape[1:], of_model)
    step = train_step(model, loss, optimizer)
    run = _resident(step, x, y) if x.nbytes + y.nbytes <= resident else _streamed(step, x, y)
    score = jax.jit(partial(evaluate, model))
    if test is not None:  # whatever is wrong with it is found before the first epoch
        jax.eval_shape(score, now, *(_first("fit: test", a) for a in test))
        if why := unfit(model, *test):
            raise ValueError(f"fit: test: {why}")
    number = max(1, len(x) // batch_size)
    seeds = np.asarray(jax.random.bits(of_rows, (epochs,), "uint32"))
    history = []
    for epoch, seed in enumerate(seeds, start=1):
        start = perf_counter()
        now, metrics = run(now, shuffled_rows(len(x), batch_size, number, int(seed)))
        mean_loss, accuracy = (float(np.mean(m)) for m in metrics)
        if not np.isfinite(mean_loss):
            why = unfit(model, x, y) or "the learning rate is too high, or a label out of range"
            raise ValueError(f"fit: the loss is {mean_loss} in epoch {epoch}: {why}")
        right = None
        if test is not None:  # it may lie on another device than the parameters
            here = jax.device_put(tuple(map(as_array, WHAT, test)), now.step.sharding)
            right = float(score(now, *here))
        history.append(Epoch(epoch, mean_loss, accuracy, right, perf_counter() - start))
        report(history[-1])
    return now, history


def _check(train, test, epochs, batch_size):
    for what, pair in (("", train), (" of test", test)):
        if pair is None:
            continue
        x, y = pair
        if len(x) != len(y):
            raise ValueError(f"fit: {len(x)} examples{what} but {len(y)} targets")
        if len(x) < 1 or batch_size < 1:
            raise ValueError(
                f"fit: {len(x)} examples{what} in batches of {batch_size}: at least 1 each"
            )
    if epochs < 0:
        raise ValueError(f"fit: epochs {epochs} must not be negative")


def _pair(what: str, given: Any) -> tuple[Any, ...]:
    """x and y, each an array or a memory map; what is neither becomes one."""
    try:
        x, y = given
    except (TypeError, ValueError):
        kind = type(given).__name__
        raise TypeError(f"fit: {what} must be a pair (x, y) of arrays, not {kind}") from None
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
    """The type of the first example, as an array of one; what holds no numbers is refused."""
    dtype = a.dtype if isinstance(a, jax.Array) else as_array(what, a[:1]).dtype
    return jax.ShapeDtypeStruct((1, *a.shape[1:]), dtype)


def _resident(step, x, y):
    data = as_array("fit: x", x), as_array("fit: y", y)
    run = jax.jit(partial(steps, step), donate_argnums=0)
    return lambda now, rows: run(now, data, rows)


def _streamed(step, x, y):
    step = jax.jit(step, donate_argnums=0)

    def run(now, rows):
        metrics = []
        for i in rows:  # dispatch returns at once: the next batch is read while this one computes
            now, m = step(now, (as_array("fit: x", x[i]), as_array("fit: y", y[i])))
            metrics.append(m)
        return now, jax.tree.map(lambda *m: jnp.stack(m), *metrics)

    return run
