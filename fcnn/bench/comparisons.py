"""Operators of fcnn against baselines that compute the same outputs.

The first program of a comparison is fcnn's, with its default options. The second is the baseline, a
program that a user of JAX would write without fcnn: XLA's own convolution (`lax`), autodiff, or
explicit im2col.
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
EXAMPLES = 64  # batch size, unless a comparison sets another


class Comparison(NamedTuple):
    """fcnn and a baseline on one task."""

    name: str  # on the command line
    title: str
    flop: float  # a multiply-add counts as two
    programs: Callable[[DTypeLike], Mapping[str, Program]]


class Benchmark(NamedTuple):
    """A convolution with padding "same", of examples (*size, c)."""

    kind: str  # first part of the name
    kind_title: str  # first part of the title
    n: int
    size: tuple[int, ...]
    c: int
    o: int
    window: int = 3
    stride: int = 1
    groups: int = 1
    dilation: int = 1

    @property
    def geometry(self) -> Windows:
        return windows(self.size, self.window, self.stride, "same", self.dilation)

    @property
    def name(self) -> str:
        return f"{self.kind}-{'x'.join(map(str, (*self.size, self.c)))}"

    @property
    def title(self) -> str:
        return f"{self.kind_title} {'×'.join(map(str, (self.n, *self.size, self.c)))}→{self.o}"

    @property
    def flop(self) -> float:
        """FLOP of the forward pass; each gradient has the same number."""
        positions = self.n * math.prod(self.geometry.out)
        return 2.0 * positions * math.prod(self.geometry.window) * self.c * self.o / self.groups

    def compute(self, impl: str, part: str) -> Callable:
        """The function that computes `part` by `impl`."""
        return partial(compute, part, impl, geometry=self.geometry, groups=self.groups)

    def arrays(self, part: str, dtype: DTypeLike) -> tuple[jax.Array, jax.Array]:
        x = (self.n, *self.size, self.c)
        w = (*self.geometry.window, self.c // self.groups, self.o)
        dy = (self.n, *self.geometry.out, self.o)
        a, b = {"forward": (x, w), "dx": (w, dy), "dw": (x, dy)}[part]
        return draw(0, a, dtype), draw(1, b, dtype)


DENSE = (
    Benchmark("conv-3x3", "3×3", 64, (32, 32), 64, 64),
    Benchmark("conv-3x3", "3×3", 64, (16, 16), 128, 128),
    Benchmark("conv-3x3", "3×3", 64, (8, 8), 256, 256),
    Benchmark("conv-3x3", "3×3", 64, (4, 4), 512, 512),
    Benchmark("conv-3x3", "3×3", 128, (28, 28), 1, 32),
    Benchmark("conv-3x3", "3×3", 64, (32, 32), 3, 32),
    Benchmark("conv-3x3", "3×3", 4, (224, 224), 3, 32),
)
OTHERS = (
    Benchmark("depthwise-3x3", "depthwise 3×3", 64, (32, 32), 64, 64, groups=64),
    Benchmark("grouped-3x3", "3×3 in 8 groups", 64, (16, 16), 128, 128, groups=8),
    Benchmark("conv-1d", "1-D, 3", 32, (256,), 64, 64),
    Benchmark("conv-3d", "3-D, 3×3×3", 4, (16, 16, 16), 32, 32),
    Benchmark("strided-3x3", "3×3, stride 2", 64, (32, 32), 64, 128, stride=2),
    Benchmark("conv-1x1", "1×1", 64, (14, 14), 256, 256, window=1),
)
BENCHMARKS = (*DENSE, *OTHERS)


def draw(seed: int, shape: Sequence[int], dtype: DTypeLike) -> jax.Array:
    """Draw an array of standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32), dtype)


def convolution(benchmark: Benchmark, part: str) -> Comparison:
    """Convolution by `impl="auto"`, against XLA's own convolution."""

    def programs(dtype):
        arrays = benchmark.arrays(part, dtype)
        by = lambda impl: (benchmark.compute(impl, part), arrays)
        return {"fcnn": by("auto"), "lax": by("lax")}

    name, title = f"{benchmark.name}-{part}", f"{benchmark.title}, {part}"
    return Comparison(name, title, benchmark.flop, programs)


