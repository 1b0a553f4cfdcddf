"""The jobs in equinox: modules for one example, mapped over the batch by `jax.vmap`, with optax.

Images have their channels first. The step takes the model's leaves in place of the model, as in
equinox's "low-overhead training loops".
"""

from itertools import pairwise

import equinox as eqx  # pyright: ignore[reportMissingImports]
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
    make = eqx.nn.make_with_state(MODELS[type(job.network)])
    model, state = make(job.network, job.shape, key=jax.random.PRNGKey(seed))
    params, static = eqx.partition(model, eqx.is_inexact_array)
    leaves, tree = jax.tree.flatten(params)

    def apply(leaves, state, x, key):
        model = eqx.combine(jax.tree.unflatten(tree, leaves), static)
        keys = jax.random.split(key, len(x))
        axes = {"axis_name": "batch", "in_axes": (0, None, 0), "out_axes": (0, None)}
        return jax.vmap(model, **axes)(x, state, keys)

    if len(job.shape) == 3:
        x = np.moveaxis(x, -1, 1)
    return adam(apply, leaves, state, job, x, y, seed)


def keys_from(key):
    """An endless iterator of independent keys."""
    while True:
        key, subkey = jax.random.split(key)
        yield subkey


def conv(c, o, window, stride=1, *, bias=False, groups=1, key):
    padding = (window - 1) // 2
    return eqx.nn.Conv2d(c, o, window, stride, padding, groups=groups, use_bias=bias, key=key)


def norm(c):
    return eqx.nn.BatchNorm(c, axis_name="batch", mode="batch", momentum=0.9)


class Cnn(eqx.Module):
    convs: list[eqx.nn.Conv2d]
    norms: list[eqx.nn.BatchNorm]
    pool: eqx.nn.MaxPool2d
    hidden: list[eqx.nn.Linear]
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear
    gap: bool = eqx.field(static=True)

    def __init__(self, network, shape, *, key):
        keys = keys_from(key)
        sizes = [shape[-1], *network.channels]
        bias = not network.batch_norm
        self.convs = [conv(c, o, 3, bias=bias, key=next(keys)) for c, o in pairwise(sizes)]
        self.norms = [norm(c) for c in network.channels] if network.batch_norm else []
        self.pool = eqx.nn.MaxPool2d(2, 2)
        cells = (shape[0] >> len(network.channels)) * (shape[1] >> len(network.channels))
        features = [network.channels[-1] * (1 if network.batch_norm else cells), *network.hidden]
        self.hidden = [eqx.nn.Linear(c, o, key=next(keys)) for c, o in pairwise(features)]
        self.dropout = eqx.nn.Dropout(network.dropout)
        self.last = eqx.nn.Linear(features[-1], network.classes, key=next(keys))
        self.gap = network.batch_norm

    def __call__(self, x, state, key):
        for i, conv in enumerate(self.convs):
            x = conv(x)
            if self.norms:
                x, state = self.norms[i](x, state)
            x = self.pool(jax.nn.relu(x))
        x = x.mean((1, 2)) if self.gap else x.ravel()
        for hidden in self.hidden:
            key, subkey = jax.random.split(key)
            x = self.dropout(jax.nn.relu(hidden(x)), key=subkey)
        return self.last(x), state


class Block(eqx.Module):
    convs: list[eqx.nn.Conv2d]
    norms: list[eqx.nn.BatchNorm]

    def __init__(self, c, o, stride, *, key):
        first, second, third = jax.random.split(key, 3)
        self.convs = [conv(c, o, 3, stride, key=first), conv(o, o, 3, key=second)]
        if c != o or stride != 1:
            self.convs.append(conv(c, o, 1, stride, key=third))
        self.norms = [norm(o) for _ in self.convs]

    def __call__(self, x, state):
        y, state = self.norms[0](self.convs[0](x), state)
        y, state = self.norms[1](self.convs[1](jax.nn.relu(y)), state)
        if len(self.convs) == 3:
            x, state = self.norms[2](self.convs[2](x), state)
        return jax.nn.relu(x + y), state


