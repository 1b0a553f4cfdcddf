"""Training of every network at each rate, and the choice of its rate on validation images.

Test images are read for a network only after its training has ended.
"""

from collections.abc import Generator, Sequence
from typing import Any

import fcnn
from experiments.depth.networks import KINDS, SHAPES, UNITS, deep, shapes
from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import STEPS, Trials
from fcnn.layers import Layer
from fcnn.models import mlp

SHALLOW, DEEP = 8, 152
DEPTHS = (1, 2, 4, SHALLOW, 16, 32, 64, DEEP)
NARROW, MIDDLE, WIDE = 4, 64, 1024
WIDTHS = (2, NARROW, 8, 16, MIDDLE, 256, WIDE)
RATES = (5e-4, 2e-3, 8e-3, 3e-2, 1e-1)  # of the first step of Adam


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=25, others=3)
    return config, splits(config)


def by_depth(kind: str, depth: int) -> str:
    """The part's name; networks of fewer than 3 layers have no block, and both kinds are equal."""
    return f"{kind}, depth {depth}" if depth > 2 else f"depth {depth}"


def by_width(width: int) -> str:
    return f"width {width}"


def parts(config: Options, prepared: Splits) -> list[Part]:
    if config.smoke:
        return [Part(by_depth("residual", 4), ("residual", 4)), Part(by_width(2), ("width", 2))]
    depths = [
        Part(name, payload, 1 + payload[1] / 16)
        for name, payload in {by_depth(k, d): (k, d) for d in DEPTHS for k in KINDS}.items()
    ]
    widths = [Part(by_width(width), ("width", width)) for width in WIDTHS]
    return [*depths, *widths, *(Part(shape, (shape, 0), 4.0) for shape in SHAPES)]


def network(kind: str, size: int, prepared: Splits) -> tuple[Layer, list[int]]:
    """The network of a part, and the units of its hidden layers."""
    if kind in KINDS:
        return deep(kind, size, prepared.classes), [UNITS] * (size - 1)
    shape = prepared.train.x.shape[1:]
    hidden = (size,) if kind == "width" else shapes(shape, prepared.classes)[kind]
    return mlp(hidden, prepared.classes), list(hidden)


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    rates = RATES[:1] if config.smoke else RATES
    for part in todo:
        kind, size = part.payload
        model, units = network(kind, size, prepared)
        trials = Trials(model, prepared.train, seeds=config.seeds or 0, log=log, label=part.name)
        on_validation = lambda run: run.accuracy(prepared.validation)
        best = chosen(trials, on_validation, epochs=config.epochs or 0, rates=rates)
        loss = best.run.loss.mean(0).reshape(-1, STEPS).mean(1)
        yield (
            part.name,
            {
                "units": units,
                "parameters": fcnn.summary(model, prepared.train.x.shape[1:]).parameters,
                "rate": best.rate,
                "loss": loss.tolist(),  # the mean over seeds and the steps of a call
                "train": best.run.train_accuracy().tolist(),
                "validation": {f"{rate:g}": scores for rate, scores in best.scores.items()},
                "test": best.run.accuracy(prepared.test).tolist(),
            },
        )
