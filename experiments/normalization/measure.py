"""The parts: regions, the dense network from several starts and on few images, other networks."""

from collections.abc import Generator, Sequence
from functools import cache
from typing import Any

from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from experiments.normalization.batches import by_batch
from experiments.normalization.networks import BATCH, KINDS, WITHOUT
from experiments.normalization.regions import regions
from experiments.normalization.training import from_spreads, trials_of, with_few_images

REGIONS = "regions"
MOST = 6000  # original training images
STARTS = {name: f"starts, {name}" for name in (WITHOUT, BATCH)}
FEW_IMAGES = {name: f"few images, {name}" for name in (WITHOUT, BATCH)}
SMOKE = (REGIONS, STARTS[BATCH], FEW_IMAGES[BATCH], "CNN, group norm")  # two programs


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=20, others=4)
    return config, splits(config, most=MOST)


def parts(config: Options, data: Splits) -> list[Part]:
    every = [
        Part(REGIONS, cost=0.2),
        *(Part(name, net, 5.0) for net, name in STARTS.items()),
        *(Part(name, net, 5.0) for net, name in FEW_IMAGES.items()),
        *(
            Part(f"{kind}, {norm}", (kind, norm), 6.0)
            for kind, (_, norms) in KINDS.items()
            for norm in norms
        ),
    ]
    return [part for part in every if part.name in SMOKE or not config.smoke]


def measure(
    config: Options, data: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Without dropout, training on all images and on few of them share one compiled program."""

    @cache
    def trials(name: str, dropped: float) -> Trials:
        return trials_of(config, data, name, log, dropped)

    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == REGIONS:
            yield part.name, regions()
        elif part.name in STARTS.values():
            yield part.name, from_spreads(config, data, trials(part.payload, 0.0))
        elif part.name in FEW_IMAGES.values():
            of = lambda dropped, net=part.payload: trials(net, dropped)
            yield part.name, with_few_images(config, data, of)
        else:
            kind, norm = part.payload
            yield part.name, by_batch(config, data, kind, norm, log)
