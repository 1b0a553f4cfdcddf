"""The parts: gradients of random logits, and training with each pair and with two classes."""

from collections.abc import Generator, Sequence
from typing import Any

from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.losses import formulas
from experiments.losses.learning import of_pair, of_two_classes
from experiments.losses.pairs import PAIRS

GRADIENTS, LOGITS = "gradients", "one and two logits"
SMOKE = ("softmax, squared error",)


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=30, others=4)
    return config, splits(config)


def parts(config: Options, prepared: Splits) -> list[Part]:
    pairs = SMOKE if config.smoke else PAIRS
    return [Part(GRADIENTS), *map(Part, pairs), Part(LOGITS)]


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name == GRADIENTS:
            log.note("comparing gradients …")
            yield part.name, _gradients(10 if config.smoke else formulas.DRAWS)
        elif part.name == LOGITS:
            yield part.name, of_two_classes(config, prepared, log)
        else:
            yield part.name, of_pair(part.name, config, prepared, log)


def _gradients(draws: int) -> dict[str, Any]:
    return {
        "differences": formulas.differences(draws),
        "jacobians": formulas.jacobians(draws),
        "vanishing": formulas.vanishing(draws),
        "two logits": formulas.two_logits(draws),
        "curves": formulas.curves(),
    }
