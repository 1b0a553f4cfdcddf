"""fcnn bench ops: operators against baselines."""

from statistics import median
from typing import Any, NamedTuple

import jax.numpy as jnp

from fcnn.bench import timed, times_faster
from fcnn.bench.comparisons import COMPARISONS, Comparison, bytes_moved
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, megabytes, ms_min, named, rate


class Row(NamedTuple):
    name: str
    title: str
    flop: float  # counted from shapes
    bytes: int  # minimum traffic: the sizes of arguments and outputs
    baseline: str
    ours: list[float]  # seconds
    theirs: list[float]
    ours_temporary: int  # bytes
    theirs_temporary: int


def _options(tool):
    add_names(tool, "operator", COMPARISONS)
    add_dtype(tool)


def _measure(comparison: Comparison, chosen) -> Row:
    programs = comparison.programs(jnp.dtype(chosen.dtype))
    ours, theirs = timed(programs, rounds=chosen.rounds).values()
    _, baseline = programs
    return Row(
        comparison.name,
        comparison.title,
        comparison.flop,
        bytes_moved(programs["fcnn"]),
        baseline,
        ours.times,
        theirs.times,
        ours.temporary_bytes,
        theirs.temporary_bytes,
    )


def _head(_):
    ours = ("name", "operator", "fcnn ms (min)", "GFLOP/s", "% of peak", "memory MB")
    return (*ours, "baseline", "its ms (min)", "its MB", "times faster")


def _cells(row, top):
    ours = (row.name, row.title, ms_min(row.ours), *rate(row.flop, row.ours, top))
    theirs = (row.baseline, ms_min(row.theirs), megabytes(row.theirs_temporary))
    faster = times_faster(row.ours, row.theirs)
    return (*ours, megabytes(row.ours_temporary), *theirs, f"{faster:.2f}")


def _draw(rows: list[Row], top, axes: Any) -> None:
    """A roofline plot: GFLOP/s over FLOP per byte of minimum traffic."""
    largest = max(row.flop / row.bytes for row in rows)
    ridge = top.flop_per_second / top.bytes_per_second
    at = [0.1, ridge, 2 * max(largest, ridge)]
    bound = [min(top.flop_per_second, i * top.bytes_per_second) / 1e9 for i in at]
    axes.loglog(at, bound, color="0.4", label="one matrix product; one array read and written")
    intensity = [row.flop / row.bytes for row in rows]
    ours = [row.flop / median(row.ours) / 1e9 for row in rows]
    theirs = [row.flop / median(row.theirs) / 1e9 for row in rows]
    axes.vlines(intensity, ours, theirs, color="0.8", linewidth=1)
    axes.loglog(intensity, ours, "o", color="C0", label="fcnn")
    axes.loglog(intensity, theirs, "x", color="C3", label="baseline: lax, autodiff or im2col")
    axes.set_xlabel("FLOP per byte of arguments and outputs")
    axes.set_ylabel("GFLOP/s")
    axes.legend()


BENCH = Bench(
    "fcnn bench ops",
    help="operators, against XLA's own convolution and autodiff",
    description="Time operators and their hand-derived gradients against a baseline: XLA's own "
    "convolution (lax), autodiff, or explicit im2col. Both run in turn. FLOP are counted from "
    "shapes. The peak is the rate of a matrix product, measured in the same run. Memory is "
    "allocated while a program runs, besides its arguments and outputs.",
    packages=(),
    options=_options,
    choose=lambda chosen: named(COMPARISONS, chosen.names, "operator"),
    measure=_measure,
    row=Row,
    head=_head,
    cells=_cells,
    draw=_draw,
)
