"""Benchmark of train steps in fcnn and other libraries: rows, tables and bars."""

from statistics import median
from typing import Any, NamedTuple

from experiments.framework import interrupt
from experiments.framework.palette import COLOURS, LINES
from experiments.speed.interleave import interleave
from experiments.speed.libraries import LIBRARIES, load
from fcnn.bench import times_faster
from fcnn.cli.bench.bench import Bench, add_names, megabytes, named
from fcnn.cli.bench.jobs import JOBS, Job, draw
from fcnn.installation import install

PACKAGES = {"haiku": "dm-haiku"}  # library -> its package, where the two names differ


class Row(NamedTuple):
    """Results of one job. The keys of each dict are libraries, with fcnn first."""

    name: str
    title: str
    parameters: dict[str, int]
    first: dict[str, float]  # seconds of the first step, compilation included
    steps: dict[str, list[float]]  # seconds per step, one entry per round
    fastest_on_jax: str | None  # fastest library on JAX other than fcnn
    times_faster_on_jax: float | None  # speedup of fcnn over that library
    times_faster_than_torch: float | None
    memory: dict[str, int] | None = (
        None  # bytes that a step allocates; only libraries with a known number
    )


def _options(tool):
    add_names(tool, "job", JOBS)
    tool.add_argument(
        "--libraries",
        nargs="+",
        choices=LIBRARIES[1:],
        default=LIBRARIES[1:],
        metavar="LIBRARY",
        help=f"libraries to compare with fcnn: {', '.join(LIBRARIES[1:])} (default: all of them)",
    )


def _choose(chosen) -> list[Job]:
    jobs = named(JOBS, chosen.names, "job")
    for name in ("fcnn", *chosen.libraries):
        load(name)
    return jobs


def _measure(job: Job, chosen) -> Row:
    interrupt.check()
    x, y = draw(job, seed=0)
    names = ["fcnn", *dict.fromkeys(chosen.libraries)]
    prepared = {name: load(name).prepare(job, x, y, seed=0) for name in names}
    timings = interleave(prepared, job.steps, rounds=chosen.rounds)
    parameters = {name: each.parameters for name, each in prepared.items()}
    first = {name: timing.first for name, timing in timings.items()}
    steps = {name: timing.times for name, timing in timings.items()}
    memory = {name: count for name, each in prepared.items() if (count := each.memory())}
    return Row(job.name, job.title, parameters, first, steps, *ratios(steps), memory)


def ratios(steps: dict[str, list[float]]) -> tuple[str | None, float | None, float | None]:
    """Comparison of fcnn with the fastest other library on JAX, and with torch.

    Returns the name of that library, the speedup of fcnn over it, and the speedup over torch.
    """
    ours = steps["fcnn"]
    others = {name: times_faster(ours, each) for name, each in steps.items() if name != "fcnn"}
    torch = others.pop("torch", None)
    fastest = min(others, key=others.__getitem__, default=None)
    return fastest, None if fastest is None else others[fastest], torch


def _head(row):
    known = lambda name: ", MB" if name in (row.memory or ()) else ""
    each = (f"{name} ms (first s{known(name)})" for name in row.steps)
    return ("name", "train step", *each, "fastest other on JAX / fcnn", "torch / fcnn")


def _cells(row, _):
    memory = {name: f", {megabytes(count)}" for name, count in (row.memory or {}).items()}
    each = (
        f"{1e3 * median(s):.2f} ({row.first[name]:.1f}{memory.get(name, '')})"
        for name, s in row.steps.items()
    )
    two = (row.times_faster_on_jax, row.times_faster_than_torch)
    return (row.name, row.title, *each, *("–" if r is None else f"{r:.2f}" for r in two))


def _draw(rows: list[Row], _, axes: Any) -> None:
    """Draw bars: the time of each library divided by fcnn's."""
    names = list(rows[0].steps)
    width, colours = 0.8 / len(names), [COLOURS[name] for name in LINES]
    for i, name in enumerate(names):
        at = [j + (i - len(names) / 2 + 0.5) * width for j in range(len(rows))]
        heights = [times_faster(r.steps["fcnn"], r.steps[name]) for r in rows]
        axes.bar(at, heights, width, label=name, color=colours[i])
    axes.axhline(1, color="0.4", linewidth=1)
    axes.set_xticks(range(len(rows)), [row.title for row in rows], rotation=20, ha="right")
    axes.set_ylabel("time of a train step / fcnn's")
    axes.legend()


BENCH = Bench(
    "python -m experiments speed steps",
    help="train steps in fcnn and other libraries",
    description="Time train steps (forward, backward, Adam) in fcnn, flax, haiku, equinox, keras "
    "and torch, in turn, without compilation. Prints medians, and how many times faster fcnn is "
    "than the fastest of the others on JAX, and than torch. MB is the memory that a step allocates "
    "besides its arguments and outputs. To install all of them: " + install("peers"),
    packages=("optax", *(PACKAGES.get(name, name) for name in LIBRARIES[1:])),
    options=_options,
    choose=_choose,
    measure=_measure,
    row=Row,
    head=_head,
    cells=_cells,
    draw=_draw,
)
