"""Classic dropout that computes the same as inverted dropout, with the same masks.

With the mask k and y = (k x / (1 - p)) w + b in the inverted form, classic dropout gives the same y
with v = w / (1 - p):

    y = (k x) v + b        dv = (k x)ᵀ dy = (1 - p) dw

A step of SGD at the rate r changes w by -r dw. v must change by -r dw / (1 - p), which is a step
at the rate r / (1 - p)² along dv. Kernels without dropout before them, and biases, are the same.
Source: Srivastava et al. 2014, section 10.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import optax

from experiments.dropout.networks import network
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.starting import starting
from experiments.framework.trained import Trials
from fcnn import layers
from fcnn.data import Images
from fcnn.layers import Layer

DROPPED = (0.2, 0.5)
RATE = 0.1  # of SGD
STEPS = 100
CLOSE = 1e-3  # relative to the largest output


def equivalence(
    config: Options, images: Images, x: np.ndarray, classes: int, log: Log, depth: int
) -> dict[str, Any]:
    """Largest difference of outputs for x by seed, relative to the largest output, by rate."""
    rates = DROPPED[:1] if config.smoke else DROPPED
    options = {"seeds": config.seeds or 0, "log": log}
    train = {"epochs": -(-STEPS // max(1, len(images.y) // 64)), "rate": RATE}
    found = {}
    for p in rates:
        build = lambda drop, p=p: network(p, classes, depth=depth, drop=drop)
        inverted, classic = build(layers.dropout), build(layers.classic_dropout)
        scale = scales(classic, p)
        trials = Trials(inverted, images, label=f"inverted {p:g}", optimizer=optax.sgd, **options)
        of_classic = {"label": f"classic {p:g}", "optimizer": scaled(scale)}
        others = Trials(classic, images, **of_classic, **options)
        others = starting(others, others.label, lambda params, key, s=scale: times(params, s))
        a, b = (each.train(**train).outputs(x) for each in (trials, others))
        difference = np.abs(a - b).max((1, 2)) / np.abs(a).max((1, 2))
        found[f"{p:g}"] = difference.tolist()
    return found


def scales(model: Layer, p: float) -> dict[str, float]:
    """The factor of each layer's kernel: 1 / (1 - p) where dropout precedes it, else 1."""
    found, factor = {}, 1.0
    for name, layer in model.parts:
        if layer.name == "dense":
            found[name] = factor
        elif layer.name == "classic_dropout":
            factor = 1 / (1 - p)
    return found


def times(params: Any, scale: dict[str, float]) -> Any:
    """The kernels times their factors."""
    return params | {k: params[k] | {"w": factor * params[k]["w"]} for k, factor in scale.items()}


def scaled(scale: dict[str, float]) -> Callable[..., optax.GradientTransformation]:
    """SGD whose rate is larger by the square of each kernel's factor."""
    squares = {name: factor**2 for name, factor in scale.items()}
    wider = optax.stateless(lambda updates, params: times(updates, squares))
    return lambda learning_rate: optax.chain(optax.sgd(learning_rate), wider)
