"""The parameters with the best value of a validation metric."""

import math

import jax.numpy as jnp

from fcnn.ops.validation import named
from fcnn.training.callbacks.callback import Callback, require_larger
from fcnn.training.optimizers import averaged_params


def keep_best(
    metric: str = "loss", *, larger: bool | None = None, name: str = "keep_best"
) -> Callback:
    """Callback that keeps the parameters with the best value of a validation metric.

    They are in `train_state.callbacks[name]`: a dict with value, step, params and state. If the
    optimizer averages parameters, these are the averaged ones, which validation measures.

    Options:
        metric: name of a validation metric.
        larger: whether larger values are better, as for accuracy; needed but for "loss".
        name: of the callback, to tell several apart.
    Raises: from `fit`, before training: ValueError if validation does not measure the metric.
    Cost:   memory for a second copy of the parameters and the state.

    >>> callbacks = [fcnn.training.keep_best("accuracy", larger=True)]
    """
    with named("keep_best"):
        larger = require_larger(metric, larger)

    def kept(value, train_state):
        value, step = jnp.asarray(value), jnp.asarray(train_state.step)
        return {
            "value": value,
            "step": step,
            "params": averaged_params(train_state),
            "state": train_state.state,
        }

    def init(train_state):
        return kept(-math.inf if larger else math.inf, train_state)

    def after(train_state, own, progress):
        value, best = progress.validation[metric], float(own["value"])
        better = value > best if larger else value < best
        return kept(value, train_state) if better else own

    return Callback(name, init, after, needs=(metric,))
