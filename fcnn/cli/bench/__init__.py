"""fcnn bench: speed on this machine. One module per kind of measurement.

Each kind is a `Bench`: what it can measure, how one measurement is made, and how its row is shown.
Rows are printed as they are measured. --json saves them, and `fcnn bench table` prints them again.
"""

from fcnn.cli.bench import networks, operators, recorded, tune
from fcnn.cli.bench.bench import add_options

BENCHES = (operators.BENCH, networks.BENCH, tune.BENCH)


def add_to(tools) -> None:
    tool = tools.add_parser(
        "bench",
        help="measure speed on this machine",
        description="Measure speed on this machine. `fcnn bench KIND --help` lists what each KIND "
        "measures.",
    )
    kinds = tool.add_subparsers(dest="kind", required=True, metavar="KIND")
    for bench in BENCHES:
        add_options(kinds.add_parser(bench.name, help=bench.help), bench)
    recorded.add_to(kinds, BENCHES, "fcnn bench")
