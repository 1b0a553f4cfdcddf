"""Averaged parameters: an exponential moving average of the parameters after each update.

With decay b and the parameters p[t] after update t = 1, 2, ..., the bias-corrected average is

    a[t] = sum_i b^(t-i) p[i] / sum_i b^(t-i)
         = a[t-1] + (p[t] - a[t-1]) (1 - b) / (1 - b^t)

so a[1] = p[1], and early averages do not contain the parameters before training. For b → 1 it is
the mean of Polyak & Juditsky. The second form keeps the average itself, without a division by the
small number 1 - b^t.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fcnn.ops.arrays import is_float
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.validation import named, require, require_numbers
from fcnn.training.parts import require_optimizer
from fcnn.training.state import TrainState


class Averaged(NamedTuple):
    """State of `averaged`."""

    steps: jax.Array  # number of updates
    average: Any  # of the parameters, in float32 at least
    inner: optax.OptState


def averaged(
    optimizer: optax.GradientTransformation, decay: float = 0.999
) -> optax.GradientTransformationExtraArgs:
    """The optimizer, whose state also has a moving average of the parameters.

    `fit` validates the averaged parameters, and `averaged_params` returns them. Training itself
    does not use them. The state of the model, such as running statistics, is not averaged. No
    other part of an optimizer may change the update later: in a chain, it is the last part.

    Options:
        optimizer: of optax.
        decay: weight of the old average, between 0 and 1. About 1 / (1 - decay) updates count.
    Raises: TypeError if the first argument is not an optimizer; ValueError if decay is out of
            range.
    Cost:   memory for a second copy of the parameters, in float32 at least.
    Source: Polyak & Juditsky 1992; bias correction: Kingma & Ba 2015.

    >>> import optax
    >>> sgd = fcnn.training.averaged(optax.sgd(1.0), decay=0.5)
    >>> model = fcnn.layers.dense(1, bias=False, w_init=fcnn.layers.initializers.zeros)
    >>> train_state = fcnn.training.create(model, sgd, (1,), jax.random.key(0))
    >>> step = fcnn.training.train_step(model, lambda outputs, y: outputs[:, 0], sgd)
    >>> for _ in range(2):
    ...     train_state, _ = step(train_state, (jnp.ones((1, 1)), jnp.zeros(1)))
    >>> average = fcnn.training.averaged_params(train_state)  # of -1 and -2, with weights 1 and 2
    >>> train_state.params["w"], average["w"].round(2)
    (Array([[-2.]], dtype=float32), Array([[-1.67]], dtype=float32))
    """
    with named("averaged"):
        require_optimizer(optimizer)
        require_numbers(decay=decay)
        require(0 < decay < 1, f"decay {decay} must lie between 0 and 1")
    inner = optax.with_extra_args_support(optimizer)

    def init(params):
        average = jax.tree.map(lambda p: jnp.array(p, _wide(p)), params)  # a copy, for donation
        return Averaged(jnp.zeros((), jnp.int32), average, inner.init(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any):
        updates, new = inner.update(updates, state.inner, params, **extra)
        steps: Any = optax.safe_increment(state.steps)
        one = jnp.asarray(math.log(decay), float)
        share = jnp.expm1(one) / jnp.expm1(one * steps.astype(one.dtype))
        towards = lambda a, p: a + (p.astype(a.dtype) - a) * share.astype(a.dtype)
        average = jax.tree.map(towards, state.average, optax.apply_updates(params, updates))
        return updates, Averaged(steps, average, new)

    return optax.GradientTransformationExtraArgs(init, update)


def averaged_params(train_state: TrainState) -> Any:
    """The averaged parameters of the model, or its parameters if the optimizer does not average.

    Options:
        train_state: state of training with an optimizer that may be made by `averaged`, also
            inside of `loss_scaled` or a chain of optax.

    >>> model, adam = fcnn.layers.dense(2), fcnn.training.optimizer("adam", 1e-3, average=0.999)
    >>> train_state = fcnn.training.create(model, adam, (3,), jax.random.key(0))
    >>> fcnn.training.averaged_params(train_state)["w"].shape
    (3, 2)
    """
    is_averaged = lambda state: isinstance(state, Averaged)
    for state in jax.tree.leaves(train_state.opt_state, is_leaf=is_averaged):
        if is_averaged(state):
            return jax.tree.map(lambda p, a: a.astype(p.dtype), train_state.params, state.average)
    return train_state.params


def _wide(p):
    return accumulation_dtype(p.dtype) if is_float(p) else p.dtype
