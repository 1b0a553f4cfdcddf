"""Parts: the paths, the effective steps, and the training of each network with each method."""

from collections.abc import Generator, Sequence
from itertools import product
from typing import Any

import numpy as np

from experiments.framework.chosen import accuracy_on, chosen
from experiments.framework.curves import moving_mean, steps_to
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options, with_epochs
from experiments.framework.trained import Trials
from experiments.optimizers.effective import effective_steps
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS, as_input
from experiments.optimizers.valley import walked
from fcnn.data import Dataset, Images, split

PATHS, EFFECTIVE = "paths", "effective steps"
RATES = tuple(2.0**k for k in range(-10, 3))  # of the first step
OFF = (0.25, 4.0)  # times the best rate
TARGET, WINDOW = 0.1, 10  # nats, and the batches of which it is the mean loss
FOLLOWED = 200  # steps of which the effective step is measured
COSTS = {"MLP": 1.0, "CNN": 2.0, "LSTM": 2.5}


def trained_part(network: str, method: str) -> str:
    return f"{network}, {method}"


def prepare(config: Options) -> tuple[Options, Dataset]:
    config = with_epochs(config, digits=30, others=1)
    return config, smaller(loaded(config)) if config.smoke else loaded(config)


def parts(config: Options, data: Dataset) -> list[Part]:
    pairs = [("MLP", "Adam")] if config.smoke else product(NETWORKS, METHODS)
    training = [Part(trained_part(*pair), pair, COSTS[pair[0]]) for pair in pairs]
    return [Part(PATHS, cost=0.5), Part(EFFECTIVE, cost=0.5), *training]


def measure(
    config: Options, data: Dataset, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    train, held_out = split(data.train, 0.2)
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == PATHS:
            yield part.name, walked()
        elif part.name == EFFECTIVE:
            model, steps = NETWORKS["MLP"](len(data.classes)), 5 if config.smoke else FOLLOWED
            seeds = config.seeds or 0
            yield part.name, effective_steps(model, train, seeds=seeds, steps=steps)
        else:
            network, method = part.payload
            yield part.name, learned(network, method, config, data, train, held_out, log)


def learned(
    network: str,
    method: str,
    config: Options,
    data: Dataset,
    train: Images,
    held_out: Images,
    log: Log,
) -> dict[str, Any]:
    """Results at the best rate, and validation accuracy at all rates."""
    train, held_out, test = (as_input(network, each) for each in (train, held_out, data.test))
    model, epochs = NETWORKS[network](len(data.classes)), config.epochs or 0
    score = accuracy_on(held_out)
    options = {"seeds": config.seeds or 0, "log": log, "label": trained_part(network, method)}
    trials = Trials(model, train, optimizer=METHODS[method], **options)
    found = chosen(trials, score, epochs=epochs, rates=RATES[4:5] if config.smoke else RATES)
    scores, curves = dict(found.scores), found.run.loss
    for rate in (factor * found.rate for factor in OFF):
        if rate not in scores:  # beyond an end of RATES
            scores[rate] = _scores(trials, score, epochs, rate)
    return {
        "rate": found.rate,
        "rates": sorted(scores),
        "validation": [scores[rate] for rate in sorted(scores)],
        "chance": 1 / len(data.classes),
        "loss": moving_mean(curves, WINDOW)[:, ::WINDOW].mean(0).tolist(),
        "steps": steps_to(TARGET, curves, WINDOW, falling=True),
        "all_steps": curves.shape[1],
        "test": accuracy_on(test)(found.run).tolist(),
    }


def _scores(trials, score, epochs, rate) -> list[float]:
    """The scores of one more rate; none if training diverges."""
    try:
        return chosen(trials, score, epochs=epochs, rates=(rate,)).scores[rate]
    except FloatingPointError:
        return []


def lost(result: dict[str, Any]) -> list[float]:
    """Validation accuracy lost at a quarter and four times the best rate, their mean, by seed.

    It is in percentage points. Where training diverges, accuracy is that of chance.
    """
    at = dict(zip(result["rates"], result["validation"], strict=True))
    best = at[result["rate"]]
    off = [at[factor * result["rate"]] or [result["chance"]] * len(best) for factor in OFF]
    return [100 * (own - np.mean(others)) for own, *others in zip(best, *off, strict=True)]
