"""Parts of the experiment, and networks with several paddings and windows."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.features import before_head
from experiments.framework.options import Options, require_positive, with_epochs
from experiments.framework.sized import nearest
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from experiments.framework.tuned import RATES, tuned
from experiments.windows.sizes import cases, count_sizes, four_by_four
from fcnn.layers import Layer, conv, dense, global_avg_pool, initializers, relu, serial

SIZES, EXAMPLE = "output sizes", "4×4 example"
BORDERS = ("zeros", "reflect", "wrap", "valid")
WINDOWS = {"3×3": (3,), "5×5": (5,), "7×7": (7,), "two of 3×3": (3, 3)}
SEEN = 1000  # test images whose activations are averaged, at most


@dataclass(frozen=True)
class Config(Options):
    largest: int = 9
    """The largest height of images whose output sizes are compared."""

    width: int = 16
    """Channels of the first convolution, and of the window 5×5."""


def prepare(config: Config) -> tuple[Config, Splits]:
    config = with_epochs(config, digits=30, others=4)
    require_positive(config, "largest", "width")
    config = replace(config, largest=1) if config.smoke else config
    return config, splits(config)


def parts(config: Config, prepared: Splits) -> list[Part]:
    names = BORDERS[1:2] if config.smoke else (*BORDERS, *WINDOWS)
    return [Part(SIZES), Part(EXAMPLE, cost=0.1), *(Part(name, cost=2.0) for name in names)]


def measure(
    config: Config, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name == SIZES:
            yield part.name, count_sizes(list(cases(config.largest))[:: 9 if config.smoke else 1])
        elif part.name == EXAMPLE:
            yield part.name, four_by_four()
        else:
            yield part.name, accuracy(config, prepared, part.name, log)


def accuracy(config: Config, prepared: Splits, name: str, log: Log) -> dict[str, Any]:
    shape = prepared.train.x.shape[1:]
    model = network(name, shape, prepared.classes, config.width)
    trials = Trials(model, prepared.train, seeds=config.seeds or 0, log=log, label=name)
    rates = RATES[:1] if config.smoke else RATES
    rate, run = tuned(trials, prepared.validation, epochs=config.epochs or 0, rates=rates)
    cost = fcnn.summary(model, shape)
    found = {
        "rate": rate,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "train": run.train_accuracy().tolist(),
        "test": run.accuracy(prepared.test).tolist(),
    }
    if name not in BORDERS:
        return found
    maps = before_head(model, run, 2)(prepared.test.x[:SEEN])
    energy = (maps**2).mean((1, -1))  # of images and channels: (seeds, h, w)
    return found | border(energy) | {"map": np.sqrt(energy.mean(0)).tolist()}


def network(name: str, shape: tuple[int, ...], classes: int, width: int) -> Layer:
    if name in BORDERS:
        padding, mode = ("valid", "zeros") if name == "valid" else ("same", name)
        each = conv(width, (3, 3), padding=padding, padding_mode=mode)
        return _network([each] * 3, classes)
    build = lambda windows, features: _network(
        [conv(width, (3, 3)), *(conv(features, (k, k)) for k in windows)], classes
    )
    parameters = lambda layer: fcnn.summary(layer, shape).parameters
    sized = lambda features: build(WINDOWS[name], features)
    return sized(nearest(sized, parameters, parameters(build((5,), width))))


def _network(convolutions: Sequence[Layer], classes: int) -> Layer:
    stages = [layer for each in convolutions for layer in (each, relu())]
    return serial(*stages, global_avg_pool(), dense(classes, w_init=initializers.lecun))


def border(energy: np.ndarray) -> dict[str, list[float]]:
    """The ratio of each seed, from mean squares (seeds, h, w); none without inner cells."""
    inner = min(energy.shape[1:]) > 2
    return {"border": [border_to_centre(each) for each in energy]} if inner else {}


def border_to_centre(energy: np.ndarray) -> float:
    """RMS in the outermost cells, relative to that in all others, from mean squares (h, w)."""
    centre = energy[1:-1, 1:-1]
    ring = (energy.sum() - centre.sum()) / (energy.size - centre.size)
    return float(np.sqrt(ring / centre.mean()))
