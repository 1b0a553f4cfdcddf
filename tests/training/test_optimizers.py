"""Trajectories of optax's optimizers equal the formulas of the papers, written in NumPy.

p is a parameter, g its gradient, t the step number (from 1) and `rate` the learning rate.
"""

from functools import partial

import jax
import numpy as np
import optax
import pytest
from trajectory import START, STEPS, assert_same, loss, ours

GRADIENT = jax.jit(jax.grad(loss))


def trajectory_of(update, start=0.0):
    """Parameters after each step of `update`, a function (p, g, t, *memory) -> (p, *memory)."""
    leaves, tree = jax.tree.flatten(START)
    memories = [(np.full_like(p, start), np.zeros_like(p)) for p in leaves]
    found = []
    for t in range(1, STEPS + 1):
        slopes = map(np.asarray, jax.tree.leaves(GRADIENT(tree.unflatten(leaves))))
        moved = [
            update(p, g, t, *memory) for p, g, memory in zip(leaves, slopes, memories, strict=True)
        ]
        leaves = [p for p, *_ in moved]
        memories = [memory for _, *memory in moved]
        found.append(tree.unflatten(leaves))
    return found


def sgd(p, g, t, u, v, *, rate):
    """Robbins & Monro 1951."""
    return p - rate * g, u, v


def momentum(p, g, t, u, v, *, rate, mu):
    """Polyak 1964. The velocity v includes the rate; optax multiplies its velocity by the rate."""
    v = mu * v - rate * g
    return p + v, u, v


def nesterov(ahead, g, t, u, v, *, rate, mu):
    """Sutskever et al. 2013. The gradient is taken at p + mu v, which optax keeps in place of p."""
    p = ahead - mu * v
    v = mu * v - rate * g
    return (p + v) + mu * v, u, v


def adagrad(p, g, t, u, v, *, rate):
    """Duchi, Hazan & Singer 2011. u starts at 0.1. optax adds eps under the root; eps is 0 here."""
    u = u + g**2
    return p - rate * g / np.sqrt(u), u, v


def rmsprop(p, g, t, u, v, *, rate, decay, eps):
    """Tieleman & Hinton 2012."""
    u = decay * u + (1 - decay) * g**2
    return p - rate * g / (np.sqrt(u) + eps), u, v


def adam(p, g, t, u, v, *, rate, b1=0.9, b2=0.999, eps=1e-8, decay=0.0):
    """Algorithm 1 of Kingma & Ba 2015. With decay > 0, algorithm 2 of Loshchilov & Hutter 2019."""
    u, v = b1 * u + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    first, second = u / (1 - b1**t), v / (1 - b2**t)
    return p - rate * (first / (np.sqrt(second) + eps) + decay * p), u, v


PAIRS = {
    "sgd": (optax.sgd(0.5), partial(sgd, rate=0.5)),
    "momentum": (optax.sgd(0.1, momentum=0.8), partial(momentum, rate=0.1, mu=0.8)),
    "nesterov": (
        optax.sgd(0.1, momentum=0.8, nesterov=True),
        partial(nesterov, rate=0.1, mu=0.8),
    ),
    "rmsprop": (
        optax.rmsprop(0.01, decay=0.95, eps=1e-3, eps_in_sqrt=False),
        partial(rmsprop, rate=0.01, decay=0.95, eps=1e-3),
    ),
    "adam": (optax.adam(0.02), partial(adam, rate=0.02)),
    "adamw": (optax.adamw(0.02, weight_decay=0.1), partial(adam, rate=0.02, decay=0.1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_trajectory_equals_the_formula(name):
    optimizer, update = PAIRS[name]
    assert_same(ours(optimizer), trajectory_of(update))


def test_trajectory_of_adagrad_equals_the_formula():
    optimizer = optax.adagrad(0.2, initial_accumulator_value=0.1, eps=0.0)
    assert_same(ours(optimizer), trajectory_of(partial(adagrad, rate=0.2), start=0.1))
