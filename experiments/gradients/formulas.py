"""Formulas that are often printed wrong, as printed and right, against autodiff in float64.

E is the squared error of y and the target t. p is softmax(x). Each draw has new random arrays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import fcnn

Draw = dict[str, Any]


class Formula(NamedTuple):
    """A gradient as printed and right: functions of a draw; `gives` is what the printed one is."""

    name: str
    printed: str
    gives: str
    right: str
    by_print: Callable[[Draw], Any]
    by_right: Callable[[Draw], Any]
    by_autodiff: Callable[[Draw], Any]


def drawn(seed: int) -> Draw:
    rng = np.random.default_rng(seed)
    normals = lambda *shape: jnp.asarray(rng.standard_normal(shape))
    target = jnp.asarray(np.eye(5)[rng.integers(5)])
    arrays = {"y": normals(5), "t": target, "x": normals(5), "dp": normals(5)}
    return arrays | {
        "image": normals(1, 6, 6, 2),
        "w": normals(3, 3, 2, 4),
        "dy": normals(1, 4, 4, 4),
    }


def squared_error(d: Draw):
    return jax.grad(lambda y: ((y - d["t"]) ** 2).sum() / 2)(d["y"])


def softmax(d: Draw):
    return jax.grad(lambda x: (fcnn.softmax.forward(x) * d["dp"]).sum())(d["x"])


def convolution(d: Draw):
    conv = lambda x: jax.lax.conv_general_dilated(
        x, d["w"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.grad(lambda x: (conv(x) * d["dy"]).sum())(d["image"])


def from_outputs(d: Draw, kernel):
    """dx[u] = sum over the taps i of dy[u + i - 2] kernel[i], channels exchanged."""
    return fcnn.conv(d["dy"], kernel.swapaxes(2, 3), padding="full")


def softmax_alone(d: Draw):
    p = fcnn.softmax(d["x"])
    return (jnp.diag(p) - jnp.outer(p, p)) @ d["dp"]


FORMULAS = (
    Formula(
        "squared error, sign",
        "E = −½ Σ (y − t)², so ∂E/∂y = −(y − t)",
        "the opposite gradient: descent increases the error",
        "E = ½ Σ (y − t)², ∂E/∂y = y − t",
        lambda d: -(d["y"] - d["t"]),
        lambda d: d["y"] - d["t"],
        squared_error,
    ),
    Formula(
        "squared error, ½",
        "E = ½ Σ (y − t)², so ∂E/∂y = 2 (y − t)",
        "twice the gradient: 2 (y − t) belongs to Σ (y − t)²",
        "∂E/∂y = y − t",
        lambda d: 2 * (d["y"] - d["t"]),
        lambda d: d["y"] - d["t"],
        squared_error,
    ),
    Formula(
        "softmax",
        "the gradient of softmax is p − t",
        "the gradient of softmax and cross-entropy together",
        "softmax alone: (diag(p) − p pᵀ) dp",
        lambda d: fcnn.softmax(d["x"]) - d["t"],
        softmax_alone,
        softmax,
    ),
    Formula(
        "convolution, derivative",
        "a convolution has no derivative",
        "no gradient, so 0",
        "dx = full correlation of dy with the flipped kernel",
        lambda d: jnp.zeros_like(d["image"]),
        lambda d: from_outputs(d, d["w"][::-1, ::-1]),
        convolution,
    ),
    Formula(
        "convolution, kernel",
        "dx = full correlation of dy with the kernel",
        "the gradient for a kernel turned by 180°",
        "the kernel is flipped along both axes",
        lambda d: from_outputs(d, d["w"]),
        lambda d: from_outputs(d, d["w"][::-1, ::-1]),
        convolution,
    ),
)


def errors(seeds: int) -> list[dict[str, Any]]:
    """Errors of the printed and of the right formula, relative to the largest entry."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        each = [jax.tree.map(float, _errors(drawn(seed))) for seed in range(seeds)]
    return [
        {"name": f.name, "printed": [p for p, _ in by_draw], "right": [r for _, r in by_draw]}
        for f, by_draw in zip(FORMULAS, zip(*each, strict=True), strict=True)
    ]


@jax.jit
def _errors(d: Draw):
    error = lambda by, exact: jnp.abs(by(d) - exact).max() / jnp.abs(exact).max()
    return [
        (error(f.by_print, exact), error(f.by_right, exact))
        for f in FORMULAS
        for exact in [f.by_autodiff(d)]
    ]
