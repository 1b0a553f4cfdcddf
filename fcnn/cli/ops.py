"""fcnn ops: every operator, as a table: Markdown, or columns that fit the terminal."""

import inspect
import itertools
import re
from collections.abc import Callable
from textwrap import fill

from fcnn import ops
from fcnn.cli.table import aligned, fitted, markdown, terminal_width
from fcnn.ops import OPS, Op


def add_to(tools) -> None:
    tool = tools.add_parser("ops", help="list every operator")
    tool.set_defaults(run=run)


def run(_) -> int:
    width = terminal_width()
    print("\n".join([*table(), "", *departures()] if width is None else listed(width)))
    return 0


def listed(width: int) -> list[str]:
    """What `table` and `departures` tell, for a terminal of `width` columns."""
    either = lambda op: f"; impl: {served_by(op)}" if op.impls else ""
    rows = [(op.name, f"{purpose(op)}{either(op)}") for op in OPS]
    columns = fitted(("", ""), rows, width)
    by_family = lambda member: family_of(member[0])
    lines = []
    for family, members in itertools.groupby(zip(OPS, rows, strict=True), by_family):
        lines += ["", family, "-" * len(family)]
        lines += [line for _, row in members for line in aligned(row, columns, numbers=False)]
    notes = [fill(line.replace("`", ""), width, subsequent_indent="  ") for line in departures()]
    return [*lines[1:], "", *notes]


def table(name: Callable[[Op], str] = lambda op: f"`{op.name}`") -> list[str]:
    """Every operator by family: its `name`, what it does, and its implementations."""
    lines = ["| operator | what it does | implementations |", "|---|---|---|"]
    for family, members in itertools.groupby(OPS, family_of):
        lines.append(f"| **{family}** | | |")
        lines += (
            markdown((name(op), purpose(op).replace("|", "\\|"), served_by(op))) for op in members
        )
    return lines


def departures() -> list[str]:
    """Where PyTorch's function differs, and what the parity tests compare with."""
    names: dict[str, list[str]] = {}
    for op in OPS:
        if op.torch_difference:
            names.setdefault(op.torch_difference, []).append(f"`{op.name}`")
    lines = [f"- {', '.join(ops)}: {difference}" for difference, ops in names.items()]
    return ["Differences from PyTorch, and what the parity tests compare with:", "", *lines]


def family_of(op: Op) -> str:
    """What the folder, or else the page, of an operator opens with, up to the first stop."""
    page = op.forward.__module__.removeprefix("fcnn.ops.").split(".")[0]
    return re.split("[:.]", inspect.getdoc(getattr(ops, page)) or "", maxsplit=1)[0]


def purpose(op: Op) -> str:
    """The first sentence of its docstring."""
    first = (op.__doc__ or "").strip().splitlines()[0]
    return first.partition(" Source:")[0].rstrip(".")


def served_by(op: Op) -> str:
    """Its implementations."""
    return ", ".join(op.impls) or "–"
