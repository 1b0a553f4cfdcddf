"""fcnn bench ops: operators, against what a user of JAX would have instead."""

from statistics import median
from typing import Any, NamedTuple

import jax.numpy as jnp

from fcnn.bench import timed
from fcnn.bench.comparisons import COMPARISONS, Comparison, bytes_moved
from fcnn.cli.bench.bench import (
    Bench,
    add_dtype,
    add_names,
    faster,
    megabytes,
    ms,
    named,
    rate,
)


class Row(NamedTuple):
    operator: str
    flop: float  # counted from shapes
    bytes: int  # read and written at least
    against: str
    ours: list[float]  # seconds
    theirs: list[float]
    ours_temporary: int  # bytes
    theirs_temporary: int


def _options(tool):
    add_names(tool, "OPERATOR", (contest.name for contest in COMPARISONS))
    add_dtype(tool)


def _measure(contest: Comparison, chosen) -> Row:
    programs = contest.programs(jnp.dtype(chosen.dtype))
    ours, theirs = timed(programs, rounds=chosen.rounds).values()
    _, against = programs
    times, temporary = (ours.times, theirs.times), (ours.temporary_bytes, theirs.temporary_bytes)
    moved = bytes_moved(programs["fcnn"])
    return Row(contest.name, contest.flop, moved, against, *times, *temporary)


def _head(_):
    ours = ("operator", "fcnn ms (min)", "GFLOP/s", "% of peak", "MB held")
    return (*ours, "against", "its ms (min)", "its MB", "times faster")


def _cells(row, top):
    ours = (row.operator, ms(row.ours), *rate(row.flop, row.ours, top))
    theirs = (row.against, ms(row.theirs), megabytes(row.theirs_temporary))
    return (*ours, megabytes(row.ours_temporary), *theirs, f"{faster(row.ours, row.theirs):.2f}")


def _draw(rows: list[Row], top, axes: Any) -> None:
    """A roofline: operations per byte that must be moved, and per second."""
    most = max(row.flop / row.bytes for row in rows)
    ridge = top.flop_per_second / top.bytes_per_second
    at = [0.1, ridge, 2 * max(most, ridge)]
    reach = [min(top.flop_per_second, i * top.bytes_per_second) / 1e9 for i in at]
    axes.loglog(at, reach, color="0.4", label="one matrix product; one array read and written")
    intensity = [row.flop / row.bytes for row in rows]
    ours = [row.flop / median(row.ours) / 1e9 for row in rows]
    theirs = [row.flop / median(row.theirs) / 1e9 for row in rows]
    axes.vlines(intensity, ours, theirs, color="0.8", linewidth=1)
    axes.loglog(intensity, ours, "o", color="C0", label="fcnn")
    axes.loglog(intensity, theirs, "x", color="C3", label="lax, autodiff or im2col")
    axes.set_xlabel("FLOP for each byte of arguments and outcome")
    axes.set_ylabel("GFLOP/s")
    axes.legend()


BENCH = Bench(
    "ops",
    help="operators, against XLA's own convolution and autodiff",
    description="Time operators and their hand-derived gradients, in turn with what a user of JAX "
    "would have instead. FLOP are counted from shapes; the peak is a matrix product's, measured in "
    "the same run; MB are what a program holds besides arguments and outcome.",
    packages=(),
    options=_options,
    choose=lambda chosen: named(COMPARISONS, chosen),
    measure=_measure,
    row=Row,
    head=_head,
    cells=_cells,
    draw=_draw,
)
