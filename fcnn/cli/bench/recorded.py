"""fcnn bench table: recorded results, printed as tables."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from fcnn.bench import Roofline
from fcnn.cli.bench.bench import Bench, table
from fcnn.cli.output import Misuse
from fcnn.cli.table import terminal_width


def add_to(kinds, benches: Sequence[Bench], command: str) -> None:
    """Add the kind `table` of `command`."""
    tool = kinds.add_parser(
        "table",
        help="print recorded results as tables",
        description="Print the tables of results that --json recorded.",
    )
    tool.add_argument("files", nargs="+", type=Path, metavar="FILE", help="output of --json")
    tool.set_defaults(run=lambda chosen: print_tables(f"{command} table", benches, chosen.files))


def print_tables(command: str, benches: Sequence[Bench], files: Iterable[Path]) -> int:
    """Print the table of each file, and return the exit code."""
    for path in files:
        try:
            recorded = json.loads(path.read_text(encoding="utf-8"))
            text = "\n".join(lines(benches, recorded, terminal_width()))
        except OSError as error:
            print(f"{command}: {path}: {error.strerror}", file=sys.stderr)
            return 2
        except Misuse as error:
            print(f"{command}: {path}: {error}", file=sys.stderr)
            return 2
        except (ValueError, LookupError, TypeError, ArithmeticError):
            print(f"{command}: {path} is not an output of --json", file=sys.stderr)
            return 2
        print(f"{text}\n")
    return 0


def lines(
    benches: Sequence[Bench], recorded: dict[str, Any], width: int | None = None
) -> list[str]:
    """One line about the machine, and the table: Markdown, or columns for a terminal of `width`."""
    known = {bench.name: bench for bench in benches}
    if (name := recorded["bench"]) not in known:
        raise Misuse(f"unknown bench {name!r}; expected one of {', '.join(map(repr, known))}")
    bench = known[name]
    on, top = recorded["machine"], Roofline(**recorded["roofline"])
    versions = ", ".join(f"{name} {v}" for name, v in on["packages"].items() if v is not None)
    where = on["processor"] if on["device"].startswith("cpu") else on["device"]
    first = (
        f"`{bench.command}`: {where}, {on['cores']} cores, {recorded['dtype']}, "
        f"{recorded['rounds']} rounds; a matrix product {top.flop_per_second / 1e9:,.0f} GFLOP/s; "
        f"commit {(on['commit'] or 'unknown')[:7]}, {versions}"
    )
    rows = [bench.row(**row) for row in recorded["rows"]]
    return [
        first if width is None else fill(first, width),
        "",
        *table(bench, rows, top, width),
        *(bench.foot(rows, width) if bench.foot and rows else ()),
    ]
