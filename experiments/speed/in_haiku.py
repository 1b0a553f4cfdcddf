"""The jobs in haiku: functions for `hk.transform_with_state`, as in haiku's documentation."""

import haiku as hk  # pyright: ignore[reportMissingImports]
import jax
import jax.numpy as jnp
import numpy as np

from experiments.speed.libraries import Prepared
from experiments.speed.positions import sinusoids
from experiments.speed.step import adam
from fcnn.cli.bench import jobs
from fcnn.cli.bench.jobs import Job


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn with `seed`."""
    forward = FORWARD[type(job.network)]
    model = hk.transform_with_state(lambda x: forward(job.network, x))
    first = jnp.asarray(x[: job.batch])
    params, state = jax.jit(model.init)(jax.random.PRNGKey(seed), first)
    apply = lambda params, state, x, key: model.apply(params, state, key, x)
    return adam(apply, params, state, job, x, y, seed)


def norm(x):
    return hk.BatchNorm(create_scale=True, create_offset=True, decay_rate=0.9)(x, is_training=True)


def layer_norm(x):
    return hk.LayerNorm(axis=-1, create_scale=True, create_offset=True)(x)


def cnn(network: jobs.Cnn, x):
    for c in network.channels:
        x = hk.Conv2D(c, 3, with_bias=not network.batch_norm)(x)
        x = norm(x) if network.batch_norm else x
        x = jax.nn.relu(x)
        x = hk.max_pool(x, (2, 2, 1), (2, 2, 1), "VALID")
    x = x.mean((1, 2)) if network.batch_norm else hk.Flatten()(x)
    for h in network.hidden:
        x = jax.nn.relu(hk.Linear(h)(x))
        x = hk.dropout(hk.next_rng_key(), network.dropout, x)
    return hk.Linear(network.classes)(x)


def block(width, stride, x):
    y = hk.Conv2D(width, 3, stride, with_bias=False)(x)
    y = jax.nn.relu(norm(y))
    y = hk.Conv2D(width, 3, with_bias=False)(y)
    y = norm(y)
    if x.shape != y.shape:
        x = hk.Conv2D(width, 1, stride, with_bias=False)(x)
        x = norm(x)
    return jax.nn.relu(x + y)


def resnet(network: jobs.ResNet, x):
    x = hk.Conv2D(network.widths[0], 3, with_bias=False)(x)
    x = jax.nn.relu(norm(x))
    for i, width in enumerate(network.widths):
        for j in range(network.blocks):
            x = block(width, 2 if i > 0 and j == 0 else 1, x)
    return hk.Linear(network.classes)(x.mean((1, 2)))


def mobilenet(network: jobs.MobileNet, x):
    x = hk.Conv2D(network.stem, 3, with_bias=False)(x)
    x = jax.nn.relu(norm(x))
    for features, stride in network.blocks:
        x = hk.DepthwiseConv2D(1, 3, stride, with_bias=False)(x)
        x = jax.nn.relu(norm(x))
        x = hk.Conv2D(features, 1, with_bias=False)(x)
        x = jax.nn.relu(norm(x))
    return hk.Linear(network.classes)(x.mean((1, 2)))


def mlp(network: jobs.Mlp, x):
    return hk.nets.MLP((*network.hidden, network.classes))(x)


def lstm(network: jobs.Lstm, x):
    core = hk.LSTM(network.hidden)
    _, last = hk.dynamic_unroll(core, x, core.initial_state(len(x)), time_major=False)
    return hk.Linear(network.classes)(last.hidden)


def transformer(network: jobs.Transformer, x):
    t = x.shape[1]
    start = hk.initializers.VarianceScaling(2 / network.depth)
    mask = jnp.tril(jnp.ones((1, 1, t, t)))
    x = hk.Embed(network.vocabulary, network.width)(x) + sinusoids(t, network.width)
    for _ in range(network.depth):
        attention = hk.MultiHeadAttention(
            network.heads, network.width // network.heads, w_init=start
        )
        y = layer_norm(x)
        x += attention(y, y, y, mask=mask)
        y = hk.Linear(network.mlp_width)(layer_norm(x))
        x += hk.Linear(network.width)(jax.nn.gelu(y, approximate=False))
    return hk.Linear(network.vocabulary)(layer_norm(x))


FORWARD = {
    jobs.Cnn: cnn,
    jobs.ResNet: resnet,
    jobs.MobileNet: mobilenet,
    jobs.Mlp: mlp,
    jobs.Lstm: lstm,
    jobs.Transformer: transformer,
}