def in_a_loop(benchmark: Benchmark, part: str, steps: int) -> Comparison:
    """`convolution` of `steps` batches, one after the other, inside `lax.map`."""

    def programs(dtype):
        a, b = benchmark.arrays(part, dtype)
        scales = jnp.arange(1, 1 + steps, dtype=dtype)

        def loop(impl):
            f = benchmark.compute(impl, part)
            # Each step has another image, x or dy; w may stay the same.
            step = (lambda a, b, s: f(a, s * b)) if part == "dx" else (lambda a, b, s: f(s * a, b))
            return lambda a, b, scales: lax.map(lambda scale: step(a, b, scale), scales)

        return {"fcnn": (loop("auto"), (a, b, scales)), "lax": (loop("lax"), (a, b, scales))}

    name, title = f"loop-{benchmark.name}-{part}", f"{benchmark.title}, {part}, {steps} in a loop"
    return Comparison(name, title, steps * benchmark.flop, programs)


def tiles(benchmark: Benchmark) -> Comparison:
    """The forward pass by im2col in tiles, against im2col of the whole batch."""

    def programs(dtype):
        arrays = benchmark.arrays("forward", dtype)
        by = lambda impl: (benchmark.compute(impl, "forward"), arrays)
        return {"fcnn": by("tiled"), "im2col": by("im2col")}

    name = f"tiled-{benchmark.name}-batch-{benchmark.n}"
    return Comparison(name, f"{benchmark.title}, tiled", benchmark.flop, programs)


def pooling(window: int, stride: int, n: int = EXAMPLES) -> Comparison:
    """The gradient of max pooling, against autodiff of XLA's `reduce_window`."""
    shape = (n, 32, 32, 64)
    geometry = windows(shape[1:-1], window, stride, "valid", 1)

    def reduced(x):
        each = ((1, window, window, 1), (1, stride, stride, 1))
        return lax.reduce_window(x, -jnp.inf, lax.max, *each, "VALID")

    def programs(dtype):
        x = draw(0, shape, dtype)
        ours = lambda x: max_pool(x, window, stride=stride)
        return {"fcnn": backward(ours, (x,)), "autodiff": backward(reduced, (x,))}

    comparisons = float(shape[0] * math.prod(geometry.out) * shape[-1] * window**2)
    title = f"max pooling {window}×{window}/{stride} {n}×32×32×64, dx"
    return Comparison(f"max-pool-{window}x{window}", title, comparisons, programs)


def batch_norm_backward(n: int = EXAMPLES) -> Comparison:
    """All three gradients of batch norm in training, against autodiff of the textbook formula."""
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

    title = f"batch norm {n}×32×32×64, backward"
    return Comparison("batch-norm", title, 8.0 * math.prod(shape), programs)


def transposed(n: int = EXAMPLES) -> Comparison:
    """The gradient in x of a transposed convolution, against autodiff of `lax.conv_transpose`."""
    # conv_transpose computes the dx of this convolution, for dy (n, 16, 16, 128).
    benchmark = Benchmark("", "", n, (32, 32), 64, 128, stride=2)

    def programs(dtype):
        x, w = draw(0, (n, 16, 16, 128), dtype), draw(1, (3, 3, 128, 64), dtype)
        ours = lambda x: conv_transpose(x, w, stride=2, padding="same")
        adjoint = partial(lax.conv_transpose, transpose_kernel=True)
        theirs = lambda x: adjoint(x, w.swapaxes(2, 3), (2, 2), "SAME")
        return {"fcnn": backward(ours, (x,)), "autodiff": backward(theirs, (x,))}

    title = f"transposed 3×3/2 {n}×16×16×128→64, dx"
    return Comparison("conv-transpose-3x3", title, benchmark.flop, programs)


def comparisons() -> tuple[Comparison, ...]:
    return (
        *(convolution(benchmark, part) for benchmark in BENCHMARKS for part in PARTS),
        transposed(),
        *(in_a_loop(Benchmark("conv-3x3", "3×3", 16, (16, 16), 64, 64), part, 4) for part in PARTS),
        tiles(DENSE[0]),
        tiles(DENSE[0]._replace(n=8)),
        pooling(2, 2),
        pooling(3, 2),
        batch_norm_backward(),
    )


COMPARISONS: tuple[Comparison, ...] = comparisons()


def bytes_moved(program: Program) -> int:
    """Minimum memory traffic: every argument is read once, and every output is written once."""
    f, args = program
    sizes: list[Any] = jax.tree.leaves((args, jax.eval_shape(f, *args)))
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in sizes)
