"""Gradients by layer before training, and relu with half the weights."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

import fcnn
from experiments.framework.experiment import Log
from experiments.framework.seeds import ONCE
from experiments.vanishing_gradient.networks import network
from fcnn.data import Images
from fcnn.layers import Layer

IMAGES = 500  # training images of a gradient, at most
FEW = 20  # images whose gradient is compared bit by bit


def gradients(model: Layer, params: Any, state: Any, x: Any, y: Any) -> tuple[jax.Array, jax.Array]:
    """Gradients of the mean loss by the weights of the first and of all other hidden layers.

    Shapes: first (c, units), others (depth - 1, units, units).
    """
    outputs = lambda params: model.apply(params, state, x, train=True)[0]
    loss = lambda params: fcnn.softmax_cross_entropy(outputs(params), y).mean()
    gradient = jax.grad(loss)(params)
    (others,) = (a for a in jax.tree.leaves(gradient["others"]) if a.ndim == 3)
    return gradient["first"]["w"], others


def halved_exactly(
    model: Layer, depth: int, key: jax.Array, x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Entries of a gradient that half the weights make smaller by exactly 2^(depth + 1).

    The gradient is that of the sum of the logits by x. Returns the number of entries with that
    factor and the number of entries, both of those that are not 0.
    """
    params, _ = model.init(key, x.shape[1:])  # biases are 0, and stay 0
    of = lambda params: jax.grad(lambda x: model.apply(params, {}, x)[0].sum())(x)
    half = jax.tree.map(lambda a: a / 2, params)
    whole = of(params)
    return ((whole == 2.0 ** (depth + 1) * of(half)) & (whole != 0)).sum(), (whole != 0).sum()


def compiled(f: Callable[..., Any], images: Images) -> Callable[..., Any]:
    """f(*of a seed, x, y) for all seeds, as a function of what has a leading axis of seeds."""
    mapped = jax.vmap(lambda *seed: f(*seed, images.x, images.y))
    return jax.jit(mapped, compiler_options=ONCE)


def rms_by_layer(gradient: tuple[Any, Any]) -> list[list[float]]:
    """By seed and by hidden layer, in float64: no square underflows."""
    first, others = (np.asarray(a, np.float64) ** 2 for a in gradient)
    squares = [first.mean((-2, -1))[:, None], others.mean((-2, -1))]
    return np.sqrt(np.concatenate(squares, axis=1)).tolist()


def few_of(images: Images) -> Images:
    return Images(images.x[:IMAGES], images.y[:IMAGES])


def by_depth(
    activations: Sequence[str],
    depths: Sequence[int],
    *,
    images: Images,
    classes: int,
    seeds: int,
    log: Log,
) -> dict[str, Any]:
    """RMS of the gradient, for each activation by depth, by seed and by hidden layer."""
    keys, few = jax.random.split(jax.random.key(0), seeds), few_of(images)
    found = {name: [] for name in activations}
    for name in activations:
        for depth in depths:
            log.note(f"gradients with {name}, {depth} hidden layers …")
            model = network(name, depth, classes)
            init = partial(model.init, shape=few.x.shape[1:])
            of = compiled(lambda key, x, y, m=model, init=init: gradients(m, *init(key), x, y), few)
            found[name].append(rms_by_layer(of(keys)))
    return {"depths": list(depths), "rms": found}


def halved(
    depths: Sequence[int], *, images: Images, classes: int, seeds: int, log: Log
) -> dict[str, Any]:
    """Entries of the gradient that half the weights make smaller by the factor 2 per layer."""
    keys, x = jax.random.split(jax.random.key(0), seeds), images.x[:FEW]
    counts = []
    for depth in depths:
        log.note(f"relu with half the weights, {depth} hidden layers …")
        model = network("relu", depth, classes)
        exact = jax.vmap(partial(halved_exactly, model, depth), (0, None))
        counts.append([int(n.sum()) for n in jax.jit(exact, compiler_options=ONCE)(keys, x)])
    return {"depths": list(depths), "counts": counts}
