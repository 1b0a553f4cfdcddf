"""Speed of fcnn beside other libraries and beside XLA's own convolution.

steps     train steps of nine networks in fcnn, flax, haiku, equinox, keras and torch
shapes    convolutions of real networks, against lax
loops     convolutions inside a compiled loop, against lax
judging   convolutions drawn from a distribution with a new seed, against lax: totals
table     nothing: prints recorded results

This experiment makes no claim. Its tables have medians and speedups.

Command: python -m experiments speed [KIND]; without KIND all of them
Results: experiments/results/speed/
"""

from experiments.speed.shapes import JUDGING, LOOPS, SHAPES
from experiments.speed.train_steps import BENCH as STEPS
from fcnn.cli.bench import recorded
from fcnn.cli.bench.bench import add_options
from fcnn.cli.output import Parser, exit_code

TITLE = "Train steps and convolutions in fcnn and other libraries, timed in turn"
COMMAND = "python -m experiments speed"
BENCHES = (STEPS, SHAPES, LOOPS, JUDGING)


def main(arguments: list[str]) -> int:
    if not arguments:
        return _all()
    parser = Parser(prog=COMMAND, description="Without KIND: all measurements, one after another.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for bench in BENCHES:
        add_options(kinds.add_parser(bench.name, help=bench.help), bench)
    recorded.add_to(kinds, BENCHES, COMMAND)
    chosen = parser.parse_args(arguments)
    return exit_code(f"{COMMAND} {chosen.kind}", lambda: chosen.run(chosen))


def _all() -> int:
    """Measure every kind with default options, until an interrupt: the largest exit code."""
    codes = []
    for bench in BENCHES:
        print(f"\n{bench.command}\n", flush=True)
        codes.append(main([bench.name]))
        if codes[-1] > 2:  # interrupted, or standard output is closed
            break
    return max(codes)
