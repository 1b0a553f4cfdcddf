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

import datetime
import sys
from pathlib import Path

from experiments.framework import interrupt
from experiments.framework.exit_codes import worst
from experiments.framework.experiment import Command
from experiments.speed.shapes import JUDGING, LOOPS, SHAPES
from experiments.speed.train_steps import BENCH as STEPS
from fcnn.cli.bench import recorded
from fcnn.cli.bench.bench import add_options
from fcnn.cli.output import Parser, exit_code

COMMAND = "python -m experiments speed"
BENCHES = (STEPS, SHAPES, LOOPS, JUDGING)
EXIT = "Exit code: 0; 2 for misuse or a file that cannot be written, 130 or 143 if interrupted."
SMOKE = (  # the smallest train step, in fcnn alone, and the smallest sum
    ("steps", "mlp", "--rounds", "1"),
    ("shapes", "lenet-2-14x14x6-forward", "--rounds", "2"),
)


def main(arguments: list[str]) -> int:
    parser = Parser(
        prog=COMMAND,
        description=f"Without KIND: all measurements, one after another. {EXIT}",
    )
    parser.add_argument("--smoke", action="store_true", help="time two small items in seconds")
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="without KIND: write DIR/speed/TIME/KIND.json (default: write nothing)",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND")
    for bench in BENCHES:
        add_options(kinds.add_parser(bench.name, help=bench.help, epilog=EXIT), bench)
    recorded.add_to(kinds, BENCHES, COMMAND)
    chosen = parser.parse_args(arguments)
    if chosen.kind:
        if chosen.smoke or chosen.output_dir:
            parser.error("--smoke and --output-dir go without KIND; write --json FILE.json")
        return _one(chosen)
    try:
        json = _json_options(chosen.output_dir)
    except OSError as error:
        print(f"{COMMAND}: --output-dir {chosen.output_dir}: {error.strerror}", file=sys.stderr)
        return 2
    words = SMOKE if chosen.smoke else [(bench.name,) for bench in BENCHES]
    codes = []
    for line in words:
        each = parser.parse_args([*line, *json(line[0])])
        if chosen.smoke:
            each.libraries = []
        print(f"\n{COMMAND} {' '.join(line)}\n", flush=True)
        codes.append(_one(each))
        if codes[-1] > 3:  # interrupted, or standard output is closed
            break
    return worst(codes)


def _one(chosen) -> int:
    """Measure one kind: 143 instead of 130 if the signal was SIGTERM."""
    code = exit_code(f"{COMMAND} {chosen.kind}", lambda: chosen.run(chosen))
    return interrupt.exit_code() or code if code == 130 else code


def _json_options(output_dir: Path | None):
    """A function for the options that save the results of a kind in a new folder."""
    if output_dir is None:
        return lambda kind: ()
    time = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = output_dir / "speed" / time
    folder.mkdir(parents=True, exist_ok=True)
    return lambda kind: ("--json", str(folder / f"{kind}.json"))


EXPERIMENT = Command(
    name="speed",
    title="Train steps and convolutions in fcnn and other libraries, timed in turn",
    command=main,
)
