"""Level 6: the `fcnn` command: one module for each tool."""

import errno
import sys

from fcnn.cli import bench, check, ops
from fcnn.cli.output import Parser, discard_rest

TOOLS = (ops, check, bench)


def main(arguments: list[str] | None = None) -> int:
    """Run the tool that `arguments` name; the exit code.

    1 if standard output is closed early, as `head` does; 2 if its disk is full; 130 at Ctrl-C.
    """
    parser = Parser(prog="fcnn", description="Tools of the fcnn library.")
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for tool in TOOLS:
        tool.add_to(tools)
    chosen = parser.parse_args(arguments)
    try:
        code = chosen.run(chosen)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        discard_rest()
        return 1
    except OSError as full:
        if full.errno != errno.ENOSPC:
            raise
        discard_rest()
        print(f"fcnn: standard output: {full.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fcnn: interrupted", file=sys.stderr)
        return 130
