"""Callbacks: what happens after each chunk of steps, such as printing and early stopping.

    own = init(train_state)                        once, unless the train state has it already
    own = after(train_state, own, progress)        after each chunk; or Stop(reason, own)

`own` is a pytree of arrays. It is kept in `train_state.callbacks[name]`, so that a continued run
goes on where the first one ended. What must happen in every step, such as averaging weights, is
part of the optimizer.
"""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import jax.numpy as jnp

from fcnn.ops.validation import named, require, require_counts, require_flags
from fcnn.training.state import TrainState

WIDTH = 24  # characters of the progress bar


class Progress(NamedTuple):
    """Results of one chunk of steps; `str` gives one line."""

    step: int  # number of steps so far
    steps: int  # number of steps of the whole run
    epoch: float  # number of epochs so far
    training: dict[str, Any]  # loss and metrics of this chunk, each batch before its update
    validation: dict[str, Any]  # loss and metrics after this chunk; empty without validation
    seconds: float  # of the steps of this chunk, without compilation and validation

    def __str__(self) -> str:
        at = f"epoch {self.epoch:3.0f}" if self.epoch == int(self.epoch) else f"step {self.step:5d}"
        parts = [f"{at}: {_listed(self.training)}", f"{self.seconds:.2f} s"]
        if self.validation:
            parts.insert(1, f"validation {_listed(self.validation)}")
        return "; ".join(parts)


class Stop(NamedTuple):
    """What a callback returns to end training.

    Options:
        reason: one line, which becomes `Fit.stopped`.
        own: the new state of the callback.
    """

    reason: str
    own: Any = ()


@dataclass(frozen=True)
class Callback:
    """What `fit` calls after each chunk of steps.

    Options:
        name: different from those of other callbacks.
        init: function of the train state -> own, a pytree of arrays.
        after: function of (train_state, own, progress) -> own, or Stop(reason, own).
        needs: names of the validation metrics that `after` reads.

    >>> def after(train_state, own, progress):
    ...     return fcnn.training.Stop("low loss") if progress.training["loss"] < 0.1 else own
    >>> until_low = fcnn.training.Callback("until_low", init=lambda train_state: (), after=after)
    """

    name: str
    init: Callable[[TrainState], Any]
    after: Callable[[TrainState, Any, Progress], Any]
    needs: tuple[str, ...] = ()


def print_progress(report: Callable[[str], Any] = print) -> Callback:
    """Callback that prints one line after each chunk of steps.

    Options:
        report: function that gets each line.

    >>> callbacks = [fcnn.training.print_progress()]
    """

    def write(line):
        try:
            report(line)
        except OSError:  # standard output is closed or full: training goes on
            pass

    def init(train_state):
        write("compiling ...")
        return ()

    def after(train_state, own, progress):
        write(f"{progress}")
        return own

    return Callback("print_progress", init, after)


def progress_bar() -> Callback:
    """Callback that draws a bar on standard error, with the time left, if that is a terminal.

    >>> callbacks = [fcnn.training.progress_bar()]
    """
    began: list[tuple[float, int]] = []

    def draw(text):
        if sys.stderr is not None and sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def init(train_state):
        draw("compiling ...")
        return ()

    def after(train_state, own, progress):
        if not began:
            began.append((monotonic() - progress.seconds, progress.step - 1))
        start, first = began[0]
        share = progress.step / progress.steps
        left = (monotonic() - start) * (progress.steps - progress.step) / (progress.step - first)
        full = int(WIDTH * share)
        bar = "█" * full + "░" * (WIDTH - full)
        loss = f"loss {progress.training['loss']:.4g}"
        draw(f"{bar} {share:4.0%}  {loss}, about {left:.0f} s left" if share < 1 else "")
        return own

    return Callback("progress_bar", init, after)


