"""Generate the picture and the tables of README.md and docs/, from the code and kept results.

    python -m docs.generate

draws the pictures of docs/, and writes experiments/results/README.md and every block between
`<!-- NAME -->` and `<!-- /NAME -->`. A test fails if one differs from what this module generates.
Needs the `experiments` extra.
"""

import json
import re
import sys
from functools import partial
from os.path import relpath
from pathlib import Path
from statistics import mean, median

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from experiments import NAMES
from experiments.__main__ import load
from experiments.checkers import EXPERIMENT as CHECKERS
from experiments.checkers.tables import by_column, by_kind, by_trap, columns, judged, side_by_side
from experiments.faults import EXPERIMENT as FAULTS
from experiments.faults.results import messages
from experiments.fc_vs_conv import EXPERIMENT as FC_VS_CONV
from experiments.fc_vs_conv.figures import by_shift as drawn_by_shift
from experiments.fc_vs_conv.output import tables as network_tables
from experiments.framework import verdict_table
from experiments.framework.figures import SIZE, STYLE
from experiments.framework.judging import judge_again
from experiments.speed import BENCHES as SPEED, shapes
from fcnn.cli.bench import BENCHES
from fcnn.cli.bench.recorded import lines
from fcnn.cli.ops import departures, table
from fcnn.cli.table import markdown as markdown_table

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
RUNGS = {  # the stages of each network, then its head
    "dense": "dense dense dense dense",
    "conv1": "conv dense dense dense",
    "conv2": "conv conv dense dense",
    "conv3": "conv conv conv dense",
    "conv3-gap": "conv conv conv mean",
}
COLOURS = {"dense": "#f2c879", "conv": "#8fb8de", "mean": "#b7d7b0"}
BOX = 0.86  # width of a box, relative to the distance between the centres of adjacent boxes


def results(name: str) -> dict:
    """The kept result experiments/results/NAME.json."""
    return json.loads((ROOT / f"experiments/results/{name}.json").read_text(encoding="utf-8"))


def accuracies() -> dict[str, tuple[float, float]]:
    """Mean test accuracies of each network in percent: on plain and on shifted images."""
    networks = results("fc_vs_conv/mnist")["networks"]
    return {
        name: (100 * mean(found["test"]), 100 * mean(found["shifted"]["4"]))
        for name, found in networks.items()
    }


def ladder() -> Figure:
    """The networks as rows of boxes, beside their accuracies."""
    figure = Figure((4.5, 3.1), dpi=200, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1.95, 7.8), ylim=(5.15, -1.15))
    axes.axis("off")
    for x, title in (
        (1.9, "three stages and a head"),
        (5.3, "test\naccuracy"),
        (6.95, "shifted\n4 pixels"),
    ):
        axes.text(x, -0.72, title, ha="center", va="center", fontsize=9, color="#333333")
    found, seeds = accuracies(), results("fc_vs_conv/mnist")["config"]["seeds"]
    for y, (name, stages) in enumerate(RUNGS.items()):
        axes.text(-0.2, y, name, ha="right", va="center", fontsize=9.5, family="monospace")
        for x, stage in enumerate(stages.split()):
            corner = (x + (1 - BOX) / 2, y - 0.34)
            axes.add_patch(
                FancyBboxPatch(
                    corner,
                    BOX,
                    0.68,
                    "round,pad=0,rounding_size=0.12",
                    fc=COLOURS[stage],
                    ec="#555555",
                    lw=0.7,
                )
            )
            axes.text(x + 0.5, y, stage, ha="center", va="center", fontsize=9)
        plain, shifted = found[name]
        best = max(found.values())[0] == plain
        weight = "bold" if best else "normal"
        axes.text(5.3, y, f"{plain:.1f} %", ha="center", va="center", fontsize=10, weight=weight)
        axes.text(6.95, y, f"{shifted:.1f} %", ha="center", va="center", fontsize=10)
    axes.text(
        3.1,
        4.85,
        f"MNIST, about 55,000 parameters each, n = {seeds}",
        ha="center",
        va="center",
        fontsize=8,
        color="#555555",
    )
    return figure


def by_shift() -> Figure:
    """Accuracy lost on MNIST by shift, as the report of a run draws it."""
    with matplotlib.style.context(STYLE):
        figure = Figure(SIZE, dpi=200, facecolor="white")
        drawn_by_shift(figure.subplots(), FC_VS_CONV.read(results("fc_vs_conv/mnist")))
        figure.draw_without_rendering()  # places the labels in the style of reports
    return figure


def by_shift_caption() -> str:
    found = FC_VS_CONV.read(results("fc_vs_conv/mnist"))
    caption = drawn_by_shift(Figure().subplots(), found)
    return f"![{caption}](by-shift.png)\n\n*MNIST: {caption[0].lower()}{caption[1:]}*"


