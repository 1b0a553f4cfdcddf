"""fcnn bench: how fast is this, here?"""

import json
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax

from fcnn.command.progress import progress
from fcnn.peers import JOBS, LIBRARIES, Job, load
from fcnn.peers.race import Lap, race

PACKAGES = {"haiku": "dm-haiku"}  # where a library and its package differ in name
HEAD = ("train step", "fastest other on JAX / fcnn", "torch / fcnn")


def add_to(tools) -> None:
    tool = tools.add_parser("bench", help="measure speed on this machine")
    what = tool.add_subparsers(dest="what", required=True, metavar="WHAT")
    peers = what.add_parser(
        "peers",
        help="the same train steps in fcnn and other libraries",
        description="Time train steps (forward, backward, Adam) in fcnn and its peers, in turn, "
        "compilation apart. Prints medians, and how many times fcnn is faster than the fastest of "
        "the others on JAX, and than torch. pip install 'fcnn[peers]' brings all of them.",
    )
    names = ", ".join(job.name for job in JOBS)
    peers.add_argument(
        "jobs", nargs="*", metavar="JOB", help=f"some of: {names} (default: all of them)"
    )
    peers.add_argument(
        "--libraries",
        nargs="+",
        choices=LIBRARIES[1:],
        default=LIBRARIES[1:],
        metavar="LIBRARY",
        help=f"to compare with, of {', '.join(LIBRARIES[1:])} (default: all of them)",
    )
    peers.add_argument("--rounds", type=int, default=10, help="how often each runs (default: 10)")
    peers.add_argument("--json", action="store_true", help="print JSON instead of a table")
    peers.set_defaults(run=run)


def run(chosen) -> int:
    try:
        jobs = [_job(name) for name in chosen.jobs] or list(JOBS)
        if chosen.rounds < 1:
            raise ValueError(f"--rounds {chosen.rounds} must be at least 1")
        libraries = ["fcnn", *dict.fromkeys(chosen.libraries)]
        for name in libraries:
            load(name)
    except (ValueError, ImportError) as misuse:
        print(f"fcnn bench: {misuse}", file=sys.stderr)
        return 2
    time = lambda jobs: ((job.name, race(job, libraries, rounds=chosen.rounds)) for job in jobs)
    if chosen.json:
        laps = dict(time(progress(jobs, lambda job: job.name)))
        print(json.dumps(_told(laps, libraries), indent=1))
    else:
        for line in table(time(jobs), libraries):
            print(line, flush=True)
    return 0


def table(laps: Iterable[tuple[str, dict[str, Lap]]], libraries: list[str]) -> Iterator[str]:
    """In Markdown, each job as soon as it was timed: milliseconds per step, in brackets seconds of
    the first, and the ratios."""
    columns = [HEAD[0], *(f"{name} ms (first s)" for name in libraries), *HEAD[1:]]
    yield f"| {' | '.join(columns)} |"
    yield "|---|" + "---:|" * (len(columns) - 1)
    for job, of in laps:
        each = [f"{1e3 * lap.seconds:.2f} ({lap.first:.1f})" for lap in of.values()]
        told = ["–" if r is None else f"{r:.2f}" for r in ratios(of)]
        yield f"| {' | '.join([job, *each, *told])} |"


def ratios(of: dict[str, Lap]) -> tuple[float | None, float | None]:
    """How many times faster fcnn is than the fastest of the others on JAX, and than torch."""
    others = {name: of["fcnn"].times_faster(lap) for name, lap in of.items() if name != "fcnn"}
    torch = others.pop("torch", None)
    return min(others.values(), default=None), torch


def _job(name: str) -> Job:
    for job in JOBS:
        if job.name == name:
            return job
    raise ValueError(f"{name!r} is none of {', '.join(repr(job.name) for job in JOBS)}")


def _told(laps: dict[str, dict[str, Lap]], libraries: list[str]) -> dict[str, Any]:
    return {
        "device": str(jax.local_devices()[0].device_kind),
        "machine": platform.machine(),
        "versions": {name: _version(name) for name in ("jax", "jaxlib", *libraries)},
        "jobs": {
            job: {"ratios": ratios(of), "laps": [lap._asdict() for lap in of.values()]}
            for job, of in laps.items()
        },
    }


def _version(name: str) -> str | None:
    try:
        return version(PACKAGES.get(name, name))
    except PackageNotFoundError:
        return None
