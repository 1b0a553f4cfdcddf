"""fcnn bench conv: every implementation of convolution, and which one `auto` takes."""

from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fcnn.bench import timed
from fcnn.bench.comparisons import PARTS, PROBLEMS, Benchmark
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, named
from fcnn.ops.convolution.dispatch import IMPLS, on_cpu


class Sum(NamedTuple):
    """One of a convolution's three sums."""

    problem: Benchmark
    part: str

    @property
    def name(self) -> str:
        return f"{self.problem.name}, {self.part}"


class Row(NamedTuple):
    convolution: str
    auto: str  # what "auto" is here
    times: dict[str, list[float]]  # seconds, by implementation


SUMS = tuple(Sum(problem, part) for problem in PROBLEMS for part in PARTS)


def _options(tool):
    add_names(tool, "CONVOLUTION", (problem.name for problem in PROBLEMS))
    add_dtype(tool)
    tool.add_argument(
        "--tune", action="store_true", help="time every implementation, not auto and lax alone"
    )


def _measure(one: Sum, chosen) -> Row:
    problem, part = one
    serving = [i for i in IMPLS if IMPLS[i].unsupported(problem.geometry, problem.groups) is None]
    at_home = on_cpu(part, problem.geometry, problem.groups, problem.c, problem.o)
    auto = at_home if jax.default_backend() == "cpu" else "lax"
    impls = serving if chosen.tune else dict.fromkeys(("lax", auto))
    arrays = problem.arrays(part, jnp.dtype(chosen.dtype))
    times = timed({i: (problem.by(i, part), arrays) for i in impls}, rounds=chosen.rounds)
    return Row(one.name, auto, {i: timing.times for i, timing in times.items()})


def _cells(row, _):
    middle = {impl: median(times) for impl, times in row.times.items()}
    best = min(middle, key=middle.__getitem__)
    each = [f"{1e3 * middle[impl]:.3g}" if impl in middle else "–" for impl in IMPLS]
    return (row.convolution, *each, best, row.auto, f"{middle[row.auto] / middle[best]:.2f}")


BENCH = Bench(
    "conv",
    help="every implementation of convolution, and which one is fastest here",
    description="Time implementations of convolution, for its three sums. With --tune the table "
    "shows which of all is the fastest on this machine, which one auto takes, and how many times "
    "as long that is.",
    packages=(),
    options=_options,
    choose=lambda chosen: named(SUMS, chosen),
    measure=_measure,
    row=Row,
    head=lambda _: ("convolution, ms", *IMPLS, "fastest", "auto takes", "times as long"),
    cells=_cells,
)
