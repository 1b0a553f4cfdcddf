"""The parts: noise of the gradient, training with each batch size, and seconds of an epoch."""

from collections.abc import Generator, Sequence
from typing import Any

from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.mini_batch.learning import RATES, Learning
from experiments.mini_batch.noise import measured
from experiments.mini_batch.times import ROUNDS, epoch_times
from fcnn.data import Images

NOISE, TIMES, ALL = "noise", "seconds of an epoch", "all images"
NOISE_IMAGES = 1280  # of which gradients are measured, at most; all training images of digits
FIXED = {"1 image": 1, "32 images": 32, "128 images": 128}
BATCHES, SMOKE = (*FIXED, ALL), ("32 images",)
COSTS = {"1 image": 20, "32 images": 3}  # relative to the other parts


def prepare(config: Options) -> tuple[Options, Splits]:
    """Training images are cut so that each batch size divides their number."""
    config = with_epochs(config, digits=200, others=5)
    images = splits(config)
    largest = max(FIXED[name] for name in (SMOKE if config.smoke else FIXED))
    kept = len(images.train.y) // largest * largest
    return config, images._replace(train=Images(*(a[:kept] for a in images.train)))


def parts(config: Options, prepared: Splits) -> list[Part]:
    sizes = FIXED | {ALL: len(prepared.train.y)}
    names = SMOKE if config.smoke else BATCHES
    training = [Part(name, sizes[name], COSTS.get(name, 1)) for name in names]
    return [Part(NOISE, cost=3), *training, Part(TIMES, {name: sizes[name] for name in names})]


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    seeds, epochs = config.seeds or 0, config.epochs or 0
    learning = Learning(prepared, seeds, log)
    for part in todo:
        log.note(f"measuring {part.name} …")
        if part.name == NOISE:
            yield part.name, _noise(config, prepared, learning, log)
        elif part.name == TIMES:
            rounds = 1 if config.smoke else ROUNDS
            options = {"repeats": seeds, "rounds": rounds}
            yield (
                part.name,
                epoch_times(learning.model, prepared.train, part.payload, log, **options),
            )
        else:
            rates = RATES[3:4] if config.smoke else RATES
            yield part.name, learning.learned(part.name, part.payload, rates, epochs)


def _noise(config, prepared, learning, log):
    run = learning.train(32, 0.1, 1 if config.smoke else 10, NOISE)
    points = {"initial": run.params[0], "trained": run.params[-1]}
    small = {"sizes": (1, 32), "draws": 64} if config.smoke else {}  # programs of equal shapes
    batches = (FIXED[SMOKE[0]],) if config.smoke else FIXED.values()
    images = Images(*(a[:NOISE_IMAGES] for a in prepared.train))
    return measured(learning.model, points, images, batches, log, **small)