def train_steps() -> str:
    """Milliseconds of a train step in fcnn, and times of other libraries relative to fcnn's."""
    recorded = results("speed/cpu_peers")
    machine, packages = recorded["machine"], recorded["machine"]["packages"]
    caption = (
        f"Train steps (forward, backward, Adam), medians of {recorded['rounds']} rounds, "
        f"{machine['processor']}, {machine['cores']} cores, {recorded['dtype']}, "
        f"jax {packages['jax']}, torch {packages['torch']}. Above 1, fcnn is faster."
    )
    rows = []
    for row in recorded["rows"]:
        ratios = row["times_faster_on_jax"], row["times_faster_than_torch"]
        fcnn = f"{1e3 * median(row['steps']['fcnn']):.1f}"
        rows.append((row["title"], fcnn, *(f"{r:.2f}" for r in ratios)))
    head = ("train step", "fcnn, ms", "fastest other on JAX / fcnn", "torch / fcnn")
    return "\n".join([caption, "", *markdown_table(head, rows)])


def operators() -> str:
    """All operators by family, each with a link to its page of mathematics."""

    def link(op):
        page = sys.modules[op.forward.__module__].__file__
        return f"[`{op.name}`]({relpath(page, ROOT / 'docs')})"

    return "\n".join([*table(link), "", *departures()])


def checkers(part: str) -> str:
    recorded = results("checkers/checkers")
    if part == "columns":
        return by_column(columns(recorded), recorded["dropped"]).markdown()
    if part == "claims":
        return verdicts(CHECKERS, recorded)
    mutants, correct = judged(recorded)
    tables = {"checkers": side_by_side(mutants, correct), "kinds": by_kind(mutants)}
    return (tables | {"traps": by_trap(correct)})[part].markdown()


def bench(name: str) -> str:
    return "\n".join(lines((*BENCHES, *SPEED), results(f"speed/{name}")))


def convolutions(name: str) -> str:
    """Totals of convolutions against lax, and the sums that are slower than lax."""
    recorded = results(f"speed/{name}")
    caption, *_ = lines(SPEED, recorded)
    rows = [shapes.Row(**row) for row in recorded["rows"]]
    slower = [shapes.SHAPES.cells(row, None) for row in rows if row.slower]
    table = ["", "Slower than lax:", "", *markdown_table(shapes.HEAD, slower, left=2)]
    return "\n".join([caption, *shapes.totals_table(rows, None), *(table if slower else ())])


def faults() -> str:
    """Device and minutes, the tables of faults, and the verdicts."""
    recorded = results("faults/faults")
    machine, m = recorded["environment"], FAULTS.read(recorded)
    caption = (
        f"{machine['processor']}, {machine['cores']} cores, jax {machine['packages']['jax']}, "
        f"{recorded['config']['jobs']} processes at a time, {recorded['minutes']:.0f} minutes, "
        f"seed {recorded['config']['seed']}."
    )
    tables = [table.markdown() for table in FAULTS.tables(m)]
    ends = "\n".join(markdown_table(*messages(m)[:2], left=3))
    return "\n\n".join([caption, *tables, ends, verdicts(FAULTS, recorded)])


def networks(name: str) -> str:
    """The seeds, device and minutes of fc_vs_conv on a data set, its tables, and its verdicts."""
    kept = results(f"fc_vs_conv/{name}")
    machine, config = kept["environment"], kept["config"]
    caption = (
        f"{config['seeds']} seeds, {config['epochs']} epochs, images shifted by {config['shift']} "
        f"pixels; {machine['processor']}, {machine['cores']} cores, jax "
        f"{machine['packages']['jax']}, float32, {kept['minutes']:.1f} minutes."
    )
    tables = network_tables(FC_VS_CONV.read(kept).networks)
    parts = [caption, *(table.markdown() for table in tables), verdicts(FC_VS_CONV, kept)]
    return "\n\n".join(parts)


def verdicts(experiment, kept: dict) -> str:
    """The verdicts on a kept result, by today's rule and record."""
    found, _ = judge_again(experiment, kept)
    return "\n".join(f"- **{v.verdict}**: {v.text} ({v.measure}: {v.evidence})" for v in found)


BLOCKS = {
    "train steps": train_steps,
    "operators": operators,
    **{
        name: partial(checkers, name)
        for name in ("checkers", "kinds", "traps", "columns", "claims")
    },
    **{
        name: partial(bench, name) for name in ("cpu_peers", "h200_peers", "cpu_judging", "cpu_ops")
    },
    **{name: partial(convolutions, name) for name in ("cpu_shapes", "cpu_loops")},
    **{name: partial(networks, name) for name in ("digits", "mnist", "fashion_mnist", "cifar10")},
    "by shift": by_shift_caption,
    "faults": faults,
}


PICTURES = {"docs/ladder.png": ladder, "docs/by-shift.png": by_shift}


def generated(text: str) -> str:
    """`text` with every block generated again."""
    block = r"<!-- ([\w ]+) -->\n.*?<!-- /\1 -->"
    new = lambda match: f"<!-- {match[1]} -->\n{BLOCKS[match[1]]()}\n<!-- /{match[1]} -->"
    return re.sub(block, new, text, flags=re.DOTALL)


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().savefig(ROOT / name, metadata={"Software": None})
    for page in PAGES:
        page.write_text(generated(page.read_text(encoding="utf-8")), encoding="utf-8")
    verdict_table.write([*map(load, NAMES)])
