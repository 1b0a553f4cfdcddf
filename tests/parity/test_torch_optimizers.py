"""Trajectories of optax's optimizers on fcnn's gradients, against torch.optim and autograd."""

import jax
import optax
import pytest
import torch
import torch.nn.functional as F
from trajectory import LABELS, START, STEPS, X, assert_same, ours


def theirs(make):
    """The parameters after each step of a torch optimizer."""
    leaves, tree = jax.tree.flatten(START)
    tensors = [torch.tensor(p, requires_grad=True) for p in leaves]
    p, optimizer, found = tree.unflatten(tensors), make(tensors), []
    x, labels = torch.tensor(X), torch.tensor(LABELS, dtype=torch.long)
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = torch.tanh(x @ p["dense1"]["w"] + p["dense1"]["b"])
        F.cross_entropy(hidden @ p["dense2"]["w"] + p["dense2"]["b"], labels).backward()
        optimizer.step()
        found.append(tree.unflatten([t.detach().clone().numpy() for t in tensors]))
    return found


PAIRS = {
    "sgd": (optax.sgd(0.5), lambda p: torch.optim.SGD(p, 0.5)),
    # Both libraries have the velocity g + mu v, without the rate. The papers have mu v - rate g.
    "momentum": (optax.sgd(0.1, momentum=0.8), lambda p: torch.optim.SGD(p, 0.1, momentum=0.8)),
    "nesterov": (
        optax.sgd(0.1, momentum=0.8, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
    ),
    # By default, optax starts the sum of squares from 0.1, and has eps = 1e-7 under the root. torch
    # starts it from 0, and has eps = 1e-10 outside the root.
    "adagrad": (
        optax.adagrad(0.2, initial_accumulator_value=0.1, eps=0.0),
        lambda p: torch.optim.Adagrad(p, 0.2, initial_accumulator_value=0.1, eps=0.0),
    ),
    # By default optax decays by 0.9 and has eps under the root. torch decays by 0.99, with eps
    # outside the root.
    "rmsprop": (
        optax.rmsprop(0.01, decay=0.95, eps=1e-3, eps_in_sqrt=False),
        lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.95, eps=1e-3),
    ),
    "centred rmsprop": (
        optax.rmsprop(0.01, decay=0.95, eps=1e-3, eps_in_sqrt=False, centered=True, momentum=0.5),
        lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.95, eps=1e-3, centered=True, momentum=0.5),
    ),
    "adam": (optax.adam(0.02), lambda p: torch.optim.Adam(p, 0.02)),
    # The default weight decay is 1e-4 in optax, and 1e-2 in torch.
    "adamw": (
        optax.adamw(0.02, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_trajectory(name):
    optimizer, make = PAIRS[name]
    assert_same(ours(optimizer), theirs(make))
