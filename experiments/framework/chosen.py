"""The choice of a learning rate by any score on validation data; training may diverge at some.

`tuned` chooses by the accuracy on images. `chosen` takes any score, such as minus the error of a
forecast, and keeps the scores of all rates: how much the result depends on the rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from experiments.framework.trained import Trained, Trials
from fcnn.data import Images


@dataclass(frozen=True)
class Chosen:
    """The best rate, the network that was trained with it, and the scores of each rate by seed.

    A rate at which training diverged, or a score is not finite, has no scores: its list is empty.
    """

    rate: float
    run: Trained
    scores: dict[float, list[float]]


def chosen(
    trials: Trials,
    score: Callable[[Trained], np.ndarray],
    *,
    epochs: int,
    rates: Sequence[float],
    batch_size: int = 64,
) -> Chosen:
    """Train with each rate, and choose that with the highest mean score.

    Shapes: score: a trained network -> (seeds,).
    Raises: FloatingPointError if training diverges at every rate.
    """
    runs: dict[float, Trained] = {}
    scores: dict[float, list[float]] = {}
    for rate in rates:
        try:
            run = trials.train(epochs=epochs, rate=rate, batch_size=batch_size)
            found = score(run).tolist()
        except FloatingPointError:
            found = [nan]
        if all(map(isfinite, found)):
            runs[rate], scores[rate] = run, found  # pyright: ignore[reportPossiblyUnboundVariable]
        else:
            scores[rate] = []
            trials.log.note(diverges(trials.label, rate))
    if not runs:
        shown = ", ".join(f"{rate:g}" for rate in rates)
        raise FloatingPointError(f"{trials.label}: training diverges at each rate of {shown}")
    best = max(runs, key=lambda rate: float(np.mean(scores[rate])))
    return Chosen(best, runs[best], scores)


def diverges(label: str, rate: float) -> str:
    """The note on a rate at which training diverges; the others are compared."""
    return f"{label}: training diverges at the rate {rate:g}"


def accuracy_on(examples: Images) -> Callable[[Trained], np.ndarray]:
    """A score: the accuracy on examples of any shape, such as texts or rows of a table."""
    return lambda run: (run.outputs(examples.x).argmax(-1) == examples.y).mean(1)
