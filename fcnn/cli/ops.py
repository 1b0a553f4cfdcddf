"""fcnn ops: a table of all operators: Markdown, or columns that fit the terminal."""

import inspect
import itertools
import re
from collections.abc import Callable
from textwrap import fill

from fcnn import ops
from fcnn.cli.table import aligned, fitted, markdown, terminal_width
from fcnn.ops import OPS, Op


def add_to(tools) -> None:
    tool = tools.add_parser(
        "ops",
        help="list every operator",
        description="List every operator by family, with its purpose and its implementations, and "
        "the differences from PyTorch.",
    )
    tool.set_defaults(run=run)


def run(_) -> int:
    width = terminal_width()
    print("\n".join([*table(), "", *departures()] if width is None else listed(width)))
    return 0


def listed(width: int) -> list[str]:
    """The content of `table` and `departures` for a terminal of `width` columns."""
    either = lambda op: f"; impl: {served_by(op)}" if op.impls else ""
    rows = [(op.name, f"{purpose(op)}{either(op)}") for op in OPS]
    columns = fitted(("", ""), rows, width)
    by_family = lambda member: family_of(member[0])
    lines = []
    for family, members in itertools.groupby(zip(OPS, rows, strict=True), by_family):
        lines += ["", family, "-" * len(family)]
        lines += [line for _, row in members for line in aligned(row, columns, left=2)]
    notes = [fill(line.replace("`", ""), width, subsequent_indent="  ") for line in departures()]
    return [*lines[1:], "", *notes]


def table(name: Callable[[Op], str] = lambda op: f"`{op.name}`") -> list[str]:
    """Every operator by family: its `name`, what it does, and its implementations."""
    rows = []
    for family, members in itertools.groupby(OPS, family_of):
        rows.append((f"**{family}**", "", ""))
        rows += [(name(op), purpose(op).replace("|", "\\|"), served_by(op)) for op in members]
    return [*markdown(("operator", "what it does", "implementations"), rows, left=3)]


def departures() -> list[str]:
    """Differences from PyTorch, and the references of the parity tests."""
    names: dict[str, list[str]] = {}
    for op in OPS:
        if op.torch_difference:
            names.setdefault(op.torch_difference, []).append(f"`{op.name}`")
    lines = [f"- {', '.join(ops)}: {difference}" for difference, ops in names.items()]
    return ["Differences from PyTorch, and what the parity tests compare with:", "", *lines]


def family_of(op: Op) -> str:
    """The family of an operator: the first phrase of its package's, or module's, docstring."""
    page = op.forward.__module__.removeprefix("fcnn.ops.").split(".")[0]
    return re.split("[:.]", inspect.getdoc(getattr(ops, page)) or "", maxsplit=1)[0]


def purpose(op: Op) -> str:
    """The first sentence of the operator's docstring."""
    first = (op.__doc__ or "").strip().splitlines()[0]
    return first.partition(" Source:")[0].rstrip(".")


def served_by(op: Op) -> str:
    """The operator's implementations."""
    return ", ".join(op.impls) or "–"
