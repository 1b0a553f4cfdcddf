"""What all benchmarks have in common: options, and the ways in which rows are told."""

import io
import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import chain, islice
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any, NamedTuple

import jax.numpy as jnp

from fcnn.bench import Roofline, machine_info, roofline
from fcnn.cli.output import File, Misuse, add_json, show, try_place, write
from fcnn.cli.progress import progress
from fcnn.cli.table import table as lines_of, terminal_width
from fcnn.installation import install

DTYPES = ("float32", "bfloat16")
Draw = Callable[[list[Any], Roofline, Any], None]  # rows on matplotlib's axes
FEW = 60  # letters of names that a message lists whole


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
    cells: Callable[[Any, Roofline], Sequence[str]]
    draw: Draw | None = None


def add(what, bench: Bench) -> None:
    """The subcommand of `bench`."""
    tool = what.add_parser(
        bench.name,
        help=bench.help,
        description=fill(bench.description, 80, break_on_hyphens=False),
        formatter_class=RawDescriptionHelpFormatter,
    )
    bench.options(tool)
    tool.add_argument("--rounds", type=int, default=10, help="how often each runs (default: 10)")
    add_json(tool)
    if bench.draw:
        tool.add_argument("--plot", type=Path, metavar="FILE", help="draw a figure too: .png, .svg")
    tool.set_defaults(run=partial(run, bench), plot=None)


def add_dtype(tool: ArgumentParser) -> None:
    tool.add_argument("--dtype", choices=DTYPES, default="float32", help="(default: float32)")


def add_names(tool: ArgumentParser, metavar: str, names: Iterable[str]) -> None:
    help = (
        f"name of {metavar.lower()}s to measure, or how one begins; below is a list (default: all)"
    )
    tool.add_argument("names", nargs="*", metavar=metavar, help=help)
    tool.epilog = "\n  ".join([f"{metavar}:", *names])


def named(things: Sequence[Any], chosen: Namespace) -> list[Any]:
    """Those of `things` that have the chosen names, or begin like one; all for no names.

    Raises: Misuse for a name that nothing has.
    """
    names = chosen.names
    for name in names:
        if not any(thing.name.startswith(name) for thing in things):
            raise Misuse(_unknown(name, [thing.name for thing in things], chosen.what))
    return [t for t in things if not names or any(t.name.startswith(name) for name in names)]


def _unknown(name: str, known: Sequence[str], what: str) -> str:
    """The line for a name that is none of `known`: all of them if they are few, or the nearest."""
    if sum(map(len, known)) <= FEW:
        return f"{what}: unknown name {name!r}; expected one of {', '.join(map(repr, known))}"
    words = [one.split() for one in known]
    starts = dict.fromkeys(" ".join(w[: i + 1]) for w in words for i in range(len(w)))
    near = sorted(get_close_matches(name, starts, n=3), key=len)
    meant = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{what}: unknown name {name!r}; {meant}`fcnn bench {what} --help` lists all"


def run(bench: Bench, chosen: Namespace) -> int:
    """Measure and tell; the exit code. Nothing is measured before all that was asked is fine."""
    to_file = isinstance(chosen.json, Path)
    try:
        if chosen.rounds < 1:
            raise Misuse(f"--rounds {chosen.rounds} must be at least 1")
        things = bench.choose(chosen)
        if to_file:
            try_place("--json", chosen.json)
        figure = _figure(chosen.plot)
    except (Misuse, ImportError) as misuse:
        print(f"fcnn bench: {misuse}", file=sys.stderr)
        return 2
    top = roofline(jnp.dtype(getattr(chosen, "dtype", "float32")))
    rows: list[Any] = []

    def measured():
        quiet = chosen.json is True
        for thing in progress(things, lambda thing: thing.name) if quiet else things:
            rows.append(bench.measure(thing, chosen))
            yield rows[-1]

    def lines():
        if chosen.json is True:
            yield _json(bench, chosen, top, list(measured()))
        else:
            names = [thing.name for thing in things]
            yield from table(bench, measured(), top, terminal_width(), names)

    broken = show(lines(), keep_on=to_file or figure is not None)
    files: list[File] = []
    if to_file:
        files.append(("--json", chosen.json, lambda: _json(bench, chosen, top, rows)))
    if figure and (draw := bench.draw):
        files.append(("--plot", chosen.plot, lambda: _drawn(draw, rows, top, figure, chosen.plot)))
    written = write("fcnn bench", files)
    if broken:
        raise broken
    return 0 if written else 2


def table(
    bench: Bench, rows: Iterable[Any], top: Roofline, width: int | None, names: Sequence[str] = ()
) -> Iterator[str]:
    """Each row as soon as it is there: in Markdown, or for a terminal of `width` columns."""
    if isinstance(rows, Sequence):
        if rows:
            cells = [bench.cells(row, top) for row in rows]
            yield from lines_of(bench.head(rows[0]), cells, width, numbers=True)
        return
    coming = iter(rows)
    for first in islice(coming, 1):
        cells = (bench.cells(row, top) for row in chain([first], coming))
        yield from lines_of(bench.head(first), cells, width, numbers=True, names=names)


def _json(bench: Bench, chosen: Namespace, top: Roofline, rows: Sequence[Any]) -> str:
    told = {
        "bench": bench.name,
        "dtype": getattr(chosen, "dtype", "float32"),
        "rounds": chosen.rounds,
        "machine": machine_info(("fcnn", "jax", "jaxlib", *bench.packages)),
        "roofline": top._asdict(),
        "rows": [row._asdict() for row in rows],
    }
    return json.dumps(told, indent=1)


def ms(times: Sequence[float]) -> str:
    """Median and, in brackets, the least."""
    return f"{1e3 * median(times):.3g} ({1e3 * min(times):.3g})"


def faster(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times: the median over rounds of theirs over ours."""
    return median(b / a for a, b in zip(ours, theirs, strict=True))


def rate(flop: float, times: Sequence[float], top: Roofline) -> tuple[str, str]:
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
        raise ImportError(f"--plot needs matplotlib; {install('experiments')}") from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    if _format(path) not in figure.canvas.get_supported_filetypes():
        raise Misuse(f"--plot {path}: a file ends in .png, .svg or .pdf")
    try_place("--plot", path)
    return figure


def _drawn(draw: Draw, rows: list[Any], top: Roofline, figure, path: Path) -> bytes:
    draw(rows, top, figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, dpi=150, format=_format(path))
    return file.getvalue()


def _format(path: Path) -> str:
    return path.suffix.lstrip(".").lower()
