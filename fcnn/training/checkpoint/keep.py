"""Which checkpoints are kept: the last ones, every k-th one for good, and the best one."""

from collections.abc import Iterable
from typing import NamedTuple

from fcnn.ops.validation import require, require_counts
from fcnn.training.callbacks.callback import require_larger


class Keep(NamedTuple):
    """Policy of keeping checkpoints.

    Options:
        last: number of the latest checkpoints.
        every: a checkpoint whose step is a multiple of it is kept for good; none if None.
        best: name of the validation metric with whose best value one checkpoint is kept.
        larger: whether larger values of that metric are better; needed but for "loss".

    >>> keep = fcnn.training.Keep(last=2, every=100, best="accuracy", larger=True)
    """

    last: int = 2
    every: int | None = None
    best: str | None = None
    larger: bool | None = None

    def validated(self) -> "Keep":
        """The policy; TypeError or ValueError if an option makes no sense."""
        require_counts(last=self.last, every=1 if self.every is None else self.every)
        if self.best is None:
            require(self.larger is None, "larger is given without best; write best='accuracy'")
            return self
        return self._replace(larger=require_larger(self.best, self.larger))

    def best_of(self, values: Iterable[tuple[int, float]]) -> int | None:
        """The step with the best value; the earliest of equal ones. None without values."""
        sign = 1 if self.larger else -1
        ranked = [(sign * value, -step) for step, value in values if value == value]
        return -max(ranked)[1] if ranked else None

    def chosen(self, values: dict[int, float | None]) -> set[int]:
        """The steps to keep, of all steps with their value of the metric, or None."""
        steps = sorted(values)
        kept = set(steps[-self.last :])
        if self.every is not None:
            kept |= {step for step in steps if step % self.every == 0}
        if self.best is not None:
            best = self.best_of((s, v) for s, v in values.items() if v is not None)
            kept |= set() if best is None else {best}
        return kept
