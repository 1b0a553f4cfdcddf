"""The trained network, its layers' features, and the filters and chains that it is compared with.

    conv k×k, relu | conv 3×3, relu, max pool 2 | conv 3×3, relu | flatten, dense
    layer 1          layer 2                      layer 3

Every convolution has 16 maps. The features of a layer are the means of its maps over 4×4 bins, so
that all layers have equally many. A chain is n times conv 3×3, relu.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import fcnn
from experiments.framework.seeds import BATCH
from fcnn.layers import Layer, conv, dense, flatten, initializers, max_pool, relu, repeat, serial

MAPS, BINS = 16, 4
DEPTHS = (5, 10, 20)  # of the chains
Parts = Sequence[tuple[str, Layer]]
LAYERS = {"layer 1": "relu1", "layer 2": "max_pool1", "layer 3": "relu3"}  # name → last part
ORIENTATIONS, PHASES = 8, (0.0, np.pi / 2)  # of the Gabor filters: even and odd ones


def network(side: int, classes: int) -> Layer:
    """The network with filters of `side` × `side` pixels in the first layer."""
    first, second, third = (conv(MAPS, (k, k)) for k in (side, 3, 3))
    body = (first, relu(), second, relu(), max_pool(2), third, relu())
    return serial(*body, flatten(), dense(classes, w_init=initializers.lecun))


def chain(depths: Sequence[int]) -> Layer:
    """A chain of depths[-1] convolutions with `MAPS` channels; part i ends after depths[i]."""
    block = serial(conv(MAPS, (3, 3)), relu())
    counts = (end - start for start, end in zip((0, *depths), depths, strict=False))
    return serial(*(repeat(block, n) for n in counts))


def body(model: Layer) -> Parts:
    """The parts of the network before flatten and the dense head."""
    return model.parts[:-2]


def outputs(parts: Parts, params: Any, x: Any) -> dict[str, jax.Array]:
    """The output of each part by name; x of any size."""
    found = {}
    for name, layer in parts:
        x, _ = layer.apply(params.get(name, {}), {}, x)
        found[name] = x
    return found


def extractor(model: Layer) -> Callable[[Any, np.ndarray], dict[str, np.ndarray]]:
    """A function (params, x) that gives the features of each layer, for the params of all seeds.

    Shapes: x (n, *shape) -> (seeds, n, features) by layer.
    """

    def features(params, x):
        found = outputs(body(model), params, x)
        pooled = {k: fcnn.adaptive_avg_pool(found[part], BINS) for k, part in LAYERS.items()}
        return {name: y.reshape(len(x), -1) for name, y in pooled.items()}

    compute = jax.jit(jax.vmap(features, (0, None)))

    def of_all(params, x):
        padded = np.pad(x, [(0, -len(x) % BATCH)] + [(0, 0)] * (x.ndim - 1), mode="edge")
        blocks = [compute(params, block) for block in np.split(padded, len(padded) // BATCH)]
        join = lambda *each: np.concatenate(each, axis=1)[:, : len(x)]
        return jax.tree.map(join, *blocks)

    return of_all


def gabor(side: int) -> np.ndarray:
    """Gabor filters, an even and an odd one for each orientation. Shape (MAPS, side, side).

    exp(-r² / 2 s²) cos(2π u / λ + phase), minus its mean, with u along the orientation, λ 0.8 of
    the side and s a quarter of it.
    """
    axis = np.arange(side) - (side - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    envelope = np.exp(-(x**2 + y**2) / (2 * (side / 4) ** 2))
    angles = np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    along = [x * np.cos(angle) + y * np.sin(angle) for angle in angles]
    waves = [np.cos(2 * np.pi * u / (0.8 * side) + phase) for u in along for phase in PHASES]
    filters = envelope * np.array(waves)
    return (filters - filters.mean((1, 2), keepdims=True)).astype(np.float32)
