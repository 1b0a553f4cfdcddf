"""fcnn bench conv: implementations of convolution, and the choice of `impl="auto"`."""

from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fcnn.bench import timed
from fcnn.bench.comparisons import BENCHMARKS, PARTS, Benchmark
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, ms, named
from fcnn.ops.convolution.dispatch import IMPLS, on_cpu


class Task(NamedTuple):
    """The forward pass of a convolution, or one of its gradients."""

    benchmark: Benchmark
    part: str

    @property
    def name(self) -> str:
        return f"{self.benchmark.name}-{self.part}"

    @property
    def title(self) -> str:
        return f"{self.benchmark.title}, {self.part}"


class Row(NamedTuple):
    name: str
    title: str
    auto: str  # the implementation that "auto" chooses here
    times: dict[str, list[float]]  # seconds, by implementation


TASKS = tuple(Task(benchmark, part) for benchmark in BENCHMARKS for part in PARTS)


def _options(tool):
    add_names(tool, "convolution", BENCHMARKS)
    add_dtype(tool)
    tool.add_argument(
        "--tune", action="store_true", help="time every implementation, not only auto and lax"
    )


def _measure(task: Task, chosen) -> Row:
    benchmark, part = task
    geometry, groups = benchmark.geometry, benchmark.groups
    supported = [impl for impl in IMPLS if IMPLS[impl].unsupported(geometry, groups) is None]
    cpu_choice = on_cpu(part, geometry, groups, benchmark.c, benchmark.o)
    auto = cpu_choice if jax.default_backend() == "cpu" else "lax"
    impls = supported if chosen.tune else dict.fromkeys(("lax", auto))
    arrays = benchmark.arrays(part, jnp.dtype(chosen.dtype))
    programs = {impl: (benchmark.compute(impl, part), arrays) for impl in impls}
    timings = timed(programs, rounds=chosen.rounds)
    return Row(task.name, task.title, auto, {impl: t.times for impl, t in timings.items()})


def _cells(row, _):
    medians = {impl: median(times) for impl, times in row.times.items()}
    best = min(medians, key=medians.__getitem__)
    each = [ms(medians[impl]) if impl in medians else "–" for impl in IMPLS]
    return (row.name, row.title, *each, best, row.auto, f"{medians[row.auto] / medians[best]:.2f}")


BENCH = Bench(
    "fcnn bench conv",
    help="every implementation of convolution, and which one is fastest here",
    description="Time implementations of convolution: forward pass and both gradients. With --tune "
    "the table shows the fastest of all implementations on this machine, the choice of auto, and "
    "the time of that choice relative to the fastest.",
    packages=(),
    options=_options,
    choose=lambda chosen: named(TASKS, chosen.names, "convolution"),
    measure=_measure,
    row=Row,
    head=lambda _: (
        "name",
        "shapes, ms",
        *IMPLS,
        "fastest",
        "choice of auto",
        "times as long",
    ),
    cells=_cells,
)
