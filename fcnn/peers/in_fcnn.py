"""The jobs in fcnn: a model of `fcnn.models`, and the step of `fcnn.training`.

Where an epoch has several batches it is one compiled scan over them, as `training.fit` runs it.
"""

from functools import partial

import jax
import numpy as np
import optax

import fcnn
from fcnn import models, training
from fcnn.layers import Layer
from fcnn.peers.jobs import (
    RATE,
    Cnn,
    Job,
    Lstm,
    Mlp,
    MobileNet,
    Network,
    Prepared,
    ResNet,
    Transformer,
)
from fcnn.peers.stepping import looped, size


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn by `seed`."""
    model, optimizer = build(job.network), optax.adam(RATE)
    now = training.create(model, optimizer, job.shape, jax.random.key(seed))
    step = training.train_step(model, fcnn.softmax_cross_entropy, optimizer)
    parameters = size(now.params)
    if job.steps > 1:
        return Prepared(scanned(step, now, job, x, y), parameters)

    @partial(jax.jit, donate_argnums=0)
    def one(now, x, y):
        now, metrics = step(now, (x, y))
        return now, metrics.loss

    return Prepared(looped(one, now, job, x, y), parameters)


def scanned(step, now, job, x, y):
    """`Prepared.run` as one scan of k steps, which compiles anew for another k."""
    data = jax.device_put((x, y))
    epoch = jax.jit(partial(training.scan_steps, step), donate_argnums=0)

    def run(k):
        nonlocal now
        now, metrics = epoch(now, data, training.shuffled_indices(len(x), job.batch, k, seed=0))
        return float(metrics.loss[-1])

    return run


def build(network: Network) -> Layer:
    """The model of that network.

    A ResNet is ResNet-18, whatever its widths and blocks: `models.resnet` has published sizes
    alone. A transformer's dense layers are 4 times as wide as it, as `models.transformer` has them.
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
