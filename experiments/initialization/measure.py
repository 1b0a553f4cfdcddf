"""Parts: for each activation, all starts, before training and after it."""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.seeds import ONCE
from experiments.framework.splits import Splits, splits
from experiments.framework.starting import starting
from experiments.framework.trained import Trials
from experiments.initialization.networks import (
    ACTIVATIONS,
    HIDDEN,
    RATES,
    STARTS,
    activations,
    begun,
    equal_layers,
    gradients,
    network,
    rms,
)

RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, 2.0)}  # of histograms
BINS = 20
IMAGES = 500  # training images on which scales and gradients are measured, at most


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=30, others=3)
    return config, splits(config)


def parts(config: Options, prepared: Splits) -> list[Part]:
    return [Part(name) for name in (("sigmoid",) if config.smoke else ACTIVATIONS)]


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        yield part.name, all_starts(config, prepared, part.name, log)


def all_starts(config: Options, prepared: Splits, activation: str, log: Log) -> dict[str, Any]:
    model, (x, y) = network(activation, prepared.classes), (a[:IMAGES] for a in prepared.train)
    options = {"seeds": config.seeds or 0, "log": log, "label": activation}
    momentum = partial(optax.sgd, momentum=0.9)
    trials = Trials(model, prepared.train, optimizer=momentum, **options)
    hidden = _by_seed(lambda params: activations(model, activation, params, x))
    slopes = _by_seed(lambda params: gradients(model, params, x, y))
    found = {}
    for start in STARTS:
        begin = starting(trials, f"{activation}, {start}", partial(begun, start))
        params = begin.seeds.start().params
        before = scales(activation, np.asarray(hidden(params)))
        before["gradient"] = np.stack([rms(g) for g in slopes(params)], 1).tolist()
        found[start] = before | learned(config, prepared, begin)
    return {"classes": prepared.classes, "starts": found}


def _by_seed(f):
    return jax.jit(jax.vmap(f), compiler_options=ONCE)


def scales(activation: str, y: np.ndarray) -> dict[str, Any]:
    """RMS and histogram of each layer. Shapes: y (seeds, layers, n, units)."""
    low, high = RANGES[activation]
    bins = np.linspace(low, high, BINS + 1)
    share = lambda a: np.histogram(np.clip(a, low, high), bins)[0] / a.size
    return {
        "rms": rms(y).tolist(),
        "histogram": [[share(layer).round(7).tolist() for layer in seed] for seed in y],
    }


def learned(config: Options, prepared: Splits, trials: Trials) -> dict[str, Any]:
    """Results at the best rate; no rate and no accuracies if training diverges at all of them."""
    rates = RATES[3:4] if config.smoke else RATES
    score = lambda run: run.accuracy(prepared.validation)
    try:
        best = chosen(trials, score, epochs=config.epochs or 0, rates=rates)
    except FloatingPointError as error:
        trials.log.note(f"{error}")
        return {"rate": None, "test": [], "equal": [], "of": HIDDEN}
    params = jax.device_get(best.run.params)
    one = lambda seed: jax.tree.map(lambda a: a[seed], params)
    return {
        "rate": best.rate,
        "test": best.run.accuracy(prepared.test).tolist(),
        "equal": [equal_layers(one(seed)) for seed in range(config.seeds or 0)],
        "of": HIDDEN,
    }
