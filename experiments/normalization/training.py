"""Training of the dense network: from several initial spreads, and with dropout on few images.

At a rate at which training diverges, the result is None.
"""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import jax
import optax

from experiments.framework.chosen import diverges
from experiments.framework.curves import steps_to
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.starting import starting
from experiments.framework.trained import STEPS, Trials
from experiments.normalization.networks import DEPTH, dense_network

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # of SGD, in the first step
HE = "He"
SPREADS = (1.0, 0.1, 0.01, 0.001)  # initial standard deviations of all weights
DROPPED = (0.2, 0.5)  # dropout rates, from which validation chooses
FEW = 200  # images
TARGET = 0.95  # training accuracy
Result = dict[str, Any]


def trials_of(config: Options, data: Splits, name: str, log: Log, dropped: float = 0.0) -> Trials:
    label = f"{name}, dropout {dropped:g}" if dropped else name
    depth = 1 if config.smoke else DEPTH
    model = dense_network(name, data.classes, dropped, depth)
    options = {"seeds": config.seeds or 0, "log": log, "label": label, "optimizer": optax.sgd}
    return Trials(model, data.train, **options)


def from_spreads(config: Options, data: Splits, trials: Trials) -> Result:
    """Results of each rate by the start: He's, or a normal distribution for all weights."""
    spreads = SPREADS[1:2] if config.smoke else SPREADS
    starts = {HE: trials} | {
        f"{sd:g}": starting(trials, f"{trials.label}, sd {sd:g}", normal(sd)) for sd in spreads
    }
    train = {"epochs": config.epochs or 0}
    runs = {start: by_rate(each, data, config, **train) for start, each in starts.items()}
    return {"runs": runs, "classes": data.classes, "seeds": config.seeds}


def normal(sd: float) -> Callable[[Any, jax.Array], Any]:
    """A change of parameters for `starting`: all kernels are normal with this deviation."""

    def change(params, key):
        leaves, tree = jax.tree.flatten(params)
        keys = jax.random.split(key, len(leaves))
        draw = lambda a, k: sd * jax.random.normal(k, a.shape, a.dtype) if a.ndim > 1 else a
        return jax.tree.unflatten(tree, map(draw, leaves, keys))

    return change


def with_few_images(
    config: Options, data: Splits, trials: Callable[[float], Trials]
) -> dict[str, Result]:
    """Results at the best rate, by dropout rate; as many steps as on all images."""
    n = len(data.train.y)
    few = min(FEW, n // 2)
    epochs = (config.epochs or 0) * max(1, n // few)
    options = {"epochs": epochs, "subset": few}
    dropped = (0.0,) if config.smoke else (0.0, *DROPPED)
    runs = {d: by_rate(trials(d), data, config, **options) for d in dropped}
    return {f"{d:g}": results[best(results)] | {"images": few} for d, results in runs.items()}


def by_rate(trials: Trials, data: Splits, config: Options, **options: Any) -> list[Any]:
    """The result of each rate, or None where training diverges."""
    results = []
    for rate in RATES[2:3] if config.smoke else RATES:
        try:
            run = trials.train(rate=rate, **options)
        except FloatingPointError:
            trials.log.note(diverges(trials.label, rate))
            results.append(None)
            continue
        seen = run.train_accuracy_by_step
        results.append(
            {
                "rate": rate,
                "validation": run.accuracy(data.validation).tolist(),
                "test": run.accuracy(data.test).tolist(),
                "curve": seen.reshape(len(seen), -1, STEPS).mean((0, 2)).tolist(),
                "steps": steps_to(TARGET, seen, STEPS, falling=False),
                "all_steps": seen.shape[1],
            }
        )
    return results


def best(results: Sequence[Any]) -> int:
    """The index of the result with the highest mean validation accuracy.

    Raises: FloatingPointError if training diverged at every rate.
    """
    done = [i for i, result in enumerate(results) if result]
    if not done:
        raise FloatingPointError("training diverged at every rate; write lower RATES")
    return max(done, key=lambda i: fmean(results[i]["validation"]))
