"""Hand-derived gradients and autodiff of the same operators: errors, time and memory.

Errors are measured at the first case of each operator that is not at a kink, against autodiff in
float64 at the same rounded arguments. Cost is measured for operators that networks consist of.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from fcnn.bench import compare
from fcnn.ops import OPS, Op
from fcnn.ops.arrays import is_float

DTYPES = ("float64", "float32", "bfloat16")


def with_gradient() -> list[Op]:
    return [op for op in OPS if op.derived and any(map(is_float, op.cases[0].draw()))]


def errors(op: Op) -> dict[str, dict[str, float]]:
    """By dtype, the largest error of each kind of gradient, relative to its largest entry."""
    case = next(case for case in op.cases if case.proved and not case.kink)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        arrays, options = op.bind(*case.draw(), **case.options)
        run = jax.jit(partial(_gradients, op, options))
        found = {}
        for dtype in DTYPES:
            rounded = [a if not is_float(a) else jnp.asarray(a, dtype) for a in arrays]
            exact = run(*(jnp.asarray(a, "float64") if is_float(a) else a for a in rounded))
            each = exact if dtype == "float64" else run(*rounded)
            found[dtype] = {kind: _error(each[kind], exact["autodiff"]) for kind in each}
        return found


def _gradients(op, options, *arrays):
    floats = {i: a for i, a in enumerate(arrays) if is_float(a)}

    def outputs(floats):
        y = op(*(floats.get(i, a) for i, a in enumerate(arrays)), **options)
        return [leaf for leaf in jax.tree.leaves(y) if is_float(leaf)]

    def by(kind):
        with fcnn.gradients(kind):
            y, pull = jax.vjp(outputs, floats)
        rng = np.random.default_rng(1)
        return pull([jnp.asarray(rng.standard_normal(a.shape), a.dtype) for a in y])[0]

    return {kind: by(kind) for kind in ("hand", "autodiff")}


def _error(gradients, exact):
    wide = lambda a: np.asarray(a, np.float64)
    pairs = zip(*map(jax.tree.leaves, (gradients, exact)), strict=True)
    each = [np.abs(wide(a) - wide(b)).max() / (np.abs(wide(b)).max() or 1) for a, b in pairs]
    return float(max(each))


class Problem(NamedTuple):
    """An operator of a network, and the shapes of its arrays for n examples."""

    name: str
    f: Callable
    shapes: Callable[[int], tuple[tuple[int, ...], ...]]


def _labels(n: int):
    return jnp.asarray(np.random.default_rng(2).integers(0, 1000, n), jnp.int32)


def _image(n: int):
    return n, 28, 28, 32


def _batch_norm(x, scale, bias):
    mean, var = jnp.zeros(32, x.dtype), jnp.ones(32, x.dtype)
    return fcnn.batch_norm(x, scale, bias, mean, var, train=True)[0]


PROBLEMS = (
    Problem("dense", fcnn.dense, lambda n: ((8 * n, 512), (512, 512), (512,))),
    Problem(
        "conv",
        lambda x, w, b: fcnn.conv(x, w, b, padding="same"),
        lambda n: (_image(n), (3, 3, 32, 32), (32,)),
    ),
    Problem("max_pool", lambda x: fcnn.max_pool(x, 2), lambda n: (_image(n),)),
    Problem("avg_pool", lambda x: fcnn.avg_pool(x, 2), lambda n: (_image(n),)),
    Problem("batch_norm", _batch_norm, lambda n: (_image(n), (32,), (32,))),
    Problem("layer_norm", fcnn.layer_norm, lambda n: ((16 * n, 256), (256,), (256,))),
    Problem("relu", fcnn.relu, lambda n: (_image(n),)),
    Problem("sigmoid", fcnn.sigmoid, lambda n: (_image(n),)),
    Problem("gelu", fcnn.gelu, lambda n: (_image(n),)),
    Problem(
        "softmax_cross_entropy",
        lambda x: fcnn.softmax_cross_entropy(x, _labels(len(x))),
        lambda n: ((8 * n, 1000),),
    ),
    Problem(
        "lstm",
        lambda x, w, u, b: fcnn.lstm(x, w, u, b)[0],
        lambda n: ((n, 32, 64), (64, 256), (64, 256), (256,)),
    ),
    Problem("dot_product_attention", fcnn.dot_product_attention, lambda n: ((n, 128, 4, 32),) * 3),
)


def cost(problem: Problem, n: int, dtype: str, rounds: int) -> dict[str, Any]:
    """Median seconds, and bytes, of the backward pass of each kind, timed in turn.

    bytes: of the residuals, of everything allocated while it runs, and of the gradients.
    """
    rng = np.random.default_rng(0)
    args = [jnp.asarray(rng.standard_normal(shape), dtype) for shape in problem.shapes(n)]

    def by(kind, *args):
        conv = "lax" if kind == "autodiff" else "auto"  # autodiff of im2col's loops is slow
        with fcnn.gradients(kind), fcnn.implementations(conv=conv):
            return problem.f(*args)

    kinds = ("hand", "autodiff")
    _, *found = compare({kind: partial(by, kind) for kind in kinds}, args, rounds=rounds)
    gradients = sum(a.nbytes for a in args)
    return {
        kind: {"seconds": c.seconds, "bytes": c.saved_bytes + c.temporary_bytes + gradients}
        for kind, c in zip(kinds, found, strict=True)
    }
