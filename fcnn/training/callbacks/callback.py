"""The record of a callback, and what it sees and returns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fcnn.ops.validation import named, require, require_flags
from fcnn.training.state import TrainState


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
        ended: function of own -> why the run has ended already, or "". It is asked when a run is
            continued, so that a run which was stopped stays so.

    >>> def after(train_state, own, progress):
    ...     return fcnn.training.Stop("low loss") if progress.training["loss"] < 0.1 else own
    >>> until_low = fcnn.training.Callback("until_low", init=lambda train_state: (), after=after)
    """

    name: str
    init: Callable[[TrainState], Any]
    after: Callable[[TrainState, Any, Progress], Any]
    needs: tuple[str, ...] = ()
    ended: Callable[[Any], str] = lambda own: ""

    def __post_init__(self):
        with named("Callback"):
            if not isinstance(self.name, str):
                raise TypeError(f"name {self.name!r:.60} is not a str")
            for part in ("init", "after"):
                if not callable(f := getattr(self, part)):
                    raise TypeError(f"{part} {f!r:.60} is not a function")


def require_larger(metric: str, larger: bool | None) -> bool:
    """Whether larger values of the metric are better; ValueError if that is not known."""
    if larger is None:
        write = "write larger=True, as for accuracy, or larger=False, as for an error"
        require(metric == "loss", f"metric {metric!r}: are larger values better? {write}")
        return False
    require_flags(larger=larger)
    return larger


def _listed(results):
    return ", ".join(f"{k} {v:.4g}" for k, v in results.items() if isinstance(v, float))