class ResNet(eqx.Module):
    stem: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    blocks: list[Block]
    last: eqx.nn.Linear

    def __init__(self, network, shape, *, key):
        keys = keys_from(key)
        c = network.widths[0]
        self.stem = conv(shape[-1], c, 3, key=next(keys))
        self.norm = norm(c)
        self.blocks = []
        for i, width in enumerate(network.widths):
            for j in range(network.blocks):
                self.blocks.append(Block(c, width, 2 if i > 0 and j == 0 else 1, key=next(keys)))
                c = width
        self.last = eqx.nn.Linear(c, network.classes, key=next(keys))

    def __call__(self, x, state, key):
        x, state = self.norm(self.stem(x), state)
        x = jax.nn.relu(x)
        for block in self.blocks:
            x, state = block(x, state)
        return self.last(x.mean((1, 2))), state


class MobileNet(eqx.Module):
    convs: list[eqx.nn.Conv2d]
    norms: list[eqx.nn.BatchNorm]
    last: eqx.nn.Linear

    def __init__(self, network, shape, *, key):
        keys = keys_from(key)
        c = network.stem
        self.convs = [conv(shape[-1], c, 3, key=next(keys))]
        for features, stride in network.blocks:
            self.convs.append(conv(c, c, 3, stride, groups=c, key=next(keys)))
            self.convs.append(conv(c, features, 1, key=next(keys)))
            c = features
        self.norms = [norm(conv.out_channels) for conv in self.convs]
        self.last = eqx.nn.Linear(c, network.classes, key=next(keys))

    def __call__(self, x, state, key):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x, state = norm(conv(x), state)
            x = jax.nn.relu(x)
        return self.last(x.mean((1, 2))), state


class Mlp(eqx.Module):
    layers: list[eqx.nn.Linear]

    def __init__(self, network, shape, *, key):
        keys = keys_from(key)
        sizes = [*shape, *network.hidden, network.classes]
        self.layers = [eqx.nn.Linear(c, o, key=next(keys)) for c, o in pairwise(sizes)]

    def __call__(self, x, state, key):
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x), state


class Lstm(eqx.Module):
    cell: eqx.nn.LSTMCell
    last: eqx.nn.Linear

    def __init__(self, network, shape, *, key):
        first, second = jax.random.split(key)
        self.cell = eqx.nn.LSTMCell(shape[-1], network.hidden, key=first)
        self.last = eqx.nn.Linear(network.hidden, network.classes, key=second)

    def __call__(self, x, state, key):
        zero = jnp.zeros(self.cell.hidden_size)
        (h, _), _ = jax.lax.scan(lambda hc, x: (self.cell(x, hc), None), (zero, zero), x)
        return self.last(h), state


class TransformerBlock(eqx.Module):
    norms: list[eqx.nn.LayerNorm]
    attention: eqx.nn.MultiheadAttention
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear

    def __init__(self, network, *, key):
        first, second, third = jax.random.split(key, 3)
        self.norms = [eqx.nn.LayerNorm(network.width) for _ in range(2)]
        biases = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
        self.attention = eqx.nn.MultiheadAttention(
            network.heads, network.width, **biases, key=first
        )
        self.widen = eqx.nn.Linear(network.width, network.mlp_width, key=second)
        self.narrow = eqx.nn.Linear(network.mlp_width, network.width, key=third)

    def __call__(self, x):
        y = jax.vmap(self.norms[0])(x)
        x += self.attention(y, y, y, mask=jnp.tril(jnp.ones((len(x), len(x)), bool)))
        y = jax.vmap(self.widen)(jax.vmap(self.norms[1])(x))
        return x + jax.vmap(self.narrow)(jax.nn.gelu(y, approximate=False))


class Transformer(eqx.Module):
    embed: eqx.nn.Embedding
    blocks: list[TransformerBlock]
    norm: eqx.nn.LayerNorm
    last: eqx.nn.Linear

    def __init__(self, network, shape, *, key):
        keys = keys_from(key)
        self.embed = eqx.nn.Embedding(network.vocabulary, network.width, key=next(keys))
        self.blocks = [TransformerBlock(network, key=next(keys)) for _ in range(network.depth)]
        self.norm = eqx.nn.LayerNorm(network.width)
        self.last = eqx.nn.Linear(network.width, network.vocabulary, key=next(keys))

    def __call__(self, x, state, key):
        x = jax.vmap(self.embed)(x)
        x += sinusoids(*x.shape)
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.last)(jax.vmap(self.norm)(x)), state


MODELS = {
    jobs.Cnn: Cnn,
    jobs.ResNet: ResNet,
    jobs.MobileNet: MobileNet,
    jobs.Mlp: Mlp,
    jobs.Lstm: Lstm,
    jobs.Transformer: Transformer,
}
