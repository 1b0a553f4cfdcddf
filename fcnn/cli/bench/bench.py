"""Parts that all benchmarks share: options, a table printed row by row, JSON and figures."""

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
from fcnn.cli.table import table as table_lines, terminal_width
from fcnn.installation import install

DTYPES = ("float32", "bfloat16")
Draw = Callable[[list[Any], Roofline, Any], None]  # draws rows on matplotlib's axes
FEW = 60  # largest total length of the names that an error message lists in full


class Bench(NamedTuple):
    """One kind of measurement. A row is a NamedTuple with fields for JSON."""

    command: str  # the command line that runs it, such as "fcnn bench ops"
    help: str
    description: str
    packages: tuple[str, ...]  # versions to record, besides fcnn's and jax's
    options: Callable[[ArgumentParser], Any]  # adds its options to the parser
    choose: Callable[[Namespace], Sequence[Any]]  # items to measure; raises Misuse or ImportError
    measure: Callable[[Any, Namespace], Any]  # item -> row
    row: Callable[..., Any]  # fields of a row, from JSON -> row
    head: Callable[[Any], Sequence[str]]  # first row of the table -> column titles
    cells: Callable[[Any, Roofline], Sequence[str]]
    draw: Draw | None = None
    foot: Callable[[Sequence[Any], int | None], Iterable[str]] | None = None  # rows, width -> lines
    rounds: int = 10  # default of --rounds

    @property
    def name(self) -> str:
        return self.command.split()[-1]


def add_options(tool: ArgumentParser, bench: Bench) -> None:
    """Make `tool` the command line of `bench`."""
    tool.formatter_class = RawDescriptionHelpFormatter
    tool.description = fill(bench.description, 80, break_on_hyphens=False)
    bench.options(tool)
    tool.add_argument(
        "--rounds",
        type=int,
        default=bench.rounds,
        help=f"timings of each program (default: {bench.rounds})",
    )
    add_json(tool)
    if bench.draw:
        tool.add_argument("--plot", type=Path, metavar="FILE", help="draw a figure: .png or .svg")
    tool.set_defaults(run=partial(run, bench), plot=None)


def add_dtype(tool: ArgumentParser) -> None:
    tool.add_argument(
        "--dtype", choices=DTYPES, default="float32", help="dtype of arrays (default: float32)"
    )


def add_names(tool: ArgumentParser, kind: str, items: Iterable[Any]) -> None:
    """Add the argument for names to measure, and list all names at the end of --help."""
    help = f"{kind}s from the list below, or beginnings of their names (default: all)"
    tool.add_argument("names", nargs="*", metavar=kind.upper(), help=help)
    titles = [(item.name, item.title) for item in items]
    widest = max(len(name) for name, _ in titles)
    lines = (f"  {name:{widest}}  {title}" for name, title in titles)
    tool.epilog = "\n".join([f"{kind}s:", *lines])


def named(items: Sequence[Any], names: Sequence[str], kind: str) -> list[Any]:
    """The items whose name begins with one of `names`; all items if `names` is empty.

    Raises: Misuse for an unknown name.
    """
    for name in names:
        if not any(item.name.startswith(name) for item in items):
            raise Misuse(_unknown(name, [item.name for item in items], kind))
    return [i for i in items if not names or any(i.name.startswith(name) for name in names)]


def _unknown(name: str, known: Sequence[str], kind: str) -> str:
    """The error message: lists all `known` names if they are few, else the nearest names."""
    if sum(map(len, known)) <= FEW:
        return f"unknown {kind} {name!r}; expected one of {', '.join(map(repr, known))}"
    words = [one.split("-") for one in known]
    starts = dict.fromkeys("-".join(w[: i + 1]) for w in words for i in range(len(w)))
    near = sorted(get_close_matches(name, starts, n=3), key=len)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}--help lists all names"


