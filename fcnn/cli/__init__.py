"""Level 6: the `fcnn` command. One module per tool."""

import platform
from importlib.metadata import version

from fcnn import installation
from fcnn.cli import bench, check, evaluate, ops, predict, train, verify
from fcnn.cli.output import Parser, exit_code

TOOLS = (ops, check, bench, train, evaluate, predict, verify)


def main(arguments: list[str] | None = None) -> int:
    """Run the tool that `arguments` name, and return the exit code."""
    parser = Parser(
        prog="fcnn", description="List operators, check gradients, measure speed, train."
    )
    parser.add_argument("--version", action="version", version=versions())
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for tool in TOOLS:
        tool.add_to(tools)
    chosen = parser.parse_args(arguments)
    return exit_code("fcnn", lambda: chosen.run(chosen))


def versions() -> str:
    """Versions of fcnn, jax, jaxlib and Python, for a bug report."""
    others = f"jax {version('jax')}, jaxlib {version('jaxlib')}"
    return f"fcnn {installation.version()} ({others}, Python {platform.python_version()})"
