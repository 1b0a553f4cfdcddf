"""fcnn bench: how fast is this, here? One module for each thing that can be measured.

Each is a `Bench`: what there is to measure, how one of these is measured, and how the row that this
gives is told. Rows are printed as they come; as JSON, they can be kept and told again.
"""

from fcnn.cli.bench import networks, operators, peers, recorded, tune
from fcnn.cli.bench.bench import add

BENCHES = (operators.BENCH, networks.BENCH, peers.BENCH, tune.BENCH)


def add_to(tools) -> None:
    tool = tools.add_parser("bench", help="measure speed on this machine")
    what = tool.add_subparsers(dest="what", required=True, metavar="WHAT")
    for bench in BENCHES:
        add(what, bench)
    recorded.add_to(what, BENCHES)
