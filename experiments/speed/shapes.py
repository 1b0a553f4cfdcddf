"""Benchmarks of `impl="auto"` against lax, for the three sums of many convolutions.

shapes    layers of real networks, which the choices of "auto" were tuned on: a row for each sum
loops     smaller ones of these layers, inside a compiled loop
judging   layers drawn with a new seed: totals only, so that nothing is tuned on them
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from secrets import randbelow
from typing import NamedTuple

import jax.numpy as jnp

from experiments.speed.layers import LOOPED, REAL, drawn
from experiments.speed.paired import SLOWER, speedup
from fcnn.bench.comparisons import PARTS, Benchmark, Comparison, convolution, in_a_loop
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, ms, named
from fcnn.cli.bench.tune import Task
from fcnn.cli.output import Misuse
from fcnn.cli.progress import progress
from fcnn.cli.table import table
from fcnn.ops.convolution.dispatch import on_cpu

ROUNDS = 15
STEPS = 4  # batches in a loop
DRAWN = 40  # layers of a judging set


class Row(NamedTuple):
    """Results of one sum."""

    name: str
    title: str
    part: str
    impl: str  # the choice of "auto" on CPU
    times_faster: float  # fcnn than lax, by wall time: the median over rounds
    low: float  # the 95 % interval of this median
    high: float
    by_cpu: float  # times faster by CPU time of all threads
    ours: float  # seconds of the shortest call
    theirs: float
    rounds: int

    @property
    def slower(self) -> bool:
        return self.high < SLOWER


class Part(NamedTuple):
    """One sum of all layers of a judging set."""

    name: str
    seed: int


class Totals(NamedTuple):
    """Results of several sums together."""

    name: str  # the part, or "all"
    sums: int
    mean: float  # the geometric mean of times_faster
    mean_by_cpu: float
    slower: int  # sums that are slower than lax: the whole interval is below 1 / 1.10
    least: float  # the smallest upper end of an interval
    seed: int | None = None  # of a judging set


def _measure(compare: Callable[[Benchmark, str], Comparison], task: Task, chosen) -> Row:
    layer, part = task
    programs = compare(layer, part).programs(jnp.dtype(chosen.dtype))
    found = speedup(programs["fcnn"], programs["lax"], chosen.rounds)
    impl = on_cpu(part, layer.geometry, layer.groups, layer.c, layer.o)
    ends, least = (found.low, found.high), found.seconds
    return Row(
        task.name, task.title, part, impl, found.times, *ends, found.cpu, *least, found.rounds
    )


def totals(rows: Sequence[Row]) -> list[Totals]:
    """The totals of each part, and of all of them."""
    groups = {part: [row for row in rows if row.part == part] for part in PARTS} | {"all": rows}
    return [total(name, group) for name, group in groups.items() if group]


def total(name: str, rows: Sequence[Row]) -> Totals:
    mean = lambda values: math.exp(sum(map(math.log, values)) / len(rows))
    return Totals(
        name,
        len(rows),
        mean([row.times_faster for row in rows]),
        mean([row.by_cpu for row in rows]),
        sum(row.slower for row in rows),
        min(row.high for row in rows),
    )


def _cells(row: Row, _) -> Sequence[str]:
    speedup = f"{row.times_faster:.2f} ({row.low:.2f} to {row.high:.2f})"
    slower = "slower" if row.slower else ""
    times = ms(row.ours), ms(row.theirs)
    return (row.name, row.title, row.impl, *times, speedup, f"{row.by_cpu:.2f}", slower)


def _total_cells(total: Totals, _=None) -> Sequence[str]:
    means = f"{total.mean:.2f}", f"{total.mean_by_cpu:.2f}"
    return (total.name, f"{total.sums}", *means, f"{total.slower}", f"{total.least:.2f}")


HEAD = (
    "name",
    "sum",
    "choice of auto",
    "fcnn ms",
    "lax ms",
    "times faster (95 % interval)",
    "by CPU time",
    "slower",
)
TOTALS_HEAD = (
    "sums",
    "number",
    "times faster than lax, geometric mean",
    "by CPU time",
    "slower than lax",
    "smallest upper end of an interval",
)


def totals_table(rows: Sequence[Row], width: int | None) -> list[str]:
    cells = [_total_cells(total) for total in totals(rows)]
    return ["", *table(TOTALS_HEAD, cells, width, numbers=True, left=1)]


def _sentence(rows: Sequence[Totals], _) -> list[str]:
    """All parts of a judging set in one line."""
    mean = math.prod(row.mean for row in rows) ** (1 / len(rows))
    sums, slower = (sum(getattr(row, name) for row in rows) for name in ("sums", "slower"))
    return ["", f"All {sums}: {mean:.2f} times as fast as lax, {slower} slower than lax."]


def _bench(name: str, help: str, what: str, layers: Sequence[Benchmark], compare) -> Bench:
    tasks = [Task(layer, part) for layer in layers for part in PARTS]

    def options(tool):
        add_names(tool, "sum", tasks)
        add_dtype(tool)

    return Bench(
        f"{COMMAND} {name}",
        help=help,
        description=f"{what} {HOW}",
        packages=(),
        options=options,
        choose=lambda chosen: named(tasks, chosen.names, "sum"),
        measure=partial(_measure, compare),
        row=Row,
        head=lambda _: HEAD,
        cells=_cells,
        foot=totals_table,
        rounds=ROUNDS,
    )


def _options(tool) -> None:
    add_dtype(tool)
    tool.add_argument("--seed", type=int, help="seed of the layers (default: a new one)")


def _choose(chosen) -> Sequence[Part]:
    seed = randbelow(10**6) if chosen.seed is None else chosen.seed
    if seed < 0:
        raise Misuse(f"--seed {seed} must be at least 0")
    return [Part(part, seed) for part in PARTS]


def _judge(part: Part, chosen) -> Totals:
    layers = progress(drawn(part.seed, DRAWN), lambda layer: part.name)
    rows = [_measure(convolution, Task(layer, part.name), chosen) for layer in layers]
    return total(part.name, rows)._replace(seed=part.seed)


COMMAND = "python -m experiments speed"
HOW = (
    "Both programs run in every round, in turn. A sum is slower than lax if the 95 % interval of "
    "its speedup is below 1 / 1.10. A sum that seems slower is measured again, with four times as "
    "many rounds. With fewer than 6 rounds, the interval is the range of all ratios."
)
SHAPES = _bench(
    "shapes",
    "convolutions of real networks, against lax",
    "Time the forward pass and both gradients of convolutions from real networks, against XLA's "
    "own convolution (lax). The choices of impl='auto' were tuned on these layers.",
    REAL,
    convolution,
)
LOOPS = _bench(
    "loops",
    "the same inside a compiled loop",
    f"Time convolutions inside a compiled loop over {STEPS} batches, against lax.",
    LOOPED,
    partial(in_a_loop, steps=STEPS),
)
JUDGING = Bench(
    f"{COMMAND} judging",
    help="the same for layers drawn from a distribution: totals",
    description=f"Time {DRAWN} convolutions that are drawn from a fixed distribution with a new "
    f"seed, against lax. Only totals are shown, so that nothing is tuned on these layers. {HOW}",
    packages=(),
    options=_options,
    choose=_choose,
    measure=_judge,
    row=Totals,
    head=lambda row: (*TOTALS_HEAD, "seed"),
    cells=lambda row, _: (*_total_cells(row), f"{row.seed}"),
    foot=_sentence,
    rounds=ROUNDS,
)
