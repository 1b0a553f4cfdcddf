"""The jobs as numbers: which network, on how many examples of which shape.

Every job is one step of Adam at a rate of 1e-3 on the mean softmax cross-entropy of a batch.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RATE = 1e-3


class Cnn(NamedTuple):
    """(conv 3×3, relu, max pool 2×2) per entry of channels, then dense layers.

    Each hidden dense layer is followed by relu and `dropout`. With `batch_norm`, which stands
    before each relu, convolutions have no bias and a global average takes flatten's place.
    """

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    classes: int
    batch_norm: bool = False
    dropout: float = 0.5


class ResNet(NamedTuple):
    """ResNet-18 for small images: a stem of conv 3×3, and basic blocks, `blocks` at each width."""

    classes: int
    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: int = 2


class MobileNet(NamedTuple):
    """A stem of conv 3×3, then per (features, stride): depthwise conv 3×3 and conv 1×1."""

    classes: int
    stem: int = 32
    blocks: tuple[tuple[int, int], ...] = (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        (512, 1),
    )


class Mlp(NamedTuple):
    """(dense, relu) per entry of hidden, then dense."""

    hidden: tuple[int, ...]
    classes: int


class Lstm(NamedTuple):
    """One LSTM over the sequence, and dense from its last output."""

    hidden: int
    classes: int


class Transformer(NamedTuple):
    """Pre-norm blocks of causal attention and (dense, gelu, dense), to predict the next token."""

    vocabulary: int
    depth: int
    width: int
    heads: int
    wide: int  # the dense layer within a block


Network = Cnn | ResNet | MobileNet | Mlp | Lstm | Transformer


class Job(NamedTuple):
    """`steps` batches of `batch` examples are on the device, and make an epoch."""

    name: str
    batch: int
    shape: tuple[int, ...]  # of one example
    network: Network
    steps: int = 1


class Prepared(NamedTuple):
    """A network that stands ready to train.

    run: k -> the loss of the last of k steps, once the device has taken them; k is at least 1.
         A run may compile, and a first one does.
    """

    run: Callable[[int], float]
    parameters: int  # that are trained


SMALL = Cnn((32, 64, 128), (512,), classes=10)

JOBS = (
    Job("cnn 28×28", 128, (28, 28, 1), SMALL),
    Job("cnn 32×32", 64, (32, 32, 3), SMALL),
    Job("cnn batch norm", 64, (32, 32, 3), Cnn((64, 64, 128), (), classes=10, batch_norm=True)),
    Job("cnn 224×224", 4, (224, 224, 3), SMALL._replace(classes=1000)),
    Job("resnet-18", 64, (32, 32, 3), ResNet(classes=10)),
    Job("mobilenet", 64, (32, 32, 3), MobileNet(classes=10)),
    Job("mlp", 128, (784,), Mlp((128, 64), classes=10), steps=60_000 // 128),
    Job("lstm", 64, (64, 128), Lstm(128, classes=10)),
    Job("transformer", 16, (128,), Transformer(256, depth=4, width=128, heads=4, wide=512)),
)


def draw(job: Job, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The examples x of an epoch, normal float32, and their classes y, int32.

    A transformer's x are tokens, and its y the token after each.
    """
    rng = np.random.default_rng(seed)
    n = job.batch * job.steps
    if isinstance(job.network, Transformer):
        size = (n, job.shape[0] + 1)
        tokens = rng.integers(0, job.network.vocabulary, size, dtype=np.int32)
        return tokens[:, :-1], tokens[:, 1:]
    x = rng.standard_normal((n, *job.shape), dtype=np.float32)
    return x, rng.integers(0, job.network.classes, n, dtype=np.int32)


def batches(job: Job, x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """x and y cut into the batches of an epoch."""
    return list(zip(np.split(x, job.steps), np.split(y, job.steps), strict=True))


def sinusoids(length: int, width: int) -> np.ndarray:
    """What positions add to embeddings, (length, width): sin and cos of p / 10000^(2i / width)."""
    rates = np.exp(np.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = np.arange(length)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, width).astype(np.float32)
