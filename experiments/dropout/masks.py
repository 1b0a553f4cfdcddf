"""Evaluation against the mean over random masks, of one trained network.

With the mask k, the input h of the last layer and logits z(k),

    inverted    z(k) = (k h / (1 - p)) w + b     evaluation  h w + b
    classic     z(k) = (k h) w + b               evaluation  ((1 - p) h) w + b
    by p        z(k) = (k h) w + b               evaluation  (p h) w + b, which is wrong
    network     masks in all layers              evaluation  without masks

The first two are linear in k, so evaluation is the mean of z(k) over all masks. relu makes the last
line an approximation.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.dropout.networks import last_hidden
from experiments.framework.statistics import percent
from experiments.framework.trained import Trained
from fcnn.data import Images
from fcnn.layers import Layer

MASKS, IMAGES = 1000, 100
ERRORS = 5.0  # standard errors of the mean over masks
AVERAGED = (1, 2, 5, 10, 20, 50)  # masks
LINEAR = ("inverted", "classic")
BY_P, NETWORK = "by p", "network"


def agreement(model: Layer, rate: float, run: Trained, x: np.ndarray, masks: int) -> dict[str, Any]:
    """For each form, the outputs within the standard errors, and the relative difference.

    The difference is the root mean square over outputs, without that of the standard errors.
    """
    compare = jax.jit(lambda params, key: compared(model, rate, params, jnp.asarray(x), key, masks))
    keys = jax.random.split(jax.random.key(2), run.seeds.count)
    seeds = [compare(jax.tree.map(lambda a, i=i: a[i], run.params), k) for i, k in enumerate(keys)]
    return {form: summary([np.asarray(seed[form]) for seed in seeds]) for form in seeds[0]}


def compared(
    model: Layer, rate: float, params: Any, x: jax.Array, key: jax.Array, masks: int
) -> dict[str, jax.Array]:
    """Mean over masks, its standard error, and evaluation. Shape (3, images, classes) each."""
    h, last = last_hidden(model, params, x), params[model.parts[-1][0]]
    logits = lambda h: fcnn.dense(h, last["w"], last["b"])
    keys = jax.random.split(key, masks)
    classic = _moments(lambda k: logits(fcnn.classic_dropout(h, k, rate=rate, train=True)), keys)
    inverted = _moments(lambda k: logits(fcnn.dropout(h, k, rate=rate)), keys)
    whole = _moments(lambda k: model.apply(params, {}, x, key=k, train=True)[0], keys)
    kept = fcnn.classic_dropout(h, rate=rate, train=False)
    return {
        "inverted": jnp.stack([*inverted, logits(h)]),
        "classic": jnp.stack([*classic, logits(kept)]),
        BY_P: jnp.stack([*classic, logits(rate * h)]),
        NETWORK: jnp.stack([*whole, model.apply(params, {}, x)[0]]),
    }


def _moments(of: Callable[[jax.Array], jax.Array], keys: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and standard error over random keys."""
    outputs = jax.lax.map(of, keys)
    return outputs.mean(0), outputs.std(0, ddof=1) / jnp.sqrt(len(keys))


def summary(seeds: list[np.ndarray]) -> dict[str, Any]:
    """Shapes: of each seed (3, images, classes)."""
    means, errors, evaluated = np.stack(seeds, 1)
    distance = np.abs(means - evaluated)
    within = distance <= ERRORS * errors
    # distance² is larger than the squared distance of the true mean by errors², in expectation
    square = np.maximum((distance**2 - errors**2).mean((1, 2)), 0)
    relative = np.sqrt(square / np.square(evaluated).mean((1, 2)))
    return {
        "within": int(within.sum()),
        "of": within.size,
        "difference": percent(relative.tolist()),  # by seed
        "points": [means[0, :10].ravel().tolist(), evaluated[0, :10].ravel().tolist()],
    }


def averages(model: Layer, run: Trained, images: Images) -> dict[str, Any]:
    """Test accuracy of the mean of softmax outputs over k masks, by seed, for each k of AVERAGED.

    Shapes: of each k (seeds,).
    """
    average = jax.jit(lambda params, key: _running_means(model, params, images.x, key))
    keys = jax.random.split(jax.random.key(3), run.seeds.count)
    each = [
        np.asarray(average(jax.tree.map(lambda a, i=i: a[i], run.params), k))
        for i, k in enumerate(keys)
    ]
    right = [(seed.argmax(-1) == images.y).mean(1) for seed in each]
    return {f"{k}": [float(seed[k - 1]) for seed in right] for k in AVERAGED}


def _running_means(model, params, x, key):
    """Means of the softmax outputs over the first 1, 2, … masks. Shape (masks, n, classes)."""
    keys = jax.random.split(key, max(AVERAGED))
    of = lambda k: fcnn.softmax(model.apply(params, {}, x, key=k, train=True)[0])
    return jnp.cumsum(jax.lax.map(of, keys), 0)
