"""The factors, each with the strengths from which validation chooses; all else is equal."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import optax

import fcnn
from fcnn.data import augment
from fcnn.layers import Layer, batch_norm, dense, dropout, flatten, initializers, relu, serial
from fcnn.models import ladder

FEW, MORE = 200, 800  # training images
RATE = 2e-3
WIDTH = 16  # channels of the first convolution; the dense network has about equal parameters


class Factor(NamedTuple):
    """What one factor changes, as functions of its strength."""

    strengths: Sequence[float] = (0.0,)
    network: Callable[[float], dict[str, Any]] = lambda strength: {}  # options of `dense_network`
    training: Callable[[float], dict[str, Any]] = lambda strength: {}  # options of `Trials`
    images: int = FEW
    stopped: bool = False  # whether training is stopped early


FACTORS = {
    "baseline": Factor(),
    "weight decay": Factor(
        (0.1, 1.0),
        training=lambda s: {"optimizer": partial(optax.adamw, weight_decay=s)},
    ),
    "dropout": Factor((0.2, 0.5), network=lambda s: {"dropped": s}),
    "augmentation": Factor((1, 2), training=lambda s: {"augment": augment.shift(int(s))}),
    "batch norm": Factor(network=lambda s: {"normalized": True}),
    "early stopping": Factor(stopped=True),
    "more data": Factor(images=MORE),
}


def networks(shape: tuple[int, ...], classes: int) -> tuple[int, Layer]:
    """The width of the dense network, and the convolutional network with equal parameters."""
    rungs = ladder(shape, classes, width=WIDTH)
    rows = fcnn.summary(rungs["dense"], shape).rows
    (hidden,) = next(row.output for row in rows if row.path == "dense1")
    return hidden, rungs["conv3"]


def dense_network(
    hidden: int, classes: int, *, dropped: float = 0.0, normalized: bool = False
) -> Layer:
    """Three hidden dense layers with relu, as in `fcnn.models.ladder`."""
    norm = [batch_norm()] if normalized else []
    drop = [dropout(dropped)] if dropped else []
    stages = [part for _ in range(3) for part in (dense(hidden), *norm, relu(), *drop)]
    return serial(flatten(), *stages, dense(classes, w_init=initializers.lecun))
