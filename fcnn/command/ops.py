"""fcnn ops: every operator, as a Markdown table."""

import inspect
import itertools
import re

from fcnn import ops
from fcnn.ops import OPS, Op


def add_to(tools) -> None:
    tool = tools.add_parser("ops", help="list every operator, as a Markdown table")
    tool.set_defaults(run=run)


def run(_) -> int:
    print("\n".join([*table(), "", *departures()]))
    return 0


def table() -> list[str]:
    """Every operator by family: its name, what it does, and its implementations."""
    lines = ["| operator | what it does | implementations |", "|---|---|---|"]
    for family, members in itertools.groupby(OPS, family_of):
        lines.append(f"| **{family}** | | |")
        lines += (
            f"| `{op.name}` | {purpose(op)} | {', '.join(op.impls) or '–'} |" for op in members
        )
    return lines


def departures() -> list[str]:
    """Where PyTorch gives something else, and what parity compares with there."""
    why = {op.departs: [f"`{o.name}`" for o in OPS if o.departs == op.departs] for op in OPS}
    lines = [f"- {', '.join(names)}: {departs}" for departs, names in why.items() if departs]
    return ["Where PyTorch departs from these, and what parity compares with there:", "", *lines]


def family_of(op: Op) -> str:
    """What the folder, or else the page, of an operator opens with, up to the first stop."""
    page = op.forward.__module__.removeprefix("fcnn.ops.").split(".")[0]
    return re.split("[:.]", inspect.getdoc(getattr(ops, page)) or "", maxsplit=1)[0]


def purpose(op: Op) -> str:
    """The first sentence of its docstring."""
    first = (op.__doc__ or "").strip().splitlines()[0]
    return first.partition(" Source:")[0].rstrip(".").replace("|", "\\|")
