"""Operators against what they are measured by: the same sums, by other programs.

A contest's first program is fcnn's own, as a user gets it; the second is what a user of JAX would
have instead: XLA's own convolution (`lax`), autodiff, or explicit im2col.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from fcnn.bench.measure import Program, backward
from fcnn.ops.convolution.conv_transpose import conv_transpose
from fcnn.ops.convolution.dispatch import compute
from fcnn.ops.normalization.batch_norm import batch_norm
from fcnn.ops.pooling.pooling import max_pool
from fcnn.ops.window import Windows, windows

PARTS = ("forward", "dx", "dw")
EXAMPLES = 64  # in a batch, unless a contest says otherwise


class Comparison(NamedTuple):
    """What is computed, and by whom."""

    name: str
    flop: float  # a multiply-add is two
    programs: Callable[[DTypeLike], Mapping[str, Program]]


class Benchmark(NamedTuple):
    """A convolution with padding "same", of examples (*size, c)."""

    what: str
    n: int
    size: tuple[int, ...]
    c: int
    o: int
    window: int = 3
    stride: int = 1
    groups: int = 1

    @property
    def geometry(self) -> Windows:
        return windows("bench", self.size, self.window, self.stride, "same", 1)

    @property
    def name(self) -> str:
        return f"{self.what} {'×'.join(map(str, (self.n, *self.size, self.c)))}→{self.o}"

    @property
    def flop(self) -> float:
        """Of any of the three sums."""
        places = self.n * math.prod(self.geometry.out)
        return 2.0 * places * math.prod(self.geometry.window) * self.c * self.o / self.groups

    def by(self, impl: str, part: str) -> Callable:
        return partial(compute, part, impl, geometry=self.geometry, groups=self.groups)

    def arrays(self, part: str, dtype: DTypeLike) -> tuple[jax.Array, jax.Array]:
        x = (self.n, *self.size, self.c)
        w = (*self.geometry.window, self.c // self.groups, self.o)
        dy = (self.n, *self.geometry.out, self.o)
        a, b = {"forward": (x, w), "dx": (w, dy), "dw": (x, dy)}[part]
        return draw(0, a, dtype), draw(1, b, dtype)


DENSE = (
    Benchmark("3×3", 64, (32, 32), 64, 64),
    Benchmark("3×3", 64, (16, 16), 128, 128),
    Benchmark("3×3", 64, (8, 8), 256, 256),
    Benchmark("3×3", 64, (4, 4), 512, 512),
    Benchmark("3×3", 128, (28, 28), 1, 32),
    Benchmark("3×3", 64, (32, 32), 3, 32),
    Benchmark("3×3", 4, (224, 224), 3, 32),
)
OTHERS = (
    Benchmark("depthwise 3×3", 64, (32, 32), 64, 64, groups=64),
    Benchmark("3×3 in 8 groups", 64, (16, 16), 128, 128, groups=8),
    Benchmark("1-D, 3", 32, (256,), 64, 64),
    Benchmark("3-D, 3×3×3", 4, (16, 16, 16), 32, 32),
    Benchmark("3×3, stride 2", 64, (32, 32), 64, 128, stride=2),
    Benchmark("1×1", 64, (14, 14), 256, 256, window=1),
)
PROBLEMS = (*DENSE, *OTHERS)


def draw(seed: int, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
    """Normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32), dtype)


def convolution(problem: Benchmark, part: str) -> Comparison:
    def programs(dtype):
        arrays = problem.arrays(part, dtype)
        by = lambda impl: (problem.by(impl, part), arrays)
        return {"fcnn": by("auto"), "lax": by("lax")}

    return Comparison(f"{problem.name}, {part}", problem.flop, programs)


def in_a_loop(problem: Benchmark, part: str, steps: int) -> Comparison:
    """One of the three sums for one batch after the other, inside `lax.scan`."""

    def programs(dtype):
        a, b = problem.arrays(part, dtype)
        scales = jnp.arange(1, 1 + steps, dtype=dtype)

        def loop(impl):
            f = problem.by(impl, part)
            return lambda a, b, scales: lax.map(lambda scale: f(scale * a, b), scales)

        return {"fcnn": (loop("auto"), (a, b, scales)), "lax": (loop("lax"), (a, b, scales))}

    return Comparison(f"{problem.name}, {part}, {steps} in a loop", steps * problem.flop, programs)


