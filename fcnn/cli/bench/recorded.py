"""fcnn bench table: what was kept as JSON, as the tables it was."""

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

from fcnn.bench import Roofline
from fcnn.cli.bench.bench import Bench, table
from fcnn.cli.table import terminal_width


def add_to(what, benches: Sequence[Bench]) -> None:
    tool = what.add_parser(
        "table",
        help="tables of kept results",
        description="Print the tables of results that --json kept.",
    )
    tool.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what --json printed")
    tool.set_defaults(run=partial(run, benches))


def run(benches: Sequence[Bench], chosen) -> int:
    for path in chosen.files:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            text = "\n".join(lines(benches, told, terminal_width()))
        except OSError as why:
            print(f"fcnn bench: {path}: {why.strerror}", file=sys.stderr)
            return 2
        except (ValueError, LookupError, TypeError, ArithmeticError):
            print(f"fcnn bench: {path} is not what fcnn bench --json printed", file=sys.stderr)
            return 2
        print(f"{text}\n")
    return 0


def lines(benches: Sequence[Bench], told: dict[str, Any], width: int | None = None) -> list[str]:
    """What was measured, on what, and the table, as `fcnn.cli.table` has it."""
    (bench,) = [bench for bench in benches if bench.name == told["bench"]]
    on, top = told["machine"], Roofline(**told["roofline"])
    versions = ", ".join(f"{name} {v}" for name, v in on["packages"].items() if v is not None)
    where = on["processor"] if on["device"].startswith("cpu") else on["device"]
    first = (
        f"`fcnn bench {bench.name}`: {where}, {on['cores']} cores, {told['dtype']}, "
        f"{told['rounds']} rounds; a matrix product {top.flop_per_second / 1e9:,.0f} GFLOP/s; "
        f"commit {(on['commit'] or 'unknown')[:7]}, {versions}"
    )
    rows = [bench.row(**row) for row in told["rows"]]
    return [
        first if width is None else fill(first, width),
        "",
        *table(bench, rows, top, width),
    ]
