"""Pixels as the input of a model: 0 to 255 on the host, standardized on the device."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from fcnn.layers import Layer
from fcnn.training import Source

SAMPLE = 10_000  # images from which mean and deviation are computed


def statistics(source: Source) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of x, for pixels from 0 to 1.

    Shapes: x (n, h, w, c) uint8. Of more than 10,000 images, evenly spaced ones are read.
    """
    few = np.linspace(0, source.length - 1, min(SAMPLE, source.length)).astype(np.int32)
    few = np.asarray(source.take(few)["x"])
    counts = [np.bincount(few[..., c].ravel(), minlength=256) for c in range(few.shape[-1])]
    values = np.arange(256) / 255
    means = [float(count @ values / count.sum()) for count in counts]
    deviations = [
        float(np.sqrt(count @ (values - mean) ** 2 / count.sum())) or 1.0
        for count, mean in zip(counts, means, strict=True)
    ]
    return means, deviations


def standardized(layer: Layer, mean: Sequence[float], deviation: Sequence[float]) -> Layer:
    """The same layer for pixels x: its input is (x / 255 - mean) / deviation, in float32.

    Shapes: x (n, h, w, c) uint8; `mean` and `deviation` have c numbers.
    """

    def forward(params, state, x, call):
        dtype = jnp.result_type(float)
        m, d = (jnp.asarray(values, dtype) for values in (mean, deviation))
        x = (x.astype(dtype) / 255 - m.reshape(1, 1, 1, -1)) / d.reshape(1, 1, 1, -1)
        return layer.forward(params, state, x, call)

    return dataclasses.replace(layer, forward=forward)
