"""Greedy layer-wise pretraining: each layer in turn learns to reconstruct its input, h.

    code = f(h w + b)      loss = ½ |code w' + b' − h|²      then h = code for the next layer

Source: Bengio et al. 2007.
"""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn
from experiments.framework.experiment import Log
from experiments.framework.trained import Trials
from fcnn.layers import initializers

FUNCTIONS = {"sigmoid": fcnn.sigmoid, "tanh": fcnn.tanh, "relu": fcnn.relu}
RATES = (2e-3, 6e-3, 2e-2)  # of Adam
STEPS, BATCH = 200, 64  # for each layer


def pretrained(
    activation: str, params: Any, train: np.ndarray, validation: np.ndarray, log: Log, steps: int
) -> Any:
    """Parameters of a plain network after pretraining, with a leading axis of seeds."""
    params = jax.device_get(params)
    first, others = params["first"], params["others"]["dense1"]
    seeds, depth = others["w"].shape[:2]
    each = [first, *(jax.tree.map(lambda a, i=i: a[:, i], others) for i in range(depth))]
    learn = jax.jit(jax.vmap(partial(layer, FUNCTIONS[activation], len(train), steps)))
    x = np.concatenate([train, validation])
    h = np.broadcast_to(x.reshape(len(x), -1), (seeds, len(x), x[0].size))
    for i, begun in enumerate(each):
        log.show(f"pretraining with {activation} · layer {i + 1}", i / len(each))
        each[i], h = learn(jax.random.split(jax.random.key(i), seeds), begun, h)
    stacked = jax.tree.map(lambda *a: np.stack(a, 1), *each[1:])
    return params | {"first": each[0], "others": {"dense1": stacked}}


def layer(
    f: Callable[..., jax.Array], train: int, steps: int, key: jax.Array, params: Any, h: jax.Array
) -> tuple[Any, jax.Array]:
    """The trained layer of one seed, and its output.

    The first `train` rows of h are trained on; the others choose the rate.
    """
    decoder_key, order_key = jax.random.split(key)
    w = initializers.glorot(decoder_key, params["w"].shape[::-1])
    both: Any = {"layer": params, "decoder": {"w": w, "b": jnp.zeros(w.shape[1])}}
    batches = jax.random.randint(order_key, (steps, BATCH), 0, train)

    def error(both, h):
        code = f(fcnn.dense(h, **both["layer"]))
        return ((fcnn.dense(code, **both["decoder"]) - h) ** 2).sum(-1).mean() / 2

    def trained(rate):
        adam = optax.adam(rate)

        def step(carry, rows):
            both, state = carry
            update, state = adam.update(jax.grad(error)(both, h[rows]), state)
            return (optax.apply_updates(both, update), state), None

        carry: Any = (both, adam.init(both))
        carry, _ = jax.lax.scan(step, carry, batches)
        return carry[0]["layer"], error(carry[0], h[train:])

    by_rate: Any = jax.vmap(trained)(jnp.array(RATES))
    found, errors = by_rate
    best = jax.tree.map(lambda a: a[jnp.nanargmin(errors)], found)
    return best, f(fcnn.dense(h, **best))


def beginning(trials: Trials, label: str, params: Any) -> Trials:
    """`trials` whose training starts from these parameters, with a leading axis of seeds."""
    other = copy(trials)
    other.label, other.seeds = label, copy(trials.seeds)
    begin = trials.seeds.start
    other.seeds.start = lambda: begin()._replace(params=jax.tree.map(jnp.array, params))
    return other
