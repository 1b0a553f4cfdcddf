"""The jobs in keras on JAX: functional models, and its stateless calls in one jitted step.

That is the custom loop of its guide "Writing a training loop from scratch in JAX".
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

from functools import partial

import jax
import keras  # pyright: ignore[reportMissingImports]
import numpy as np
from keras import layers  # pyright: ignore[reportMissingImports]

from fcnn.peers import jobs
from fcnn.peers.jobs import RATE, Job, Prepared
from fcnn.peers.stepping import looped, size


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn by `seed`."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(job.shape, dtype=x.dtype.name)
    model = keras.Model(inputs, BUILD[type(job.network)](job.network, inputs))
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(model.trainable_variables)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def objective(trained, others, x, y):
        logits, others, *_ = model.stateless_call(trained, others, x, training=True)
        return loss_fn(y, logits), others

    @partial(jax.jit, donate_argnums=0)
    def step(now, x, y):
        trained, others, moments = now
        (loss, others), g = jax.value_and_grad(objective, has_aux=True)(trained, others, x, y)
        trained, moments = optimizer.stateless_apply(moments, g, trained)
        return (trained, others, moments), loss

    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    now = jax.tree.map(lambda v: v.value, variables)
    return Prepared(looped(step, now, job, x, y), size(now[0]))


def norm(x):
    return layers.BatchNormalization(momentum=0.9)(x)


def cnn(of: jobs.Cnn, x):
    for c in of.channels:
        x = layers.Conv2D(c, 3, padding="same", use_bias=not of.batch_norm)(x)
        x = norm(x) if of.batch_norm else x
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = (layers.GlobalAveragePooling2D() if of.batch_norm else layers.Flatten())(x)
    for h in of.hidden:
        x = layers.Dense(h, activation="relu")(x)
        x = layers.Dropout(of.dropout)(x)
    return layers.Dense(of.classes)(x)


def block(width, stride, x):
    y = layers.Conv2D(width, 3, stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(norm(y))
    y = layers.Conv2D(width, 3, padding="same", use_bias=False)(y)
    y = norm(y)
    if x.shape != y.shape:
        x = layers.Conv2D(width, 1, stride, use_bias=False)(x)
        x = norm(x)
    return layers.ReLU()(layers.add([x, y]))


def resnet(of: jobs.ResNet, x):
    x = layers.Conv2D(of.widths[0], 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(norm(x))
    for i, width in enumerate(of.widths):
        for j in range(of.blocks):
            x = block(width, 2 if i > 0 and j == 0 else 1, x)
    return layers.Dense(of.classes)(layers.GlobalAveragePooling2D()(x))


def mobilenet(of: jobs.MobileNet, x):
    x = layers.Conv2D(of.stem, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(norm(x))
    for features, stride in of.blocks:
        x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(norm(x))
        x = layers.Conv2D(features, 1, use_bias=False)(x)
        x = layers.ReLU()(norm(x))
    return layers.Dense(of.classes)(layers.GlobalAveragePooling2D()(x))


def mlp(of: jobs.Mlp, x):
    for h in of.hidden:
        x = layers.Dense(h, activation="relu")(x)
    return layers.Dense(of.classes)(x)


def lstm(of: jobs.Lstm, x):
    return layers.Dense(of.classes)(layers.LSTM(of.hidden)(x))


def transformer(of: jobs.Transformer, x):
    positions = jobs.sinusoids(x.shape[1], of.width)
    x = layers.Embedding(of.vocabulary, of.width)(x) + positions
    for _ in range(of.depth):
        y = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(of.heads, of.width // of.heads)
        x = layers.add([x, attention(y, y, use_causal_mask=True)])
        y = layers.Dense(of.wide, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.add([x, layers.Dense(of.width)(y)])
    return layers.Dense(of.vocabulary)(layers.LayerNormalization()(x))


BUILD = {
    jobs.Cnn: cnn,
    jobs.ResNet: resnet,
    jobs.MobileNet: mobilenet,
    jobs.Mlp: mlp,
    jobs.Lstm: lstm,
    jobs.Transformer: transformer,
}
