"""Equivariance of every implementation of `fcnn.conv` to shifts.

With S the shift by (a, b) and zeros where nothing is shifted in, and output position p,

    conv(S x)[p] = sum_i x[p - (a, b) + i] w[i] = conv(x)[p - (a, b)]      for p ≥ (a, b)
"""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn

DIRECT = ("auto", "lax", "lax_forward", "im2col", "tiled", "taps")  # sums of products, as written
IMPLS = (*DIRECT, "winograd", "fft")
DTYPES = ("float64", "float32", "float16", "bfloat16")
WINDOWS = (1, 3, 5)
SHIFTS = [move for move in itertools.product(range(4), repeat=2) if any(move)]
SIZE, CHANNELS, FEATURES = 20, 4, 8
ROUNDING = 100  # rounding units: eps of the dtype, times the largest output


def equivariance(impl: str, dtype: str, windows: Sequence[int]) -> dict[str, Any]:
    """Count of (window, shift) with error 0 and within rounding, and the largest error."""
    found = []
    for k in windows if impl != "winograd" else [3]:
        with jax.enable_x64(dtype == "float64"):
            found += errors(partial(fcnn.conv, impl=impl), k, dtype)
    equal, rounded = sum(e == 0 for e in found), sum(e <= ROUNDING for e in found)
    counts = {"cases": len(found), "equal": equal, "rounded": rounded}
    return {"impl": impl, **counts, "units": max(found)}


def errors(f, k: int, dtype: str) -> list[float]:
    """For each shift, the largest difference of f(S x, w) to S f(x, w), in rounding units."""
    rng = np.random.default_rng(k)
    image = rng.normal(size=(SIZE, SIZE, CHANNELS))
    x = np.zeros((1 + len(SHIFTS), *image.shape))
    x[0] = image
    for i, (a, b) in enumerate(SHIFTS, start=1):
        x[i, a:, b:] = image[: SIZE - a, : SIZE - b]
    w = rng.normal(size=(k, k, CHANNELS, FEATURES))
    y = jax.jit(f)(jnp.asarray(x, dtype), jnp.asarray(w, dtype))
    y = np.asarray(y).astype(np.float64)
    m, unit = y.shape[1], float(jnp.finfo(dtype).eps) * np.abs(y[0]).max()
    differences = [y[i, a:, b:] - y[0, : m - a, : m - b] for i, (a, b) in enumerate(SHIFTS, 1)]
    return [float(np.abs(d).max() / unit) for d in differences]
