"""One run of `fit`: chunks of steps, each followed by validation and callbacks."""

import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.training.callbacks import Callback, Progress, Stop
from fcnn.training.checkpoint import Checkpoints
from fcnn.training.checkpoint.arrays import restored
from fcnn.training.evaluate import Evaluation
from fcnn.training.finite import all_finite
from fcnn.training.interrupt import Interrupted, Received, compile_while_listening
from fcnn.training.loop import Loop, SourceError
from fcnn.training.metrics import types, values
from fcnn.training.optimizers import averaged_params
from fcnn.training.shuffle import indices_of_epoch
from fcnn.training.state import TrainState


class Run:
    """State, history and message of a run so far."""

    def __init__(
        self,
        loop: Loop,
        evaluation: Evaluation | None,
        callbacks: Sequence[Callback],
        *,
        epochs: int,
        every: int,
        checkpoints: Checkpoints | None = None,
        config: Mapping[str, Any] = {},
    ):
        self.loop, self.evaluation, self.callbacks = loop, evaluation, callbacks
        self.checkpoints, self.config = checkpoints, config
        self.total, self.every = epochs * loop.steps, every
        self.history: list[Progress] = []
        self.message = ""
        self._is_finite = jax.jit(all_finite)
        self._order = lru_cache(maxsize=1)(self._shuffled)  # an epoch may take several chunks

    def train(self, train_state: TrainState, received: Received) -> str:
        """All chunks of steps; why the run ended early, or ""."""
        self.train_state = self._prepared(train_state)
        self._saved_step = int(self.train_state.step)
        self._incomplete = False  # whether a callback failed: its chunk must be repeated
        if ended := "; ".join(filter(None, map(self._ended, self.callbacks))):
            return ended
        stopped = self._train(received)
        if int(self.train_state.step) == self._saved_step and stopped != "not finite":
            return stopped
        not_saved = self._save({})
        return stopped or not_saved

    def _train(self, received):
        compiled = partial(compile_while_listening, received=received)
        try:
            step = int(self.train_state.step)
            if step < self.total or self._unmeasured(step):
                self._compile(compiled)
        except Interrupted:
            return "interrupted"
        first, stop = int(self.train_state.step), lambda: bool(received.signal)
        while (step := int(self.train_state.step)) < self.total or self._unmeasured(step):
            end = step if self._unmeasured(step) else self._end(step)
            try:
                stopped = self._chunk(step, end, stop)
            except Exception as error:
                at = int(self.train_state.step)
                if at == first:
                    raise  # nothing is lost
                self.message = described(error)
                return "error in a metric or validation" if at == end else "error in the source"
            if stopped:
                return stopped
        return ""

    def _chunk(self, step, end, stop):
        """The steps to `end`, their results and callbacks; why the run ends, or ""."""
        began = perf_counter()
        before = self.train_state
        if not self._steps(step, end, stop) or not self._is_finite(self.train_state.params):
            if not self._is_finite(self.train_state.params):
                self.train_state = before
                plain = before._replace(callbacks={})
                self.loop.compile(plain, lambda lowered: lowered.compile(), strict=True)
                self._steps(step, end, lambda: False)
            return "not finite"
        if int(self.train_state.step) < end:
            return "interrupted"
        if self.loop.skip and float(self.train_state.totals["loss"].number) == 0:
            self.train_state = before  # every step was skipped
            return "not finite"
        if not self._measure(perf_counter() - began, stop):
            return "interrupted"
        reasons = self._call_back(), self._save(self.history[-1].validation)
        return "; ".join(filter(None, reasons)) or ("interrupted" if stop() else "")

    def _end(self, step):
        """The last step of the chunk that begins at `step`, or goes on there."""
        return min(self.every * (step // self.every + 1), self.total)

    def _unmeasured(self, step):
        """Whether the chunk that ends at `step` has no results yet: its run was ended before."""
        at_end = step > 0 and (step % self.every == 0 or step == self.total)
        return at_end and float(self.train_state.totals["loss"].number) > 0

    def indices(self, step: int) -> np.ndarray:
        """The examples of the batch of a step, counted from 0."""
        return self._order(step // self.loop.steps)[step % self.loop.steps]

    def _shuffled(self, epoch):
        """The examples of each step of an epoch: (steps, batch_size)."""
        n, batch_size = self.loop.source.length, self.loop.batch_size
        return indices_of_epoch(self.train_state.key, epoch, n, batch_size)

    def _prepared(self, train_state):
        """The state as arrays on the mesh of the source, with totals and states of callbacks."""
        given, fresh = train_state.totals, self.loop.totals
        same = types(given) == types(fresh)  # else, other metrics are measured now
        plain = train_state._replace(callbacks={}, totals=given if same else fresh)
        plain, saved = jax.tree.map(self._placed, plain), {}
        if self.checkpoints is not None:
            saved = self.checkpoints.latest(plain, config=self.config)
            plain = restored(plain, saved)
        own = dict(train_state.callbacks or {})
        for callback in self.callbacks:
            if callback.name not in own:
                own[callback.name] = callback.init(plain)
                _require_arrays(callback, own[callback.name])
        return plain._replace(callbacks=restored({"callbacks": own}, saved)["callbacks"])

    def _ended(self, callback):
        """Why a callback ended the run before it was continued, or ""."""
        return callback.ended(self.train_state.callbacks[callback.name])

    def _save(self, validation):
        """Save a checkpoint if there are any; why that ends the run, or ""."""
        if self.checkpoints is None or self._incomplete:
            return ""
        try:
            self.checkpoints.save(self.train_state, config=self.config, validation=validation)
        except OSError as error:
            last = self.checkpoints.steps()[-1:]
            before = f"; the last checkpoint is that of step {last[0]}" if last else ""
            self.message = f"{error.filename}: {error.strerror}{before}"
            return "checkpoint not saved"
        self._saved_step = int(self.train_state.step)
        return ""

    def _placed(self, a):
        """An array without a weak type, on the devices of the source."""
        a, home = jnp.asarray(a), self.loop.source.home
        if home is not None and a.sharding.device_set != home.device_set:
            a = jax.device_put(a, home)
        weak = getattr(a, "weak_type", False)  # random keys have no such attribute
        return jax.lax.convert_element_type(a, a.dtype) if weak else a

    def _compile(self, compiled):
        self.loop.compile(self.train_state._replace(callbacks={}), compiled)
        if self.evaluation is not None:
            self.evaluation.place(self.train_state.step.sharding)
            self.evaluation.compile(self.train_state.params, self.train_state.state, compiled)

    def _steps(self, step, end, stop):
        """Steps to `end`, epoch by epoch; whether all were finite.

        The programs overwrite their argument, so they get a copy: the caller, or a callback, may
        hold the arrays of the state.
        """
        callbacks, length = self.train_state.callbacks, self.loop.steps
        train_state, finite = jax.tree.map(jnp.copy, self.train_state._replace(callbacks={})), True
        while step < end and finite and not stop():
            first = step % length
            indices = self._order(step // length)[first : first + end - step]
            try:
                train_state, finite = self.loop.run(train_state, indices, stop)
            except SourceError as failed:
                self.train_state = failed.train_state._replace(callbacks=callbacks)
                raise failed.__cause__ or failed from None
            step = int(train_state.step)
        self.train_state = train_state._replace(callbacks=callbacks)
        return finite

    def _measure(self, seconds, stop):
        """Add the results of a chunk to the history, and begin new totals; False at `stop()`."""
        train_state, validation = self.train_state, {}
        training = values(self.loop.metrics, train_state.totals)
        if self.evaluation is not None:
            validation = self.evaluation.run(averaged_params(train_state), train_state.state, stop)
            if validation is None:
                return False
        self.train_state = train_state._replace(totals=jax.tree.map(self._placed, self.loop.totals))
        step = int(train_state.step)
        epoch = step / self.loop.steps
        self.history.append(Progress(step, self.total, epoch, training, validation, seconds))
        return True

    def _call_back(self):
        """Call every callback; why one of them ends the run, or ""."""
        own, reasons = dict(self.train_state.callbacks), []
        for callback in self.callbacks:
            try:
                new = callback.after(self.train_state, own[callback.name], self.history[-1])
                if isinstance(new, Stop):
                    reasons.append(f"{new.reason}" or f"stopped by {callback.name}")
                    new = new.own
                _require_arrays(callback, new)
            except Exception as error:
                reasons.append(f"error in {callback.name}")
                self._incomplete = True
                self.message = described(error)
                continue
            own[callback.name] = new
        self.train_state = self.train_state._replace(callbacks=own)
        return "; ".join(reasons)


def _require_arrays(callback, own):
    """TypeError unless the state of a callback is a pytree of arrays and numbers."""
    for a in jax.tree.leaves(own):
        if not hasattr(a, "dtype") and not isinstance(a, int | float | complex):
            what = f"callback {callback.name}: its state has a {type(a).__name__}"
            raise TypeError(f"{what} {a!r:.60}; it must be a pytree of arrays")


def described(error: Exception) -> str:
    """The error and the line that raised it, outside of fcnn if it began there."""
    frames = traceback.extract_tb(error.__traceback__)
    library = Path(__file__).parents[1]
    outside = [frame for frame in frames if library not in Path(frame.filename).parents]
    last = (outside or frames)[-1]
    text = " ".join(f"{error}".split())
    return f"{type(error).__name__}: {text} ({Path(last.filename).name}:{last.lineno})"
