"""The `fcnn` command, also `python -m fcnn`: the library's tools."""

import argparse
import sys

from fcnn.ops import OPS, Op


def main(arguments: list[str] | None = None) -> int:
    """Run the tool that `arguments` name; the exit code."""
    parser = argparse.ArgumentParser(prog="fcnn", description="Tools of the fcnn library.")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    tools.add_parser("ops", help="list every operator, as a Markdown table")
    parser.parse_args(arguments)
    print("\n".join(table()))
    return 0


def table() -> list[str]:
    """Every operator: its name, what it does, and its implementations."""
    head = ["| operator | what it does | implementations |", "|---|---|---|"]
    return head + [f"| `{op.name}` | {purpose(op)} | {', '.join(op.impls) or '–'} |" for op in OPS]


def purpose(op: Op) -> str:
    """The first sentence of its docstring."""
    first = (op.__doc__ or "").strip().splitlines()[0]
    return first.partition(" Source:")[0].rstrip(".").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
