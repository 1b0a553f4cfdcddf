"""Training from other initial parameters, by the same compiled program."""

from collections.abc import Callable
from copy import copy
from typing import Any

import jax

from experiments.framework.trained import Trials


def starting(trials: Trials, label: str, change: Callable[[Any, jax.Array], Any]) -> Trials:
    """`trials` whose training starts from `change(params, key)` in place of the initial `params`.

    The optimizer's state is that of before the change, which is zeros for all of optax's usual
    optimizers.

    Options:
        label: name of the network, for `log` and messages.
        change: a function of one seed's params and its random key.
    """
    other = copy(trials)
    other.label, other.seeds = label, copy(trials.seeds)
    begin = trials.seeds.start
    changed = jax.jit(jax.vmap(change))

    def start():
        train_state = begin()
        keys = jax.random.split(jax.random.key(1), trials.seeds.count)
        return train_state._replace(params=changed(train_state.params, keys))

    other.seeds.start = start
    return other
