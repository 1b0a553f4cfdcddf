"""Level 6: the `fcnn` command: one module for each tool."""

import argparse

from fcnn.command import bench, check, ops

TOOLS = (ops, check, bench)


def main(arguments: list[str] | None = None) -> int:
    """Run the tool that `arguments` name; the exit code."""
    parser = argparse.ArgumentParser(prog="fcnn", description="Tools of the fcnn library.")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for tool in TOOLS:
        tool.add_to(tools)
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)
