"""Optimizers by name, built of optax.

With parameters p, the gradient g of step t, learning rate r and weight decay e, the parts act in
this order, and all but the direction are optional:

    clip           g = g min(1, clip / |g|)            |g| is the norm of all gradients together
    weight decay   g = g + e p                         L2 regularization, but for adamw and lion
    direction      d = of the named optimizer
    weight decay   d = d + e p                         decoupled: adamw and lion
    step           p = p - r d                         times the scale of `plateau`
"""

import math
from collections.abc import Callable

import optax

from fcnn.ops.validation import (
    did_you_mean,
    named,
    require,
    require_counts,
    require_flags,
    require_numbers,
)
from fcnn.training.optimizers.averaged import averaged
from fcnn.training.optimizers.loss_scaled import loss_scaled
from fcnn.training.optimizers.weight_decay import decayed

MOMENTUM = 0.9
DIRECTIONS: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "sgd": lambda momentum: optax.identity(),
    "momentum": lambda momentum: optax.trace(momentum),
    "nesterov": lambda momentum: optax.trace(momentum, nesterov=True),
    "adagrad": lambda momentum: optax.scale_by_rss(initial_accumulator_value=0.0, eps=1e-20),
    "rmsprop": lambda momentum: optax.scale_by_rms(decay=0.9, eps=1e-8, eps_in_sqrt=False),
    "adam": lambda momentum: optax.scale_by_adam(),
    "adamw": lambda momentum: optax.scale_by_adam(),
    "lion": lambda momentum: optax.scale_by_lion(),
}
DECOUPLED = ("adamw", "lion")  # their weight decay does not pass through the direction


def optimizer(
    name: str,
    learning_rate: float | optax.Schedule,
    *,
    momentum: float = MOMENTUM,
    weight_decay: float = 0.0,
    decay_all: bool = False,
    clip: float | None = None,
    plateau: int | None = None,
    patience: int = 10,
    average: float | None = None,
    loss_scale: bool = False,
) -> optax.GradientTransformation:
    """Optimizer by name, with weight decay, clipping, averaging and loss scaling as options.

    With gradient g, and sums over the steps so far, the direction d of a step is

        sgd        g
        momentum   v = momentum v + g;  d = v
        nesterov   v = momentum v + g;  d = momentum v + g
        adagrad    g / sqrt(sum g² + 1e-20)
        rmsprop    u = 0.9 u + 0.1 g²;  d = g / (sqrt(u) + 1e-8)
        adam       algorithm 1 of the paper, with 0.9, 0.999 and 1e-8; adamw the same
        lion       sign(0.9 m + 0.1 g);  then m = 0.99 m + 0.01 g

    Options:
        name: one of these names.
        learning_rate: a number, or a function of the step number, such as `schedule` returns.
        momentum: weight of the old velocity in "momentum" and "nesterov".
        weight_decay: factor of the parameters that is added to the gradient (L2 regularization),
            in adamw and lion to the direction (decoupled), so that a step takes off
            learning_rate weight_decay of each parameter. Biases, scales of normalizations and
            slopes of prelu are left out.
        decay_all: whether weight decay acts on these parameters too.
        clip: largest norm of all gradients together; longer gradients are shortened to it.
        plateau: steps of an epoch. If given, the learning rate is divided by 10 after `patience`
            epochs in which the mean training loss was not lower by a share of 1e-4 than before.
        patience: number of epochs, for `plateau`.
        average: decay of averaged parameters, such as 0.999, as in `averaged`.
        loss_scale: whether the loss is scaled for float16, as in `loss_scaled`.
    Raises: ValueError for an unknown name, or an option that is out of range, or a momentum for
            an optimizer without one; TypeError for an option of another kind.
    Source: Robbins & Monro 1951; momentum: Polyak 1964; nesterov: Sutskever et al. 2013; adagrad:
            Duchi, Hazan & Singer 2011; rmsprop: Tieleman & Hinton 2012; adam: Kingma & Ba 2015;
            adamw: Loshchilov & Hutter 2019; lion: Chen et al., arXiv:2302.06675; clip: Pascanu,
            Mikolov & Bengio 2013.

    >>> adamw = fcnn.training.optimizer("adamw", 1e-3, weight_decay=0.1, clip=1.0)
    >>> params = {"w": jnp.array([2.0]), "b": jnp.array([2.0])}
    >>> zeros = jax.tree.map(jnp.zeros_like, params)
    >>> adamw.update(zeros, adamw.init(params), params)[0]["w"]  # -0.001 · 0.1 · 2
    Array([-0.0002], dtype=float32)
    """
    with named("optimizer"):
        if name not in [*DIRECTIONS]:
            known = f"{', '.join(DIRECTIONS)}{did_you_mean(name, DIRECTIONS)}"
            raise ValueError(f"unknown optimizer {name!r}; expected one of {known}")
        if not callable(learning_rate):
            require_numbers(learning_rate=learning_rate)
            is_rate = 0 <= learning_rate < math.inf
            require(is_rate, f"learning_rate {learning_rate} must be at least 0 and finite")
        require_numbers(momentum=momentum, weight_decay=weight_decay)
        require(0 <= momentum < 1, f"momentum {momentum} must be at least 0 and below 1")
        has_momentum = name in ("momentum", "nesterov") or momentum == MOMENTUM
        require(has_momentum, f"momentum {momentum}: {name} has none; leave it out")
        is_decay = 0 <= weight_decay < math.inf
        require(is_decay, f"weight_decay {weight_decay} must be at least 0 and finite")
        require_flags(decay_all=decay_all, loss_scale=loss_scale)
        if clip is not None:
            require_numbers(clip=clip)
            require(clip > 0, f"clip {clip} must be above 0")
        if plateau is not None:
            require_counts(plateau=plateau, patience=patience)
    parts = [] if clip is None else [optax.clip_by_global_norm(clip)]
    mask = None if decay_all else decayed
    decay = [optax.add_decayed_weights(weight_decay, mask)] if weight_decay else []
    direction = [DIRECTIONS[name](momentum)]
    parts += direction + decay if name in DECOUPLED else decay + direction
    parts += [optax.scale_by_learning_rate(learning_rate)]
    if plateau is not None:
        options = {"factor": 0.1, "patience": patience, "accumulation_size": plateau}
        parts += [optax.contrib.reduce_on_plateau(**options)]
    made = optax.chain(*parts)
    made = made if average is None else averaged(made, average)
    return loss_scaled(made) if loss_scale else made
