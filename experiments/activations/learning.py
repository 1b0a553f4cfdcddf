"""Training with every activation at every learning rate: steps to a loss, accuracy, dead units."""

from functools import partial
from typing import Any

import jax
import numpy as np

from experiments.activations.networks import Kind, dead_share, network
from experiments.framework.curves import steps_to
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.statistics import percent
from experiments.framework.trained import STEPS, Trials
from fcnn.data import Dataset, Images

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the first step of Adam
USUAL, HIGH = RATES[0], RATES[-1]
TARGET = 0.1  # nats
IMAGES = 5000  # training images on which units are counted, at most


def learned(
    name: str, kind: Kind, config: Options, data: Dataset, train: Images, held_out: Images, log: Log
) -> dict[str, Any]:
    """Results at each rate; `best` has the largest validation accuracy, the mean over seeds."""
    model = network(kind, len(data.classes), 1 if config.smoke else 4)
    trials = Trials(model, train, seeds=config.seeds or 0, log=log, label=name)
    dead = jax.jit(jax.vmap(partial(dead_share, model, kind.activation().name), (0, None)))
    rates = (USUAL,) if config.smoke else RATES
    runs = {rate: trials.train(epochs=config.epochs or 0, rate=rate) for rate in rates}
    validation = {rate: float(run.accuracy(held_out).mean()) for rate, run in runs.items()}
    best = max(validation, key=validation.__getitem__)
    return {
        "dataset": data.name,
        "images": len(train.y),
        "best": best,
        "validation": list(validation.values()),
        "rates": rates,
        "dead": [dead(run.params, train.x[:IMAGES]).tolist() for run in runs.values()],
        "test": [run.accuracy(data.test).tolist() for run in runs.values()],
        "loss": by_call(runs[best].loss).tolist(),
        "steps": steps_to(TARGET, runs[best].loss, STEPS, falling=True),
        "all_steps": runs[best].loss.shape[1],
    }


def by_call(loss: np.ndarray) -> np.ndarray:
    """Means over seeds and over the steps of each call. Shapes: (seeds, steps) -> (calls,)."""
    return loss.reshape(len(loss), -1, STEPS).mean((0, 2))


def accuracy_at(result: dict[str, Any], rate: float | None = None) -> list[float]:
    """Test accuracy of each seed in percent, at the best rate or at another one."""
    return _percent(result, "test", result["best"] if rate is None else rate)


def dead_at(result: dict[str, Any], rate: float) -> list[float]:
    """Dead units of each seed in percent."""
    return _percent(result, "dead", rate)


def _percent(result, what, rate):
    return percent(result[what][result["rates"].index(rate)])
