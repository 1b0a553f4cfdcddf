"""Figures as SVG and PNG. A figure that cannot be drawn stops no other output."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from experiments.framework.report import Figure
from experiments.framework.run import Run

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fcnn",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e6e9ed",
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
}


def draw(
    run: Run, plots: Mapping[str, Callable[[Any, Any], str | None]], measured: Any
) -> tuple[list[Figure], list[str]]:
    """Save each figure, and return the saved figures and an error message for each failure.

    A plot draws on matplotlib's axes and returns the caption, or None without data.
    """
    if not plots:
        return [], []
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    drawn, failures = [], []
    with plt.style.context(STYLE):
        for name, plot in plots.items():
            try:
                figure, axes = plt.subplots(figsize=(7.2, 4.2))
                if caption := plot(axes, measured):
                    drawn.append(_saved(run, figure, name, caption))
            except Exception as error:
                why = " ".join(str(error).split())
                failures.append(f"figure {name}: {type(error).__name__}: {why}")
            finally:
                plt.close("all")
    return drawn, failures


def _saved(run, figure, name, caption):
    svg, png = io.StringIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.savefig(png, format="png", dpi=160)
    run.save(f"{name}.svg", svg.getvalue())
    run.save(f"{name}.png", png.getvalue())
    return Figure(name, svg.getvalue(), caption)
