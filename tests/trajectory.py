"""Trajectories of a small network on fixed data: its parameters after each step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from fcnn import layers, training

STEPS = 60
TOLERANCE = 1e-10  # relative to the largest entry of a parameter
RNG = np.random.default_rng(0)
X, LABELS = RNG.standard_normal((20, 4)), RNG.integers(0, 3, 20).astype(np.int32)
MODEL = layers.serial(layers.dense(5), layers.tanh(), layers.dense(3))
START = jax.tree.map(np.asarray, MODEL.init(jax.random.key(0), X.shape[1:])[0])


def loss(params):
    logits, _ = MODEL.apply(params, {}, jnp.asarray(X))
    return fcnn.softmax_cross_entropy(logits, jnp.asarray(LABELS)).mean()


def ours(optimizer: optax.GradientTransformation) -> list[dict]:
    """Parameters after each train step of `fcnn.training`."""
    step = jax.jit(training.train_step(MODEL, fcnn.softmax_cross_entropy, optimizer))
    train_state = training.create(MODEL, optimizer, X.shape[1:], jax.random.key(1))
    train_state, found = train_state._replace(params=START, opt_state=optimizer.init(START)), []
    with jax.numpy_dtype_promotion("standard"):  # optax's bias correction needs it
        for _ in range(STEPS):
            train_state, _ = step(train_state, (X, LABELS))
            found.append(jax.tree.map(np.asarray, train_state.params))
    return found


def assert_same(found: list[dict], expected: list[dict]) -> None:
    """Assert that parameters are equal after every step, and that the last loss is lower."""
    assert len(found) == len(expected) == STEPS
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            error = np.abs(u - v).max() / np.abs(v).max()
            assert error <= TOLERANCE, f"step {i + 1}: relative error {error}"
    assert loss(expected[-1]) < 0.8 * loss(START)
