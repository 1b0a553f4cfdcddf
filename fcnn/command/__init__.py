"""Level 6: the `fcnn` command: one module for each tool."""

import argparse
import os
import sys

from fcnn.command import bench, check, ops

TOOLS = (ops, check, bench)


def main(arguments: list[str] | None = None) -> int:
    """Run the tool that `arguments` name; the exit code.

    1 if whoever reads the output stops reading, as `head` does; 130 at Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="fcnn", description="Tools of the fcnn library.")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for tool in TOOLS:
        tool.add_to(tools)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
        return 1
    except KeyboardInterrupt:
        print("fcnn: interrupted", file=sys.stderr)
        return 130
