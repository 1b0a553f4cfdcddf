"""Kept networks and images: arrays as float16 in base64, and the forward pass of a network."""

import base64
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

import fcnn

OPS = {  # by the kind of a layer; forward.js has the same ones
    "conv": partial(fcnn.conv, padding="same"),
    "relu": fcnn.relu,
    "max_pool": partial(fcnn.max_pool, window=2),
    "flatten": lambda x: x.reshape(len(x), -1),
    "global_avg_pool": fcnn.global_avg_pool,
    "dense": fcnn.dense,
}
KINDS = tuple(OPS)


def encoded(array: np.ndarray) -> str:
    return base64.b64encode(np.asarray(array, "<f2").tobytes()).decode()


def decoded(text: str, shape: Sequence[int]) -> np.ndarray:
    """The array as float32; one length of `shape` may be -1."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32).reshape(shape)


def weights(network: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays w and b of each layer that has them, by its name."""
    flat, start = decoded(network["weights"], (-1,)), 0
    params: dict[str, dict[str, np.ndarray]] = {}
    for layer in network["layers"]:
        for key in (key for key in "wb" if key in layer):
            size = math.prod(layer[key])
            array = flat[start : start + size].reshape(layer[key])
            params.setdefault(layer["name"], {})[key] = array
            start += size
    return params


def forward(network: dict[str, Any], x: np.ndarray) -> dict[str, np.ndarray]:
    """The output of each layer, by its name.

    Shapes: x (n, h, w, c) -> each (n, *output).
    """

    def run(params, x):
        outputs = {}
        for layer in network["layers"]:
            x = OPS[layer["kind"]](x, **params.get(layer["name"], {}))
            outputs[layer["name"]] = x
        return outputs

    outputs = jax.jit(run)(weights(network), x)
    return {layer["name"]: np.asarray(outputs[layer["name"]]) for layer in network["layers"]}
