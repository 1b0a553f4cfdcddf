"""The jobs in haiku: functions for `hk.transform_with_state` as its documentation writes them."""

import haiku as hk  # pyright: ignore[reportMissingImports]
import jax
import jax.numpy as jnp
import numpy as np

from fcnn.peers import jobs
from fcnn.peers.jobs import Job, Prepared
from fcnn.peers.stepping import adam


def prepare(job: Job, x: np.ndarray, y: np.ndarray, seed: int) -> Prepared:
    """The job on these examples, from parameters drawn by `seed`."""
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


def cnn(of: jobs.Cnn, x):
    for c in of.channels:
        x = hk.Conv2D(c, 3, with_bias=not of.batch_norm)(x)
        x = norm(x) if of.batch_norm else x
        x = jax.nn.relu(x)
        x = hk.max_pool(x, (2, 2, 1), (2, 2, 1), "VALID")
    x = x.mean((1, 2)) if of.batch_norm else hk.Flatten()(x)
    for h in of.hidden:
        x = jax.nn.relu(hk.Linear(h)(x))
        x = hk.dropout(hk.next_rng_key(), of.dropout, x)
    return hk.Linear(of.classes)(x)


def block(width, stride, x):
    y = hk.Conv2D(width, 3, stride, with_bias=False)(x)
    y = jax.nn.relu(norm(y))
    y = hk.Conv2D(width, 3, with_bias=False)(y)
    y = norm(y)
    if x.shape != y.shape:
        x = hk.Conv2D(width, 1, stride, with_bias=False)(x)
        x = norm(x)
    return jax.nn.relu(x + y)


def resnet(of: jobs.ResNet, x):
    x = hk.Conv2D(of.widths[0], 3, with_bias=False)(x)
    x = jax.nn.relu(norm(x))
    for i, width in enumerate(of.widths):
        for j in range(of.blocks):
            x = block(width, 2 if i > 0 and j == 0 else 1, x)
    return hk.Linear(of.classes)(x.mean((1, 2)))


def mobilenet(of: jobs.MobileNet, x):
    x = hk.Conv2D(of.stem, 3, with_bias=False)(x)
    x = jax.nn.relu(norm(x))
    for features, stride in of.blocks:
        x = hk.DepthwiseConv2D(1, 3, stride, with_bias=False)(x)
        x = jax.nn.relu(norm(x))
        x = hk.Conv2D(features, 1, with_bias=False)(x)
        x = jax.nn.relu(norm(x))
    return hk.Linear(of.classes)(x.mean((1, 2)))


def mlp(of: jobs.Mlp, x):
    return hk.nets.MLP((*of.hidden, of.classes))(x)


def lstm(of: jobs.Lstm, x):
    core = hk.LSTM(of.hidden)
    _, last = hk.dynamic_unroll(core, x, core.initial_state(len(x)), time_major=False)
    return hk.Linear(of.classes)(last.hidden)


def transformer(of: jobs.Transformer, x):
    t = x.shape[1]
    start = hk.initializers.VarianceScaling(2 / of.depth)
    mask = jnp.tril(jnp.ones((1, 1, t, t)))
    x = hk.Embed(of.vocabulary, of.width)(x) + jobs.sinusoids(t, of.width)
    for _ in range(of.depth):
        attention = hk.MultiHeadAttention(of.heads, of.width // of.heads, w_init=start)
        y = layer_norm(x)
        x += attention(y, y, y, mask=mask)
        y = hk.Linear(of.wide)(layer_norm(x))
        x += hk.Linear(of.width)(jax.nn.gelu(y, approximate=False))
    return hk.Linear(of.vocabulary)(layer_norm(x))


FORWARD = {
    jobs.Cnn: cnn,
    jobs.ResNet: resnet,
    jobs.MobileNet: mobilenet,
    jobs.Mlp: mlp,
    jobs.Lstm: lstm,
    jobs.Transformer: transformer,
}
