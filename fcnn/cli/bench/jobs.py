"""Training jobs: each is a network and the shape of its batches.

Every job is one step of Adam at a learning rate of 1e-3 on the mean softmax cross-entropy of a
batch. A network is described by numbers, so that it can be written in other libraries too. `build`
makes the model of `fcnn.models`.
"""

from typing import NamedTuple

import numpy as np

from fcnn import models
from fcnn.layers import Layer

LEARNING_RATE = 1e-3


class Cnn(NamedTuple):
    """(conv 3×3, relu, max pool 2×2) per entry of channels, then dense layers.

    Each hidden dense layer is followed by relu and `dropout`. With `batch_norm`, each convolution
    has a batch norm instead of a bias, and global average pooling replaces flatten.
    """

    channels: tuple[int, ...]
    hidden: tuple[int, ...]
    classes: int
    batch_norm: bool = False
    dropout: float = 0.5


class ResNet(NamedTuple):
    """ResNet-18 for small images: a stem of conv 3×3, and `blocks` basic blocks at each width."""

    classes: int
    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: int = 2


class MobileNet(NamedTuple):
    """A stem of conv 3×3, then a depthwise conv 3×3 and a conv 1×1 per (features, stride)."""

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
    """One LSTM over the sequence, then a dense layer on its last output."""

    hidden: int
    classes: int


class Transformer(NamedTuple):
    """Pre-norm blocks of causal attention and (dense, gelu, dense), to predict the next token."""

    vocabulary: int
    depth: int
    width: int
    heads: int
    mlp_width: int  # features of the hidden dense layer in each block


Network = Cnn | ResNet | MobileNet | Mlp | Lstm | Transformer


class Job(NamedTuple):
    """Training of one network; an epoch has `steps` batches of `batch` examples."""

    name: str
    title: str
    batch: int
    shape: tuple[int, ...]  # of one example
    network: Network
    steps: int = 1


SMALL = Cnn((32, 64, 128), (512,), classes=10)
NORMALIZED = Cnn((64, 64, 128), (), classes=10, batch_norm=True)

JOBS = (
    Job("cnn-28x28", "CNN, 28×28×1", 128, (28, 28, 1), SMALL),
    Job("cnn-32x32", "CNN, 32×32×3", 64, (32, 32, 3), SMALL),
    Job("cnn-batch-norm", "CNN with batch norm, 32×32×3", 64, (32, 32, 3), NORMALIZED),
    Job("cnn-224x224", "CNN, 224×224×3", 4, (224, 224, 3), SMALL._replace(classes=1000)),
    Job("resnet-18", "ResNet-18, 32×32×3", 64, (32, 32, 3), ResNet(classes=10)),
    Job("mobilenet", "MobileNet, 32×32×3", 64, (32, 32, 3), MobileNet(classes=10)),
    Job("mlp", "MLP, 784", 128, (784,), Mlp((128, 64), classes=10), steps=60_000 // 128),
    Job("lstm", "LSTM, 64 steps of 128", 64, (64, 128), Lstm(128, classes=10)),
    Job(
        "transformer",
        "Transformer, 128 tokens",
        16,
        (128,),
        Transformer(256, depth=4, width=128, heads=4, mlp_width=512),
    ),
)


def build(network: Network) -> Layer:
    """The model of `fcnn.models` that `network` describes.

    `widths` and `blocks` of a ResNet are not used, because `models.resnet` has only published
    sizes, here ResNet-18. `mlp_width` is not used, because the MLP of `models.transformer` is
    always 4 times as wide as its blocks.
    """
    match network:
        case Cnn(channels, hidden, classes, norm, dropout):
            return models.cnn(channels, hidden, classes, dropout=dropout, batch_norm=norm, gap=norm)
        case ResNet(classes):
            return models.resnet(18, classes=classes)
        case MobileNet(classes, stem, blocks):
            return models.mobilenet(classes, stem=stem, blocks=blocks)
        case Mlp(hidden, classes):
            return models.mlp(hidden, classes)
        case Lstm(hidden, classes):
            return models.lstm(hidden=hidden, classes=classes)
        case Transformer(vocabulary, depth, width, heads):
            return models.transformer(vocabulary=vocabulary, depth=depth, width=width, heads=heads)


def draw(job: Job, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random examples x of one epoch, normal float32, and their labels y, int32.

    For a transformer, x are tokens, and y is the next token at each position.
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
    """x and y split into the batches of one epoch."""
    return list(zip(np.split(x, job.steps), np.split(y, job.steps), strict=True))
