"""Train steps of nine networks in fcnn, flax, haiku, equinox, keras and torch.

The libraries train the same network on the same examples, and take turns in every round. This
experiment makes no claim. Its table has medians and speedups.

Command: python -m experiments speed
Result:  experiments/results/speed/cpu_peers.json, which --table prints.
"""

from pathlib import Path

from experiments.speed.train_steps import BENCH
from fcnn.cli.bench.bench import add_options
from fcnn.cli.bench.recorded import print_tables
from fcnn.cli.output import Parser, exit_code

TITLE = "Train steps in fcnn and other libraries, timed in turn"


def main(arguments: list[str]) -> int:
    parser = Parser(prog=BENCH.command)
    add_options(parser, BENCH)
    parser.add_argument(
        "--table",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="print the tables of results that --json recorded, and measure nothing",
    )
    chosen = parser.parse_args(arguments)
    if chosen.table:
        run = lambda: print_tables(f"{BENCH.command} --table", [BENCH], chosen.table)
    else:
        run = lambda: chosen.run(chosen)
    return exit_code(BENCH.command, run)
