"""Pooling, unpooling and resizing against torch.nn.functional, on grids of one to three axes."""

import math

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree

import fcnn

seeds = pytest.mark.parametrize("seed", range(24))
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def draw(seed):
    """The generator, the number of spatial axes (1 + seed % 3), and a grid without ties."""
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 3
    shape = (rng.integers(1, 3), *rng.integers(1, 9 - rank, size=rank), rng.integers(1, 4))
    return rng, rank, (rng.permutation(math.prod(shape)) + 0.3).reshape(shape) / 8 - 2


def by_torch(name, x, *args, **options):
    """Apply torch's function of this name to x, which has channels last."""
    rank = "" if name == "interpolate" else f"{x.ndim - 2}d"
    y = getattr(F, name + rank)(x.movedim(-1, 1), *args, **options)
    return tuple(a.movedim(1, -1) for a in y) if isinstance(y, tuple) else y.movedim(1, -1)


def with_indices(x, window, **options):
    return jax.jit(lambda x: fcnn.max_pool_with_indices(x, window, **options))(x)


def ints(values):
    return tuple(map(int, values))


def draw_windows(seed):
    """The generator, x, and a window that fits: size, stride and dilation per axis, and padding."""
    rng, rank, x = draw(seed)
    while True:
        k, s, d = rng.integers(1, 4, size=(3, rank))
        if (d * (k - 1) < x.shape[1:-1]).all():
            return rng, x, *map(ints, (k, s, d, rng.integers(0, k // 2 + 1)))


@seeds
def test_max_and_average(seed):
    rng, x, k, s, d, lo = draw_windows(seed)
    include, ceil_mode = rng.integers(2, size=2).astype(bool).tolist()
    options = {"stride": s, "padding": lo, "ceil_mode": ceil_mode}
    agree(
        lambda x: (
            fcnn.max_pool(x, k, dilation=d, **options),
            fcnn.avg_pool(x, k, count_include_pad=include, **options),
        ),
        lambda x: (
            by_torch("max_pool", x, k, dilation=d, **options),
            by_torch("avg_pool", x, k, count_include_pad=include, **options),
        ),
        [x],
    )
    _, wanted = by_torch("max_pool", torch.tensor(x), k, dilation=d, return_indices=True, **options)
    np.testing.assert_array_equal(with_indices(x, k, dilation=d, **options)[1], wanted)


@seeds
def test_lp_pool(seed):
    """torch's lp_pool has no padding, no dilation and no absolute value.

    With ceil_mode, the last window may extend beyond the grid. torch then scales up the sum, as if
    each missing cell had the mean of the other cells of the window. In fcnn this is the result of
    mean=True, times the number of taps to the power 1 / p.
    """
    rng, rank, x = draw(seed)
    k = ints(min(n, i) for n, i in zip(x.shape[1:-1], rng.integers(1, 4, size=rank), strict=True))
    s, ceil_mode = ints(rng.integers(1, 4, size=rank)), bool(rng.integers(2))
    p = (1, 1.5, 2, 3, 7.5, math.inf)[seed % 6]
    taps = k if rank > 1 else k[0]  # for one axis torch needs an int
    agree(
        lambda x: (
            fcnn.lp_pool(x, k, p=p, stride=s),
            math.prod(k) ** (1 / p)
            * fcnn.lp_pool(x, k, p=p, stride=s, mean=True, ceil_mode=ceil_mode),
        ),
        lambda x: (
            by_torch("lp_pool", x.abs(), p, taps, stride=s),
            by_torch("lp_pool", x.abs(), p, taps, stride=s, ceil_mode=ceil_mode),
        ),
        [x],
    )


@seeds
def test_max_unpool(seed):
    """Windows do not overlap, because torch keeps only one of the entries that share an index."""
    rng, rank, x = draw(seed)
    k = ints(min(n, i) for n, i in zip(x.shape[1:-1], rng.integers(1, 4, size=rank), strict=True))
    y, index = map(np.asarray, with_indices(x, k))
    agree(
        lambda y, i: fcnn.max_unpool(y, i, x.shape[1:-1]),
        lambda y, i: by_torch(
            "max_unpool", y, i.movedim(-1, 1).long(), k, output_size=x.shape[1:-1]
        ),
        [rng.standard_normal(y.shape), index],
    )


@seeds
def test_adaptive_pooling_and_linear_resizing(seed):
    rng, rank, x = draw(seed)
    size = ints(rng.integers(1, 12 - 2 * rank, size=rank))
    agree(
        lambda x: (
            fcnn.adaptive_avg_pool(x, size),
            fcnn.adaptive_max_pool(x, size),
            fcnn.resize_linear(x, size),
            fcnn.global_avg_pool(x),
            fcnn.global_max_pool(x),
        ),
        lambda x: (
            by_torch("adaptive_avg_pool", x, size),
            by_torch("adaptive_max_pool", x, size),
            by_torch("interpolate", x, size, mode=LINEAR[rank], align_corners=False),
            by_torch("adaptive_avg_pool", x, 1).flatten(1),
            by_torch("adaptive_max_pool", x, 1).flatten(1),
        ),
        [x],
    )


@seeds
def test_global_pooling_of_the_cells_of_a_mask(seed):
    """torch has no masks: each example is pooled alone, without the cells that do not count."""
    rng, rank, x = draw(seed)
    mask = rng.random(x.shape[: 2 + seed % rank]) < 0.6
    mask[:, 0] = True

    def by_example(name):
        return lambda x: torch.cat(
            [
                by_torch(name, a[m].flatten(0, -2)[None], 1)[:, 0]
                for a, m in zip(x, mask, strict=True)
            ]
        )

    agree(lambda x: fcnn.global_avg_pool(x, mask), by_example("adaptive_avg_pool"), [x])
    agree(lambda x: fcnn.global_max_pool(x, mask), by_example("adaptive_max_pool"), [x])


@seeds
def test_resize_nearest(seed):
    """For n cells and m positions, position p reads cell floor(p n / m).

    torch computes p n / m in float32. Sizes for which the rounding changes a cell are drawn again.
    """
    rng, rank, x = draw(seed)
    size = (1,) * rank
    while (seed and max(size) == 1) or rounding_changes_a_cell(x.shape[1:-1], size):
        size = ints(rng.integers(1, 20, size=rank))
    agree(
        lambda x: fcnn.resize_nearest(x, size),
        lambda x: by_torch("interpolate", x, size, mode="nearest"),
        [x],
    )


def rounding_changes_a_cell(grid, size):
    off = lambda n, m, p: int(np.float32(n) / np.float32(m) * np.float32(p)) != p * n // m
    return any(off(n, m, p) for n, m in zip(grid, size, strict=True) for p in range(m))
