"""Training of both heads, and what the trained networks do on canvases of other sizes."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.features import before_head
from experiments.framework.options import Options, require_positive, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trained, Trials
from experiments.framework.tuned import RATES, tuned
from experiments.gap.canvas import class_maps, hits, placed
from experiments.gap.networks import HEADS, network, pools
from fcnn.data import Images
from fcnn.layers import Layer

WIDTHS = ("2", "2.5", "3", "4", "5")  # of canvases, in digits
TRAINED, LARGE = "2.5", "4"
SEEN = 1000  # test digits, at most, on other canvases
MOST = 10_000  # training digits


@dataclass(frozen=True)
class Config(Options):
    width: int = 8
    """Channels of the first convolution; the others have twice as many."""


def prepare(config: Config) -> tuple[Config, Splits]:
    config = with_epochs(config, digits=20, others=10)
    require_positive(config, "width")
    return config, splits(config, most=MOST)


def parts(config: Config, prepared: Splits) -> list[Part]:
    return [Part(name) for name in (HEADS[:1] if config.smoke else HEADS)]


def canvas_sizes(side: int, smoke: bool = False) -> dict[str, int]:
    """The width in pixels of canvases of several widths in digits."""
    widths = (TRAINED, LARGE) if smoke else WIDTHS
    return {width: int(float(width) * side) for width in widths}


def measure(
    config: Config, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    side = prepared.train.x.shape[1]
    sizes = canvas_sizes(side, config.smoke)
    for part in todo:
        model = network(part.name, side, prepared.classes, config.width)
        rate, run = trained_on_canvases(config, prepared, model, part.name, log)
        shape = lambda size: (size, size, prepared.train.x.shape[-1])
        found = {
            "rate": rate,
            "train": run.train_accuracy().tolist(),
            "test": run.accuracy(placed(prepared.test, sizes[TRAINED], seed=2).images).tolist(),
            "parameters": {k: fcnn.summary(model, shape(n)).parameters for k, n in sizes.items()},
            "accepts": {k: accepts(model, run, shape(n)) for k, n in sizes.items()},
            "sizes": sizes,
        }
        yield (
            part.name,
            found | (on_canvases(model, run, prepared, sizes) if part.name == "gap" else {}),
        )


def trained_on_canvases(
    config: Config, prepared: Splits, model: Layer, name: str, log: Log
) -> tuple[float, Trained]:
    """The learning rate with the highest mean validation accuracy, and its trained network."""
    size = canvas_sizes(prepared.train.x.shape[1])[TRAINED]
    train, validation = (
        placed(images, size, seed).images
        for seed, images in enumerate((prepared.train, prepared.validation))
    )
    trials = Trials(model, train, seeds=config.seeds or 0, log=log, label=name)
    rates = RATES[:1] if config.smoke else RATES
    return tuned(trials, validation, epochs=config.epochs or 0, rates=rates)


def accepts(model: Layer, run: Trained, shape: tuple[int, ...]) -> bool:
    """Whether the trained weights take images of this shape."""
    x = jax.ShapeDtypeStruct((1, *shape), np.float32)
    try:
        jax.eval_shape(lambda x: model.apply(run.first.params, {}, x), x)
    except ValueError:
        return False
    return True


def on_canvases(
    model: Layer, run: Trained, prepared: Splits, sizes: dict[str, int]
) -> dict[str, Any]:
    """Accuracy and hits of class activation maps by canvas, and some maps on the large one."""
    side = prepared.train.x.shape[1]
    w, b = (np.asarray(run.params["dense1"][name]) for name in ("w", "b"))
    found: dict[str, Any] = {"accuracy": {}, "hits": {}, "cover": {}}
    body = before_head(model, run, 2)
    for width, size in sizes.items():
        canvases = placed(Images(*(a[:SEEN] for a in prepared.test)), size, seed=2)
        features = body(canvases.x)
        predicted = [(f.mean((1, 2)) @ w[i] + b[i]).argmax(-1) for i, f in enumerate(features)]
        maps = [class_maps(f, w[i], predicted[i]) for i, f in enumerate(features)]
        found["accuracy"][width] = [float((p == canvases.y).mean()) for p in predicted]
        hit = [hits(each, canvases.corners, 2 ** pools(side), side) for each in maps]
        found["hits"][width] = [float(each.mean()) for each in hit]
        found["cover"][width] = (side / size) ** 2
        if width == LARGE:
            found["examples"] = [
                {
                    "canvas": canvases.x[i, ..., 0].tolist(),
                    "map": maps[0][i].tolist(),
                    "corner": canvases.corners[i].tolist(),
                    "side": side,
                    "hit": bool(hit[0][i]),
                    "label": int(canvases.y[i]),
                    "predicted": int(predicted[0][i]),
                }
                for i in range(6)
            ]
    return found
