"""Sinusoidal positional encoding in NumPy, the same numbers for every library."""

import math

import numpy as np


def sinusoids(length: int, width: int) -> np.ndarray:
    """Positions added to embeddings, (length, width): sin and cos of p / 10000^(2i / width)."""
    rates = np.exp(np.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = np.arange(length)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, width).astype(np.float32)
