"""A small network on fixed data, and where an optimizer of ours takes it step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from fcnn import layers, training

STEPS = 60
WITHIN = 1e-10  # of the largest parameter
RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((20, 4)), RNG.integers(0, 3, 20).astype(np.int32)
MODEL = layers.serial(layers.dense(5), layers.tanh(), layers.dense(3))
START = jax.tree.map(np.asarray, MODEL.init(jax.random.key(0), X.shape[1:])[0])


def loss(params):
    logits, _ = MODEL.apply(params, {}, jnp.asarray(X))
    return fcnn.softmax_cross_entropy(logits, jnp.asarray(LABELS)).mean()


def ours(optimizer: optax.GradientTransformation) -> list[dict]:
    """The parameters after each step, as `fcnn.training` takes it."""
    step = jax.jit(training.train_step(MODEL, fcnn.softmax_cross_entropy, optimizer))
    now = training.create(MODEL, optimizer, X.shape[1:], jax.random.key(1))
    now, found = now._replace(params=START, opt_state=optimizer.init(START)), []
    with jax.numpy_dtype_promotion("standard"):  # as optax's bias correction needs it
        for _ in range(STEPS):
            now, _ = step(now, (X, LABELS))
            found.append(jax.tree.map(np.asarray, now.params))
    return found


def same(found: list[dict], wanted: list[dict]) -> None:
    """Every parameter after every step; and they have moved far."""
    assert len(found) == len(wanted) == STEPS
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            off = np.abs(u - v).max() / np.abs(v).max()
            assert off <= WITHIN, f"step {i + 1}: off by {off}"
    assert loss(wanted[-1]) < 0.8 * loss(START)