def tiles(problem: Benchmark) -> Comparison:
    """The forward pass by tiles of patches, against all patches at once."""

    def programs(dtype):
        arrays = problem.arrays("forward", dtype)
        by = lambda impl: (problem.by(impl, "forward"), arrays)
        return {"fcnn": by("tiled"), "im2col": by("im2col")}

    return Comparison(f"{problem.name}, tiled", problem.flop, programs)


def pooling(window: int, stride: int, n: int = EXAMPLES) -> Comparison:
    """The gradient of max pooling, against autodiff of XLA's `reduce_window`."""
    shape = (n, 32, 32, 64)
    geometry = windows("bench", shape[1:-1], window, stride, "valid", 1)

    def reduced(x):
        each = ((1, window, window, 1), (1, stride, stride, 1))
        return lax.reduce_window(x, -jnp.inf, lax.max, *each, "VALID")

    def programs(dtype):
        x = draw(0, shape, dtype)
        ours = lambda x: max_pool(x, window, stride=stride)
        return {"fcnn": backward(ours, (x,)), "autodiff": backward(reduced, (x,))}

    compared = float(shape[0] * math.prod(geometry.out) * shape[-1] * window**2)
    return Comparison(
        f"max pooling {window}×{window}/{stride} {n}×32×32×64, dx", compared, programs
    )


def batch_norm_backward(n: int = EXAMPLES) -> Comparison:
    """All three gradients in training, against autodiff of the textbook's lines."""
    shape = (n, 32, 32, 64)

    def textbook(x, scale, offset):
        mean, var = x.mean((0, 1, 2), keepdims=True), x.var((0, 1, 2), keepdims=True)
        each = lambda a: a.reshape(1, 1, 1, -1)
        return (x - mean) / jnp.sqrt(var + 1e-5) * each(scale) + each(offset)

    def programs(dtype):
        x, zero, one = draw(0, shape, dtype), jnp.zeros(64, dtype), jnp.ones(64, dtype)
        ours = lambda x, w, b: batch_norm(x, w, b, zero, one, train=True)[0]
        args = (x, one, zero)
        return {"fcnn": backward(ours, args), "autodiff": backward(textbook, args)}

    return Comparison(f"batch norm {n}×32×32×64, backward", 8.0 * math.prod(shape), programs)


def transposed(n: int = EXAMPLES) -> Comparison:
    """The gradient in x of a transposed convolution, against autodiff of JAX's own."""
    problem = Benchmark("", n, (32, 32), 64, 128, stride=2)  # whose dx it is, from 16×16×128

    def programs(dtype):
        x, w = draw(0, (n, 16, 16, 128), dtype), draw(1, (3, 3, 128, 64), dtype)
        ours = lambda x: conv_transpose(x, w, stride=2, padding="same")
        adjoint = partial(lax.conv_transpose, transpose_kernel=True)
        theirs = lambda x: adjoint(x, w.swapaxes(2, 3), (2, 2), "SAME")
        return {"fcnn": backward(ours, (x,)), "autodiff": backward(theirs, (x,))}

    return Comparison(f"transposed 3×3/2 {n}×16×16×128→64, dx", problem.flop, programs)


def comparisons() -> tuple[Comparison, ...]:
    return (
        *(convolution(problem, part) for problem in PROBLEMS for part in PARTS),
        transposed(),
        *(in_a_loop(Benchmark("3×3", 16, (16, 16), 64, 64), part, 4) for part in PARTS),
        tiles(DENSE[0]),
        tiles(DENSE[0]._replace(n=8)),
        pooling(2, 2),
        pooling(3, 2),
        batch_norm_backward(),
    )


COMPARISONS: tuple[Comparison, ...] = comparisons()


def bytes_moved(program: Program) -> int:
    """What must be read and written at least: arguments and outcome, once each."""
    f, args = program
    sizes: list[Any] = jax.tree.leaves((args, jax.eval_shape(f, *args)))
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in sizes)
