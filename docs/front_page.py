"""What the README shows of kept results: the picture of the networks, and the table of speed.

    python docs/front_page.py

writes docs/ladder.png and the table in README.md. Needs the `experiments` extra.
"""

import json
import re
from pathlib import Path
from statistics import mean, median

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments/results"
RUNGS = {  # the stages of each network, then its head
    "dense": "dense dense dense dense",
    "conv1": "conv dense dense dense",
    "conv2": "conv conv dense dense",
    "conv3": "conv conv conv dense",
    "conv3-gap": "conv conv conv mean",
}
COLOURS = {"dense": "#f2c879", "conv": "#8fb8de", "mean": "#b7d7b0"}
BOX = 0.86  # of the distance between two boxes


def accuracies() -> dict[str, tuple[float, float]]:
    """Mean test accuracy in percent, plain and shifted by 4 pixels, of each network."""
    networks = _read("fc_vs_conv/mnist.json")["networks"]
    return {
        name: (100 * mean(found["test"]), 100 * mean(found["shifted"]["4"]))
        for name, found in networks.items()
    }


def ladder() -> Figure:
    """The networks as rows of boxes, beside their accuracies."""
    figure = Figure((5.2, 3.1), dpi=200, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-1.75, 7.9), ylim=(5.15, -1.15))
    axes.axis("off")
    for x, title in (
        (1.9, "three stages and a head"),
        (5.3, "test\naccuracy"),
        (6.95, "shifted\n4 pixels"),
    ):
        axes.text(x, -0.72, title, ha="center", va="center", fontsize=9, color="#333333")
    found = accuracies()
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
        "MNIST, about 55,000 parameters each, n = 3",
        ha="center",
        va="center",
        fontsize=8,
        color="#555555",
    )
    return figure


def speed_table() -> str:
    """Milliseconds of a train step in fcnn, and how many times longer other libraries take."""
    kept = _read("speed/cpu_peers.json")
    machine, packages = kept["machine"], kept["machine"]["packages"]
    lines = [
        "Train steps (forward, backward, Adam), medians of "
        f"{kept['rounds']} rounds, {machine['processor']}, {machine['cores']} cores, {kept['dtype']}, "
        f"jax {packages['jax']}, torch {packages['torch']}. Above 1, fcnn is faster.",
        "",
        "| train step | fcnn, ms | fastest other on JAX / fcnn | torch / fcnn |",
        "|---|---:|---:|---:|",
    ]
    for row in kept["rows"]:
        ratios = row["times_faster_on_jax"], row["times_faster_than_torch"]
        cells = (
            row["job"],
            f"{1e3 * median(row['steps']['fcnn']):.1f}",
            *(f"{r:.2f}" for r in ratios),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_speed_table(readme: str) -> str:
    """`readme` with the table of today's kept results between its two markers."""
    table = f"<!-- speed -->\n{speed_table()}\n<!-- /speed -->"
    return re.sub("<!-- speed -->.*<!-- /speed -->", lambda _: table, readme, flags=re.DOTALL)


def _read(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    ladder().savefig(ROOT / "docs/ladder.png", metadata={"Software": None})
    readme = ROOT / "README.md"
    readme.write_text(with_speed_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
