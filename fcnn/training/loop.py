"""Steps of training as compiled programs: a loop on the device, or one program per step.

A step whose loss or new state of the model is not finite changes nothing, and ends the loop. A step
with a finite loss can still give parameters that are not finite. To see that in every step costs up
to 20 % of its time, so it is seen after the loop. The steps are then repeated by a strict program,
which sees it in every step.

With `skip`, every step sees it. A step that is not finite, or whose gradient is not, changes
nothing but the number of the step, and is counted.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.training.finite import all_finite
from fcnn.training.metrics import MeanTotal, Metric, added
from fcnn.training.sources import Source, read, require_like
from fcnn.training.state import TrainState

SECONDS = 0.3  # of one call of the compiled loop: an interrupt takes effect when it ends
LONGEST = 512  # steps of one call
SKIPPED = "skipped"  # the result with the number of skipped steps
AHEAD = 8  # steps that are dispatched before the host waits for the first of them


class SourceError(Exception):
    """An error in `take` of a source, which is the cause; `train_state` is the state before it."""

    def __init__(self, train_state: TrainState):
        super().__init__()
        self.train_state = train_state


class Loop:
    """Compiled steps of `update` over batches of a source."""

    def __init__(
        self,
        update: Callable[[TrainState, Any], Any],
        metrics: Mapping[str, Metric],
        source: Source,
        steps: int,
        batch_size: int,
        *,
        skip: bool = False,
    ):
        self.update, self.source, self.skip = update, source, skip
        self.steps, self.batch_size = steps, batch_size
        add = lambda total, each, batch: total.plus(each)  # the step has computed the loss
        self.metrics = {"loss": Metric(MeanTotal.zero(), add, MeanTotal.value), **metrics}
        if skip:
            count = Metric(jnp.zeros((), jnp.int32), lambda n, *_: n, lambda n: n)
            self.metrics[SKIPPED] = count
        self.totals = {name: metric.init for name, metric in self.metrics.items()}
        self.longest = min(steps, LONGEST)
        self.shape = self.longest, batch_size
        self._per_call = 1
        self._specs = jax.tree.leaves(dict(source.spec))

    def compile(
        self, train_state: TrainState, compiled: Callable[[Any], Any], strict: bool = False
    ) -> None:
        """Compile for a train state; `compiled` makes a program of a lowered one."""
        indices = np.zeros(self.shape, np.int32)
        where = None
        if self.source.shards > 1:
            where = jax.tree.map(lambda a: a.sharding, train_state), None
        options = {"donate_argnums": 0, "out_shardings": where}
        if self.source.arrays is None:
            jitted = jax.jit(partial(self._one, strict), **options)
            args = train_state, np.True_, self._taken(indices[0])
        else:
            jitted = jax.jit(partial(self._many, strict), **options)
            args = train_state, self.source.arrays, indices, np.int32(1)
        eager = jax.config.values["jax_disable_jit"]
        self._program = jitted if eager else compiled(jitted.lower(*args))

    def run(
        self, train_state: TrainState, indices: np.ndarray, stop: Callable[[], bool]
    ) -> tuple[TrainState, bool]:
        """Steps over batches until their end, a failure, or `stop()`; whether all were finite.

        Shapes: indices (steps, batch_size).
        Raises: SourceError if the source raises.
        """
        if self.source.arrays is None:
            return self._run_from_host(train_state, indices, stop)
        at, finite = 0, True
        while at < len(indices) and finite and not stop():
            part = indices[at : at + self._per_call]
            filled = np.zeros(self.shape, np.int32)
            filled[: len(part)] = part
            began = perf_counter()
            count = np.int32(len(part))
            train_state, ok = self._program(train_state, self.source.arrays, filled, count)
            finite = bool(ok)
            per_second = len(part) / (perf_counter() - began)
            self._per_call = max(1, min(self.longest, int(SECONDS * per_second)))
            at += len(part)
        return train_state, finite

    def _run_from_host(self, train_state, indices, stop):
        """Dispatch is asynchronous: batches are read while earlier steps are computed."""
        ok, dispatched = np.True_, []
        for i in indices:
            try:
                batch = self._taken(i)
            except Exception as error:
                raise SourceError(train_state) from error
            if stop():
                break
            train_state, ok = self._program(train_state, ok, batch)
            dispatched.append(ok)
            if len(dispatched) == 2 * AHEAD:
                if not dispatched[AHEAD]:
                    break
                del dispatched[:AHEAD]
        return train_state, bool(ok)

    def _taken(self, indices):
        """The batch of the source, whose shapes and dtypes are compared in a few microseconds."""
        batch, n = self.source.take(indices), len(indices)
        expected = [((n, *a.shape), a.dtype) for a in self._specs]
        leaves = jax.tree.leaves(batch)
        found = [(getattr(a, "shape", ()), getattr(a, "dtype", None)) for a in leaves]
        if found != expected or batch.keys() != self.source.spec.keys():
            require_like(self.source.spec, batch, n)
        return batch

    def _many(self, strict, train_state, arrays, indices, count):
        def body(carry):
            i, train_state, ok = carry
            return i + 1, *self._one(strict, train_state, ok, read(arrays, indices[i]))

        going = lambda carry: (carry[0] < count) & carry[2]
        start = jnp.zeros((), count.dtype), train_state, jnp.ones((), bool)
        return jax.lax.while_loop(going, body, start)[1:]

    def _one(self, strict, train_state, ok, batch):
        """The step if `ok` and if its results are finite, else nothing; whether it was made."""
        new, seen = self.update(train_state, batch)
        before, totals = train_state.totals, {}
        for name, metric in self.metrics.items():
            of = seen.each_loss if name == "loss" else seen.outputs
            totals[name] = added(name, metric, before[name], of, seen.batch)
        good = seen.finite
        if strict or self.skip:
            good = good & all_finite(new.params)
        if self.skip:
            good = good & (seen.skips | all_finite(seen.gradient))
        good = ok & good
        chosen = lambda a, b: jnp.where(good, a, b)
        fields = ("step", "params", "state", "opt_state")
        kept = {k: jax.tree.map(chosen, getattr(new, k), getattr(train_state, k)) for k in fields}
        totals = jax.tree.map(chosen, totals, before)
        if self.skip:
            kept["step"] = new.step
            totals[SKIPPED] = before[SKIPPED] + (~good).astype(jnp.int32)
            good = ok
        return train_state._replace(**kept, totals=totals), good
