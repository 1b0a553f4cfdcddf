"""The jobs in flax: linen modules as in flax's guides, with optax."""

import flax.linen as nn  # pyright: ignore[reportMissingImports]
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
    model = MODELS[type(job.network)](job.network)
    first = jnp.asarray(x[: job.batch])
    state = jax.jit(model.init)(jax.random.key(seed), first)
    params = state.pop("params")

    def apply(params, state, x, key):
        variables = {"params": params, **state}
        return model.apply(variables, x, rngs={"dropout": key}, mutable=list(state))

    return adam(apply, params, state, job, x, y, seed)


def norm():
    return nn.BatchNorm(use_running_average=False, momentum=0.9)


class Cnn(nn.Module):
    network: jobs.Cnn

    @nn.compact
    def __call__(self, x):
        for c in self.network.channels:
            x = nn.Conv(c, (3, 3), use_bias=not self.network.batch_norm)(x)
            x = norm()(x) if self.network.batch_norm else x
            x = nn.relu(x)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = x.mean((1, 2)) if self.network.batch_norm else x.reshape(len(x), -1)
        for h in self.network.hidden:
            x = nn.relu(nn.Dense(h)(x))
            x = nn.Dropout(self.network.dropout, deterministic=self.is_initializing())(x)
        return nn.Dense(self.network.classes)(x)


class Block(nn.Module):
    width: int
    stride: int

    @nn.compact
    def __call__(self, x):
        strides = (self.stride, self.stride)
        y = nn.Conv(self.width, (3, 3), strides, use_bias=False)(x)
        y = nn.relu(norm()(y))
        y = nn.Conv(self.width, (3, 3), use_bias=False)(y)
        y = norm()(y)
        if x.shape != y.shape:
            x = nn.Conv(self.width, (1, 1), strides, use_bias=False)(x)
            x = norm()(x)
        return nn.relu(x + y)


class ResNet(nn.Module):
    network: jobs.ResNet

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.network.widths[0], (3, 3), use_bias=False)(x)
        x = nn.relu(norm()(x))
        for i, width in enumerate(self.network.widths):
            for j in range(self.network.blocks):
                x = Block(width, 2 if i > 0 and j == 0 else 1)(x)
        return nn.Dense(self.network.classes)(x.mean((1, 2)))


class MobileNet(nn.Module):
    network: jobs.MobileNet

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.network.stem, (3, 3), use_bias=False)(x)
        x = nn.relu(norm()(x))
        for features, stride in self.network.blocks:
            c = x.shape[-1]
            x = nn.Conv(c, (3, 3), (stride, stride), feature_group_count=c, use_bias=False)(x)
            x = nn.relu(norm()(x))
            x = nn.Conv(features, (1, 1), use_bias=False)(x)
            x = nn.relu(norm()(x))
        return nn.Dense(self.network.classes)(x.mean((1, 2)))


class Mlp(nn.Module):
    network: jobs.Mlp

    @nn.compact
    def __call__(self, x):
        for h in self.network.hidden:
            x = nn.relu(nn.Dense(h)(x))
        return nn.Dense(self.network.classes)(x)


class Lstm(nn.Module):
    network: jobs.Lstm

    @nn.compact
    def __call__(self, x):
        (_, h), _ = nn.RNN(nn.OptimizedLSTMCell(self.network.hidden), return_carry=True)(x)
        return nn.Dense(self.network.classes)(h)


class Transformer(nn.Module):
    network: jobs.Transformer

    @nn.compact
    def __call__(self, x):
        t, width = x.shape[1], self.network.width
        mask = nn.make_causal_mask(jnp.ones((1, t)))
        x = nn.Embed(self.network.vocabulary, width)(x) + sinusoids(t, width)
        for _ in range(self.network.depth):
            x += nn.MultiHeadDotProductAttention(self.network.heads)(nn.LayerNorm()(x), mask=mask)
            y = nn.Dense(self.network.mlp_width)(nn.LayerNorm()(x))
            x += nn.Dense(width)(nn.gelu(y, approximate=False))
        return nn.Dense(self.network.vocabulary)(nn.LayerNorm()(x))


MODELS = {
    jobs.Cnn: Cnn,
    jobs.ResNet: ResNet,
    jobs.MobileNet: MobileNet,
    jobs.Mlp: Mlp,
    jobs.Lstm: Lstm,
    jobs.Transformer: Transformer,
}
