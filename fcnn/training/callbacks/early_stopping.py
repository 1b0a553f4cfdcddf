"""Early stopping: training ends when validation no longer improves."""

import math

import jax.numpy as jnp

from fcnn.ops.validation import named, require, require_counts, require_numbers
from fcnn.training.callbacks.callback import Callback, Stop, require_larger


def early_stopping(
    metric: str = "loss",
    *,
    patience: int,
    larger: bool | None = None,
    least: float = 0.0,
    name: str = "early_stopping",
) -> Callback:
    """Callback that ends training when a validation metric no longer improves.

    Options:
        metric: name of a validation metric.
        patience: number of chunks without an improvement after which training ends.
        larger: whether larger values are better, as for accuracy; needed but for "loss".
        least: smallest difference that is an improvement.
        name: of the callback, to tell several apart.
    Raises: from `fit`, before training: ValueError if validation does not measure the metric.
    Source: Prechelt 1998.

    >>> callbacks = [fcnn.training.early_stopping("accuracy", larger=True, patience=5)]
    """
    with named("early_stopping"):
        require_counts(patience=patience)
        larger = require_larger(metric, larger)
        require_numbers(least=least)
        require(least >= 0, f"least {least} must be at least 0")

    def init(train_state):
        worst = -math.inf if larger else math.inf
        return {"best": jnp.asarray(worst), "waited": jnp.asarray(0)}

    def after(train_state, own, progress):
        value, best = progress.validation[metric], float(own["best"])
        better = value > best + least if larger else value < best - least
        waited = 0 if better else int(own["waited"]) + 1
        own = {"best": jnp.asarray(value if better else best), "waited": jnp.asarray(waited)}
        reason = ended(own)
        return Stop(reason, own) if reason else own

    def ended(own):
        if int(own["waited"]) < patience:
            return ""
        what = f"validation {metric} did not improve in {int(own['waited'])} chunks of steps"
        return f"{what}; best {float(own['best']):.4g}"

    return Callback(name, init, after, needs=(metric,), ended=ended)
