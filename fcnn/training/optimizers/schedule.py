"""Learning rate schedules: functions of the step number t, from 0, to the learning rate.

With the largest learning rate r, which is reached after a warm-up of w steps, and n steps in all,

                 t <= w                           w <= t <= n, with s = (t - w) / (n - w)
    constant     r t / w                          r
    cosine       r t / w                          r (1 + cos πs) / 2
    one_cycle    r/25 to r, by half a cosine      r to r/250000, by half a cosine

After step n, the value of step n stays.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fcnn.ops.validation import (
    did_you_mean,
    named,
    require,
    require_counts,
    require_integers,
    require_numbers,
)


class _Shape(NamedTuple):
    """Shares of the largest learning rate, and the form of the warm-up."""

    first: float
    last: float
    straight: bool
    warm_up: float  # share of the steps, by default


SHAPES = {
    "constant": _Shape(0.0, 1.0, straight=True, warm_up=0.0),
    "cosine": _Shape(0.0, 0.0, straight=True, warm_up=0.0),
    "one_cycle": _Shape(1 / 25, 1 / 250_000, straight=False, warm_up=0.3),
}


def schedule(
    name: str, learning_rate: float, *, steps: int, warm_up: int | None = None
) -> Callable[[jax.typing.ArrayLike], jax.Array]:
    """Learning rate schedule by name: a function of the step number, which optimizers take.

    The learning rate is reached at step `warm_up`. It starts at 0, or for one_cycle at a 25th.

    Options:
        name: "constant", "cosine", which ends at 0, or "one_cycle", which ends at
            learning_rate / 250000. To lower the learning rate by the loss instead, write
            optimizer(..., plateau=steps of an epoch).
        learning_rate: the largest one.
        steps: number of steps of the whole run.
        warm_up: number of steps; if None, 30 % of `steps` for one_cycle, and 0 for the others.
    Raises: ValueError for an unknown name, a learning rate below 0, or a warm-up that is not
            shorter than the run; TypeError for an option of another kind.
    Source: warm-up: Goyal et al., arXiv:1706.02677; cosine: Loshchilov & Hutter, arXiv:1608.03983;
            one_cycle: Smith & Topin, arXiv:1708.07120.

    >>> rate = fcnn.training.schedule("cosine", 1.0, steps=300, warm_up=100)
    >>> [round(float(rate(step)), 6) for step in (0, 50, 100, 200, 300)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    >>> optimizer = fcnn.training.optimizer("adam", rate)
    """
    with named("schedule"):
        if name not in [*SHAPES]:
            known = f"{', '.join(SHAPES)}{did_you_mean(name, SHAPES)}"
            write = "; write optimizer(..., plateau=steps of an epoch)" * (name == "plateau")
            raise ValueError(f"unknown schedule {name!r}; expected one of {known}{write}")
        require_numbers(learning_rate=learning_rate)
        require(0 <= learning_rate < math.inf, f"learning_rate {learning_rate} must be at least 0")
        require_counts(steps=steps)
        shape = SHAPES[name]
        warm_up = int(shape.warm_up * steps) if warm_up is None else warm_up
        require_integers(warm_up=warm_up)
        require(0 <= warm_up < steps, f"warm_up {warm_up} must be in 0 .. {steps - 1}, below steps")

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.asarray(step, float)
        s = jnp.minimum((t - warm_up) / (steps - warm_up), 1)
        share = shape.last + (1 - shape.last) * _fall(s)
        if warm_up:
            u = t / warm_up
            rise = u if shape.straight else _fall(1 - u)
            share = jnp.where(t < warm_up, shape.first + (1 - shape.first) * rise, share)
        return learning_rate * share

    return rate


def _fall(s):
    """Half a cosine, from 1 at s = 0 to 0 at s = 1."""
    return (1 + jnp.cos(jnp.pi * s)) / 2
