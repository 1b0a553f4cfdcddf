"""The jobs in keras on JAX: functional models, whose stateless calls form one jitted step.

The step follows keras's guide "Writing a training loop from scratch in JAX".
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

from functools import partial

import jax
import keras  # pyright: ignore[reportMissingImports]
import numpy as np
from keras import layers  # pyright: ignore[reportMissingImports]

from experiments.speed.libraries import Prepared
from experiments.speed.positions import sinusoids
from experiments.speed.step import looped, size
from fcnn.cli.bench import jobs
from fcnn.cli.bench.jobs import LEARNING_RATE, Job


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn with `seed`."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(job.shape, dtype=x.dtype.name)
    model = keras.Model(inputs, BUILD[type(job.network)](job.network, inputs))
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def objective(trained, others, x, y):
        logits, others, *_ = model.stateless_call(trained, others, x, training=True)
        return loss_fn(y, logits), others

    @partial(jax.jit, donate_argnums=0)
    def step(train_state, x, y):
        trained, others, moments = train_state
        (loss, others), g = jax.value_and_grad(objective, has_aux=True)(trained, others, x, y)
        trained, moments = optimizer.stateless_apply(moments, g, trained)
        return (trained, others, moments), loss

    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    train_state = jax.tree.map(lambda v: v.value, variables)
    return Prepared(looped(step, train_state, job, x, y), size(train_state[0]))


def norm(x):
    return layers.BatchNormalization(momentum=0.9)(x)


def cnn(network: jobs.Cnn, x):
    for c in network.channels:
        x = layers.Conv2D(c, 3, padding="same", use_bias=not network.batch_norm)(x)
        x = norm(x) if network.batch_norm else x
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = (layers.GlobalAveragePooling2D() if network.batch_norm else layers.Flatten())(x)
    for h in network.hidden:
        x = layers.Dense(h, activation="relu")(x)
        x = layers.Dropout(network.dropout)(x)
    return layers.Dense(network.classes)(x)


def block(width, stride, x):
    y = layers.Conv2D(width, 3, stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(norm(y))
    y = layers.Conv2D(width, 3, padding="same", use_bias=False)(y)
    y = norm(y)
    if x.shape != y.shape:
        x = layers.Conv2D(width, 1, stride, use_bias=False)(x)
        x = norm(x)
    return layers.ReLU()(layers.add([x, y]))


def resnet(network: jobs.ResNet, x):
    x = layers.Conv2D(network.widths[0], 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(norm(x))
    for i, width in enumerate(network.widths):
        for j in range(network.blocks):
            x = block(width, 2 if i > 0 and j == 0 else 1, x)
    return layers.Dense(network.classes)(layers.GlobalAveragePooling2D()(x))


def mobilenet(network: jobs.MobileNet, x):
    x = layers.Conv2D(network.stem, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(norm(x))
    for features, stride in network.blocks:
        x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(norm(x))
        x = layers.Conv2D(features, 1, use_bias=False)(x)
        x = layers.ReLU()(norm(x))
    return layers.Dense(network.classes)(layers.GlobalAveragePooling2D()(x))


def mlp(network: jobs.Mlp, x):
    for h in network.hidden:
        x = layers.Dense(h, activation="relu")(x)
    return layers.Dense(network.classes)(x)


def lstm(network: jobs.Lstm, x):
    return layers.Dense(network.classes)(layers.LSTM(network.hidden)(x))


def transformer(network: jobs.Transformer, x):
    positions = sinusoids(x.shape[1], network.width)
    x = layers.Embedding(network.vocabulary, network.width)(x) + positions
    for _ in range(network.depth):
        y = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(network.heads, network.width // network.heads)
        x = layers.add([x, attention(y, y, use_causal_mask=True)])
        y = layers.Dense(network.mlp_width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.add([x, layers.Dense(network.width)(y)])
    return layers.Dense(network.vocabulary)(layers.LayerNormalization()(x))


BUILD = {
    jobs.Cnn: cnn,
    jobs.ResNet: resnet,
    jobs.MobileNet: mobilenet,
    jobs.Mlp: mlp,
    jobs.Lstm: lstm,
    jobs.Transformer: transformer,
}