def metrics_file(path: str | Path) -> Callback:
    """Callback that appends one line of JSON to a file after each chunk of steps.

    A continued run first removes lines of steps that it repeats, so that each step occurs once.

    Options:
        path: of the file, such as "metrics.jsonl"; its folder must exist.
    Raises: from `fit`, before training: OSError if the file cannot be written.

    >>> callbacks = [fcnn.training.metrics_file("metrics.jsonl")]
    """
    path = Path(path)

    def lines_until(step):
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if _step_of(line) <= step]

    def write(lines):
        first = path.with_name(f".{path.name}.part")
        first.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        first.replace(path)

    def init(train_state):
        write(lines_until(int(train_state.step)) if int(train_state.step) else [])
        return ()

    def after(train_state, own, progress):
        row = progress._asdict()
        for part in ("training", "validation"):
            row[part] = {name: _plain(value) for name, value in row[part].items()}
        write([*lines_until(progress.step - 1), json.dumps(row)])
        return own

    return Callback("metrics_file", init, after)


def early_stopping(
    metric: str = "loss", *, patience: int, larger: bool = False, least: float = 0.0
) -> Callback:
    """Callback that ends training when a validation metric no longer improves.

    Options:
        metric: name of a validation metric.
        patience: number of chunks without an improvement after which training ends.
        larger: whether larger values are better, as for accuracy.
        least: smallest difference that is an improvement.
    Raises: from `fit`, before training: ValueError if validation does not measure the metric.
    Source: Prechelt 1998.

    >>> callbacks = [fcnn.training.early_stopping("accuracy", larger=True, patience=5)]
    """
    with named("early_stopping"):
        require_counts(patience=patience)
        require_flags(larger=larger)
        require(least >= 0, f"least {least} must not be negative")

    def init(train_state):
        return {"best": jnp.asarray(-math.inf if larger else math.inf), "waited": jnp.zeros((), int)}

    def after(train_state, own, progress):
        value, best = progress.validation[metric], float(own["best"])
        better = value > best + least if larger else value < best - least
        waited = 0 if better else int(own["waited"]) + 1
        own = {"best": jnp.asarray(value if better else best), "waited": jnp.asarray(waited)}
        if waited < patience:
            return own
        what = f"validation {metric} did not improve in {waited} chunks of steps"
        return Stop(f"{what}; best {float(own['best']):.4g}", own)

    return Callback("early_stopping", init, after, needs=(metric,))


def keep_best(metric: str = "loss", *, larger: bool = False) -> Callback:
    """Callback that keeps the parameters with the best value of a validation metric.

    They are in `train_state.callbacks["keep_best"]`: a dict with value, step, params and state.

    Options:
        metric: name of a validation metric.
        larger: whether larger values are better, as for accuracy.
    Raises: from `fit`, before training: ValueError if validation does not measure the metric.
    Cost:   memory for a second copy of the parameters and the state.

    >>> callbacks = [fcnn.training.keep_best("accuracy", larger=True)]
    """
    with named("keep_best"):
        require_flags(larger=larger)

    def kept(value, train_state):
        value, step = jnp.asarray(value), jnp.asarray(train_state.step)
        return {
            "value": value,
            "step": step,
            "params": train_state.params,
            "state": train_state.state,
        }

    def init(train_state):
        return kept(-math.inf if larger else math.inf, train_state)

    def after(train_state, own, progress):
        value, best = progress.validation[metric], float(own["value"])
        better = value > best if larger else value < best
        return kept(value, train_state) if better else own

    return Callback("keep_best", init, after, needs=(metric,))


def _listed(results):
    return ", ".join(f"{k} {v:.4g}" for k, v in results.items() if isinstance(v, float))


def _plain(value):
    """A number or nested lists as JSON takes them: null where a number is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.tolist()


def _step_of(line):
    """The step of a line, or infinity if the line is torn."""
    try:
        return json.loads(line)["step"]
    except (ValueError, LookupError, TypeError):
        return math.inf
