"""fcnn bench peers: the same train steps in fcnn and in other libraries."""

from statistics import median
from typing import Any, NamedTuple

from fcnn.cli.bench.bench import Bench, add_names, faster, named
from fcnn.installation import install
from fcnn.peers import JOBS, LIBRARIES, Job, load
from fcnn.peers.race import race

PACKAGES = {"haiku": "dm-haiku"}  # where a library and its package differ in name


class Row(NamedTuple):
    """Lists and numbers by library, fcnn first."""

    job: str
    parameters: dict[str, int]
    first: dict[str, float]  # seconds of the first step, compilation included
    steps: dict[str, list[float]]  # seconds per step, one for each round
    fastest_on_jax: str | None  # besides fcnn
    times_faster_on_jax: float | None  # than that
    times_faster_than_torch: float | None


def _options(tool):
    add_names(tool, "JOB", (job.name for job in JOBS))
    tool.add_argument(
        "--libraries",
        nargs="+",
        choices=LIBRARIES[1:],
        default=LIBRARIES[1:],
        metavar="LIBRARY",
        help=f"to compare with, of {', '.join(LIBRARIES[1:])} (default: all of them)",
    )


def _choose(chosen) -> list[Job]:
    jobs = named(JOBS, chosen)
    for name in ("fcnn", *chosen.libraries):
        load(name)
    return jobs


def _measure(job: Job, chosen) -> Row:
    laps = race(job, ["fcnn", *dict.fromkeys(chosen.libraries)], rounds=chosen.rounds)
    steps = {name: lap.steps for name, lap in laps.items()}
    each = lambda field: {name: getattr(lap, field) for name, lap in laps.items()}
    return Row(job.name, each("parameters"), each("first"), steps, *ratios(steps))


def ratios(steps: dict[str, list[float]]) -> tuple[str | None, float | None, float | None]:
    """The fastest other on JAX, and how many times fcnn is faster than it, and than torch."""
    others = {name: faster(steps["fcnn"], each) for name, each in steps.items() if name != "fcnn"}
    torch = others.pop("torch", None)
    fastest = min(others, key=others.__getitem__, default=None)
    return fastest, None if fastest is None else others[fastest], torch


def _head(row):
    each = (f"{name} ms (first s)" for name in row.steps)
    return ("train step", *each, "fastest other on JAX / fcnn", "torch / fcnn")


def _cells(row, _):
    each = (f"{1e3 * median(s):.2f} ({row.first[name]:.1f})" for name, s in row.steps.items())
    two = (row.times_faster_on_jax, row.times_faster_than_torch)
    return (row.job, *each, *("–" if r is None else f"{r:.2f}" for r in two))


def _draw(rows: list[Row], _, axes: Any) -> None:
    """Bars: the time of each library over fcnn's."""
    names = list(rows[0].steps)
    wide = 0.8 / len(names)
    for i, name in enumerate(names):
        at = [j + (i - len(names) / 2 + 0.5) * wide for j in range(len(rows))]
        axes.bar(at, [faster(r.steps["fcnn"], r.steps[name]) for r in rows], wide, label=name)
    axes.axhline(1, color="0.4", linewidth=1)
    axes.set_xticks(range(len(rows)), [row.job for row in rows], rotation=20, ha="right")
    axes.set_ylabel("time of a train step, fcnn's = 1")
    axes.legend()


BENCH = Bench(
    "peers",
    help="the same train steps in fcnn and other libraries",
    description="Time train steps (forward, backward, Adam) in fcnn and its peers, in turn, "
    "compilation apart. Prints medians, and how many times fcnn is faster than the fastest of "
    "the others on JAX, and than torch. To install all of them: " + install("peers"),
    packages=("optax", *(PACKAGES.get(name, name) for name in LIBRARIES[1:])),
    options=_options,
    choose=_choose,
    measure=_measure,
    row=Row,
    head=_head,
    cells=_cells,
    draw=_draw,
)
