"""The methods: with gradient g, learning rate r, and all entries separately,

    SGD        p = p - r g
    momentum   v = 0.9 v + g;                p = p - r v
    Nesterov   v = 0.9 v + g;                p = p - r (0.9 v + g)
    AdaGrad    h = h + g²;                   p = p - r g / sqrt(h)
    RMSProp    h = 0.9 h + 0.1 g²;           p = p - r g / sqrt(h + 1e-8)
    Adam       m = 0.9 m + 0.1 g;  h = 0.999 h + 0.001 g²;  of step t = 1, 2, …
               p = p - r m / (1 - 0.9^t) / (sqrt(h / (1 - 0.999^t)) + 1e-8)

Source: Robbins & Monro 1951; Polyak 1964; Sutskever et al. 2013; Duchi, Hazan & Singer 2011;
Tieleman & Hinton 2012; Kingma & Ba 2015.
"""

from collections.abc import Callable
from functools import partial

import optax

METHODS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "SGD": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "Nesterov": partial(optax.sgd, momentum=0.9, nesterov=True),
    "AdaGrad": partial(optax.adagrad, initial_accumulator_value=0.0, eps=1e-20),
    "RMSProp": optax.rmsprop,
    "Adam": optax.adam,
}
