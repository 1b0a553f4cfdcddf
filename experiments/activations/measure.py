"""The parts: slopes, times of each size of array, and the training with each activation."""

from collections.abc import Generator, Sequence
from typing import Any

from experiments.activations import slopes, timing
from experiments.activations.learning import learned
from experiments.activations.networks import KINDS
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options, with_epochs
from fcnn.data import Dataset, split

SLOPES, ROUNDS = "slopes", 10
SMOKE = ("relu",)


def prepare(config: Options) -> tuple[Options, Dataset]:
    config = with_epochs(config, digits=30, others=3)
    return config, smaller(loaded(config)) if config.smoke else loaded(config)


def parts(config: Options, data: Dataset) -> list[Part]:
    sizes = timing.SMOKE_SIZES if config.smoke else timing.SIZES
    networks = SMOKE if config.smoke else KINDS
    times = [Part(f"time {where}", n) for where, n in sizes.items()]
    return [
        Part(SLOPES, cost=10 if config.full else 1),
        *times,
        *(Part(name, KINDS[name], 2) for name in networks),
    ]


def measure(
    config: Options, data: Dataset, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    train, held_out = split(data.train, 0.2)
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == SLOPES:
            stride = slopes.SMOKE_STRIDE if config.smoke else 1 if config.full else slopes.STRIDE
            yield part.name, slopes.bounded(stride, log) | {"curves": slopes.curves()}
        elif part.name in KINDS:
            name, kind = part.name, part.payload
            yield part.name, learned(name, kind, config, data, train, held_out, log)
        else:
            repeats, rounds = (2, 1) if config.smoke else (5, ROUNDS)
            yield part.name, timing.timed(part.payload, repeats, rounds, log)
