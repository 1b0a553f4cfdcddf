"""What all benchmarks have in common: options, and the ways in which rows are told."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax.numpy as jnp

from fcnn.bench import Roof, machine, roof
from fcnn.command.progress import progress

DTYPES = ("float32", "bfloat16")


class Misuse(ValueError):
    """What the user asked for makes no sense; the message is one line."""


class Bench(NamedTuple):
    """One thing that can be measured."""

    name: str
    help: str
    description: str
    packages: tuple[str, ...]  # whose versions matter, besides fcnn's and jax's
    options: Callable[[ArgumentParser], Any]  # adds them
    choose: Callable[[Namespace], Sequence[Any]]  # what to measure; raises Misuse or ImportError
    measure: Callable[[Any, Namespace], Any]  # one of these -> a row, which is a NamedTuple
    row: Callable[..., Any]  # a row from its fields, as JSON has them
    head: Callable[[Any], Sequence[str]]  # titles of a table that begins with this row
    cells: Callable[[Any, Roof], Sequence[str]]
    draw: Callable[[list[Any], Roof, Any], None] | None = None  # rows on matplotlib's axes


def add(what, bench: Bench) -> None:
    """The subcommand of `bench`."""
    tool = what.add_parser(bench.name, help=bench.help, description=bench.description)
    bench.options(tool)
    tool.add_argument("--rounds", type=int, default=10, help="how often each runs (default: 10)")
    tool.add_argument("--json", action="store_true", help="print JSON instead of a table")
    if bench.draw:
        tool.add_argument("--plot", type=Path, metavar="FILE", help="draw a figure too: .png, .svg")
    tool.set_defaults(run=partial(run, bench), plot=None)


def add_dtype(tool: ArgumentParser) -> None:
    tool.add_argument("--dtype", choices=DTYPES, default="float32", help="(default: float32)")


def add_names(tool: ArgumentParser, metavar: str, names: Iterable[str]) -> None:
    told = ", ".join(names).replace("%", "%%")
    tool.add_argument("names", nargs="*", metavar=metavar, help=f"some of: {told} (default: all)")


def named(things: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Those of `things` that have these names, or begin like one; all for no names.

    Raises: Misuse for a name that nothing has.
    """
    for name in names:
        if not any(thing.name.startswith(name) for thing in things):
            raise Misuse(f"{name!r} is none of {', '.join(repr(thing.name) for thing in things)}")
    return [t for t in things if not names or any(t.name.startswith(name) for name in names)]


def run(bench: Bench, chosen: Namespace) -> int:
    """Measure and tell; the exit code. Nothing is measured before all that was asked is fine."""
    try:
        if chosen.rounds < 1:
            raise Misuse(f"--rounds {chosen.rounds} must be at least 1")
        things = bench.choose(chosen)
        figure = _figure(chosen.plot)
    except (Misuse, ImportError) as misuse:
        print(f"fcnn bench: {misuse}", file=sys.stderr)
        return 2
    dtype = getattr(chosen, "dtype", "float32")
    top = roof(jnp.dtype(dtype))
    rows: list[Any] = []

    def measured():
        for thing in progress(things, lambda thing: thing.name) if chosen.json else things:
            rows.append(bench.measure(thing, chosen))
            yield rows[-1]

    if chosen.json:
        told = {
            "bench": bench.name,
            "dtype": dtype,
            "rounds": chosen.rounds,
            "machine": machine(("fcnn", "jax", "jaxlib", *bench.packages)),
            "roof": top._asdict(),
            "rows": [row._asdict() for row in measured()],
        }
        print(json.dumps(told, indent=1))
    else:
        for line in table(bench, measured(), top):
            print(line, flush=True)
    if figure and bench.draw:
        bench.draw(rows, top, figure.subplots())
        figure.savefig(chosen.plot, dpi=150)
    return 0


def table(bench: Bench, rows: Iterable[Any], top: Roof) -> Iterator[str]:
    """In Markdown, each row as soon as it is there."""
    for i, row in enumerate(rows):
        if i == 0:
            head = bench.head(row)
            yield f"| {' | '.join(head)} |"
            yield "|---|" + "---:|" * (len(head) - 1)
        yield f"| {' | '.join(bench.cells(row, top))} |"


def ms(times: Sequence[float]) -> str:
    """Median and, in brackets, the least."""
    return f"{1e3 * median(times):.3g} ({1e3 * min(times):.3g})"


def faster(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times: the median over rounds of theirs over ours."""
    return median(b / a for a, b in zip(ours, theirs, strict=True))


def rate(flop: float, times: Sequence[float], top: Roof) -> tuple[str, str]:
    """GFLOP/s, and the share of the measured matrix product's."""
    each = flop / median(times)
    return f"{each / 1e9:.0f}", f"{100 * each / top.flop_per_second:.0f}"


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"


def _figure(path: Path | None):
    """An empty figure, or None for no path. That it can be kept is tried now, before a long run."""
    if path is None:
        return None
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ImportError("--plot needs matplotlib; pip install 'fcnn[experiments]'") from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    if path.suffix.lstrip(".") not in figure.canvas.get_supported_filetypes():
        raise Misuse(f"--plot {path}: a file ends in .png, .svg or .pdf")
    there = path.exists()
    try:
        path.open("ab").close()
        if not there:
            path.unlink()
    except OSError as why:
        raise Misuse(f"--plot {path}: {why.strerror}") from None
    return figure
