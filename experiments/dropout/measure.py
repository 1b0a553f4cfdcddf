"""The parts: equal training of both forms, and training by dropout rate and weight decay."""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from experiments.dropout import masks
from experiments.dropout.equivalence import equivalence
from experiments.dropout.networks import DEPTH, network
from experiments.dropout.speed import fewest, loss_of, with_losses
from experiments.framework.chosen import diverges
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trained, Trials
from fcnn.layers import Layer

MOST = 6000  # original training images
FEW, BATCH = 200, 50  # images
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of Adam, in the first step
DROPPED = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8)
MASKED = (0.2, 0.5)  # the networks that are evaluated with many masks
DECAYS = (0.3, 3.0)  # of AdamW
EQUIVALENCE, PICTURE = "both forms, same masks", "picture"
SPEED = "speed"  # of a setting, at the rate with the fewest steps
UNITS = (4, 5, 5, 2)  # of the network in the picture


class Setting(NamedTuple):
    dropped: float
    decay: float = 0.0

    @property
    def name(self) -> str:
        return f"dropout {self.dropped:g}, decay {self.decay:g}"


ALONE = [Setting(p) for p in DROPPED]
DECAYED = [Setting(0.0, decay) for decay in DECAYS]
BOTH = [Setting(p, decay) for p in MASKED for decay in DECAYS]
WITH_MASKS = [Setting(p) for p in MASKED]


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=30, others=8)
    return config, splits(config, most=MOST)


def parts(config: Options, data: Splits) -> list[Part]:
    settings = [Setting(MASKED[0])] if config.smoke else [*ALONE, *DECAYED, *BOTH]
    every = [Part(PICTURE, cost=0.1), Part(EQUIVALENCE, cost=2.0)]
    return every + [Part(setting.name, setting, 2.0) for setting in settings]


def measure(
    config: Options, data: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    depth = 1 if config.smoke else DEPTH
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == PICTURE:
            yield part.name, picture()
        elif part.name == EQUIVALENCE:
            few = data.train._replace(x=data.train.x[:FEW], y=data.train.y[:FEW])
            yield (
                part.name,
                equivalence(config, few, data.test.x, data.classes, log, depth),
            )
        else:
            yield part.name, learned(config, data, part.payload, log, depth)


def picture() -> list[list[bool]]:
    """Units of a small network that one mask at the rate 0.5 keeps; outputs are never dropped."""
    keys = jax.random.split(jax.random.key(1), len(UNITS))
    drop = lambda key, n: np.asarray(fcnn.dropout(jnp.ones(n), key, rate=0.5)) > 0
    hidden = [drop(key, n).tolist() for key, n in zip(keys, UNITS[:-1], strict=False)]
    return [*hidden, [True] * UNITS[-1]]


def learned(
    config: Options, data: Splits, setting: Setting, log: Log, depth: int
) -> dict[str, Any]:
    """Training on few images at the rate with the best validation accuracy."""
    model = network(setting.dropped, data.classes, depth=depth)
    optimizer = partial(optax.adamw, weight_decay=setting.decay) if setting.decay else optax.adam
    options = {"seeds": config.seeds or 0, "log": log, "label": setting.name}
    trials = Trials(model, data.train, optimizer=optimizer, **options)
    n = len(data.train.y)
    few = min(FEW, n // 2)
    epochs = max(1, round((config.epochs or 0) * (n // BATCH) / max(1, few // BATCH)))
    budget = {"epochs": epochs, "batch_size": min(BATCH, few), "subset": few}
    loss, runs, losses = loss_of(model), {}, {}
    for rate in RATES[:1] if config.smoke else RATES:
        try:
            runs[rate], losses[rate] = with_losses(trials, loss, rate=rate, **budget)
        except FloatingPointError:
            log.note(diverges(setting.name, rate))
    if not runs:
        shown = ", ".join(f"{rate:g}" for rate in RATES)
        raise FloatingPointError(f"{setting.name}: training diverges at each rate of {shown}")
    validation = {rate: run.accuracy(data.validation) for rate, run in runs.items()}
    best = max(runs, key=lambda rate: float(validation[rate].mean()))
    run = runs[best]
    return {
        "rate": best,
        "images": few,
        "validation": validation[best].tolist(),
        "train": run.train_accuracy().tolist(),
        "test": run.accuracy(data.test).tolist(),
        SPEED: fewest(losses),
        **(_with_masks(config, data, setting, model, run) if setting in WITH_MASKS else {}),
    }


def _with_masks(
    config: Options, data: Splits, setting: Setting, model: Layer, run: Trained
) -> dict[str, Any]:
    x, count = data.test.x[: masks.IMAGES], 20 if config.smoke else masks.MASKS
    return {
        "agreement": masks.agreement(model, setting.dropped, run, x, count),
        "averages": masks.averages(model, run, data.test),
    }
