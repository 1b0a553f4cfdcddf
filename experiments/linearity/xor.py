"""The exclusive or of two bits: a perceptron cannot compute it, and two layers can.

A perceptron computes a labelling s = ±1 of the points x if s_i (w x_i + b) ≥ 1 has a solution. The
linear program decides it for every labelling. For XOR the sum of s_i (x_i, 1) is 0, so the four
left sides sum to 0, and there is no solution.

Source: Minsky & Papert 1969.
"""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import linprog

import fcnn
from experiments.framework.seeds import ONCE

POINTS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float32)
XOR = (0, 1, 1, 0)
HIDDEN = (0, 2, 4, 8)  # relu units; 0: a perceptron
STEPS, RATE = 1000, 0.05


def separable() -> dict[str, bool]:
    """For each of the 16 functions of two bits, whether a perceptron can compute it."""
    return {"".join(map(str, bits)): _solvable(bits) for bits in product((0, 1), repeat=4)}


def _solvable(bits) -> bool:
    signs = 2 * np.array(bits) - 1
    left = -signs[:, None] * np.column_stack([POINTS, np.ones(4)])
    return bool(linprog(np.zeros(3), left, -np.ones(4), bounds=(None, None)).status == 0)


def certificate() -> list[float]:
    """The sum of s_i (x_i, 1) over the four points, for XOR."""
    signs = 2 * np.array(XOR) - 1
    return (signs @ np.column_stack([POINTS, np.ones(4)])).tolist()


def by_hand(x):
    """XOR by two relu units: relu(x1 + x2) - 2 relu(x1 + x2 - 1). Shapes: x (n, 2) -> (n,)."""
    hidden = fcnn.relu(fcnn.dense(x, jnp.ones((2, 2)), jnp.array([0.0, -1.0])))
    return fcnn.dense(hidden, jnp.array([[1.0], [-2.0]]), jnp.zeros(1))[:, 0]


def correct(hidden: int, seeds: int) -> list[int]:
    """Points of four that a trained network classifies correctly, for each seed."""
    keys = jax.random.split(jax.random.key(hidden), seeds)
    return jax.jit(jax.vmap(partial(_trained, hidden)), compiler_options=ONCE)(keys).tolist()


def _trained(hidden, key):
    x, labels = jnp.asarray(POINTS), jnp.array(XOR, jnp.float32)
    net, adam = fcnn.models.mlp((hidden,) if hidden else (), 1), optax.adam(RATE)
    params, state = net.init(key, (2,))
    logits = lambda params: net.apply(params, state, x)[0][:, 0]
    loss = lambda params: fcnn.sigmoid_cross_entropy(logits(params), labels).mean()

    def step(carry, _):
        params, opt_state = carry
        updates, opt_state = adam.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (params, adam.init(params)), length=STEPS)
    return ((logits(params) > 0) == (labels > 0.5)).sum()
