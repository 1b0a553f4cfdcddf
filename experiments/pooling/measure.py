"""Parts of the experiment: norms of windows, trained networks, and seconds of a training step."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import optax

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, require_positive, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.step_times import step_times
from experiments.framework.trained import Trials
from experiments.framework.tuned import RATES, tuned
from experiments.pooling.norms import count_windows
from fcnn.data import Images
from fcnn.layers import (
    Layer,
    avg_pool,
    conv,
    dense,
    flatten,
    initializers,
    lp_pool,
    max_pool,
    relu,
    serial,
)

POOLS = {
    "max": partial(max_pool, 2),
    "mean": partial(avg_pool, 2),
    "L2": partial(lp_pool, 2, p=2, mean=True),
    "L4": partial(lp_pool, 2, p=4, mean=True),
}
NETWORKS = (*POOLS, "stride")
NORMS, TIMES = "Lp norms", "time of a step"
FRAME = 2  # pixels of background, and the largest shift of images
BATCH = 64  # images of a training step


@dataclass(frozen=True)
class Config(Options):
    width: int = 8
    """Channels of the first convolution."""


def prepare(config: Config) -> tuple[Config, Splits]:
    config = with_epochs(config, digits=30, others=4)
    require_positive(config, "width")
    return config, splits(config, frame=FRAME)


def parts(config: Config, prepared: Splits) -> list[Part]:
    networks = NETWORKS[2:3] if config.smoke else NETWORKS
    return [Part(NORMS), *(Part(name, cost=3.0) for name in networks), Part(TIMES, networks, 3.0)]


def measure(
    config: Config, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name == NORMS:
            yield part.name, count_windows(1, (2,)) if config.smoke else count_windows(100)
        elif part.name == TIMES:
            nets = {k: network(k, prepared.classes, config.width) for k in part.payload}
            batch, rounds = Images(*(a[:BATCH] for a in prepared.train)), 2 if config.smoke else 20
            yield part.name, step_times(nets, optax.adam(2e-3), batch, log, rounds=rounds)[0]
        else:
            yield part.name, accuracy(config, prepared, part.name, log)


def network(name: str, classes: int, width: int) -> Layer:
    layers = []
    for i in range(3):
        reduced = i < 2
        strided = reduced and name == "stride"
        layers += [conv(width * 2**i, (3, 3), stride=2 if strided else 1), relu()]
        layers += [POOLS[name]()] if reduced and name in POOLS else []
    return serial(*layers, flatten(), dense(classes, w_init=initializers.lecun))


def accuracy(config: Config, prepared: Splits, name: str, log: Log) -> dict[str, Any]:
    model = network(name, prepared.classes, config.width)
    options = {"seeds": config.seeds, "log": log, "label": name}
    trials = Trials(model, prepared.train, margin=FRAME, **options)
    rates = RATES[:1] if config.smoke else RATES
    rate, run = tuned(trials, prepared.validation, epochs=config.epochs or 0, rates=rates)
    cost = fcnn.summary(model, prepared.train.x.shape[1:])
    return {
        "rate": rate,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "train": run.train_accuracy().tolist(),
        "test": run.accuracy(prepared.test).tolist(),
        "shifted": run.shifted_accuracy(prepared.test, 1).tolist(),
    }