def run(bench: Bench, chosen: Namespace) -> int:
    """Check all options, then measure and print, and return the exit code.

    After an interrupt, the file of --json has the rows that were measured.
    """
    to_file = isinstance(chosen.json, Path)
    try:
        if chosen.rounds < 1:
            raise Misuse(f"--rounds {chosen.rounds} must be at least 1")
        items = bench.choose(chosen)
        if to_file:
            try_place("--json", chosen.json)
        figure = _figure(chosen.plot)
    except (Misuse, ImportError) as error:
        print(f"{bench.command}: {error}", file=sys.stderr)
        return 2
    top = roofline(jnp.dtype(getattr(chosen, "dtype", "float32")))
    rows: list[Any] = []

    def measured():
        quiet = chosen.json is True
        for item in progress(items, lambda item: item.name) if quiet else items:
            rows.append(bench.measure(item, chosen))
            yield rows[-1]

    def lines():
        if chosen.json is True:
            yield _json(bench, chosen, top, list(measured()))
        else:
            names = [item.name for item in items]
            yield from table(bench, measured(), top, terminal_width(), names)
            if bench.foot and rows:
                yield from bench.foot(rows, terminal_width())

    files: list[File] = []
    if to_file:
        files.append(("--json", chosen.json, lambda: _json(bench, chosen, top, rows)))
    try:
        broken = show(lines(), keep_on=to_file or figure is not None)
    except KeyboardInterrupt:
        if rows and files and write(bench.command, files):
            kept = f"{chosen.json} has the rows measured before the interrupt: {len(rows)}"
            print(f"{bench.command}: {kept}", file=sys.stderr)
        raise
    if figure and (draw := bench.draw):
        files.append(("--plot", chosen.plot, lambda: _drawn(draw, rows, top, figure, chosen.plot)))
    written = write(bench.command, files)
    if broken:
        raise broken
    return 0 if written else 2


def table(
    bench: Bench, rows: Iterable[Any], top: Roofline, width: int | None, names: Sequence[str] = ()
) -> Iterator[str]:
    """The lines of the table: Markdown, or columns for a terminal of `width`.

    The lines of a row are yielded as soon as the row is measured.
    """
    if isinstance(rows, Sequence):
        if rows:
            cells = [bench.cells(row, top) for row in rows]
            yield from table_lines(bench.head(rows[0]), cells, width, numbers=True, left=2)
        return
    coming = iter(rows)
    for first in islice(coming, 1):
        cells = (bench.cells(row, top) for row in chain([first], coming))
        yield from table_lines(bench.head(first), cells, width, numbers=True, left=2, names=names)


def _json(bench: Bench, chosen: Namespace, top: Roofline, rows: Sequence[Any]) -> str:
    result = {
        "bench": bench.name,
        "dtype": getattr(chosen, "dtype", "float32"),
        "rounds": chosen.rounds,
        "machine": machine_info(("fcnn", "jax", "jaxlib", *bench.packages)),
        "roofline": top._asdict(),
        "rows": [row._asdict() for row in rows],
    }
    return json.dumps(result, indent=1)


def ms(seconds: float) -> str:
    """Milliseconds with three significant digits, or as an integer from 1 s on."""
    return f"{1e3 * seconds:.0f}" if seconds >= 1 else f"{1e3 * seconds:.3g}"


def ms_min(times: Sequence[float]) -> str:
    """Milliseconds: the median, and the minimum in brackets."""
    return f"{ms(median(times))} ({ms(min(times))})"


def rate(flop: float, times: Sequence[float], top: Roofline) -> tuple[str, str]:
    """GFLOP/s, and percent of the peak."""
    flop_per_second = flop / median(times)
    return f"{flop_per_second / 1e9:.0f}", f"{100 * flop_per_second / top.flop_per_second:.0f}"


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"


def _figure(path: Path | None):
    """An empty figure, or None without a path. The path is tried now, before a long run."""
    if path is None:
        return None
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ImportError(f"--plot needs matplotlib; {install('experiments')}") from None
    figure = Figure(figsize=(9, 6), layout="constrained")
    if _format(path) not in figure.canvas.get_supported_filetypes():
        raise Misuse(f"--plot {path}: unknown file type; write a name that ends in .png or .svg")
    try_place("--plot", path)
    return figure


def _drawn(draw: Draw, rows: list[Any], top: Roofline, figure, path: Path) -> bytes:
    draw(rows, top, figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, dpi=150, format=_format(path))
    return file.getvalue()


def _format(path: Path) -> str:
    return path.suffix.lstrip(".").lower()
