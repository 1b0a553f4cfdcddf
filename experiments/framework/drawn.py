"""Figures of a run as files, and as inline SVG for its report.

A figure that cannot be drawn stops no other output.
"""

import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from experiments.framework.figures import SIZE, STYLE
from experiments.framework.palette import followed
from experiments.framework.run import Run
from experiments.framework.table import Table

TITLE = 46  # characters of a line of the title


@dataclass(frozen=True)
class Figure:
    """A figure for the page. The page shows its title, and the numbers that are drawn."""

    name: str
    title: str
    svg: str
    caption: str
    numbers: Sequence[Table]


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
                figure, axes = plt.subplots(figsize=SIZE)
                if caption := plot(axes, measured):
                    drawn.append(_saved(run, figure, axes, name, caption))
            except Exception as error:
                why = " ".join(str(error).split())
                failures.append(f"figure {name}: {type(error).__name__}: {why}")
            finally:
                plt.close("all")
    return drawn, failures


def _saved(run, figure, axes, name, caption):
    from experiments.framework.drawn_numbers import numbers

    title = " ".join(axes.get_title("left").split())
    axes.set_title("")
    table = numbers(figure)
    svg = _inline(name, _svg(_laid_out(figure), transparent=True), caption)
    axes.set_title(textwrap.fill(title, TITLE))
    png = io.BytesIO()
    run.save(f"{name}.svg", _svg(_laid_out(figure)))
    figure.savefig(png, format="png", dpi=200)
    run.save(f"{name}.png", png.getvalue())
    return Figure(name, title or name, svg, caption, table)


def _laid_out(figure):
    """The figure, whose layout is computed once, and not again each time that it is saved."""
    figure.set_layout_engine("constrained")
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    return figure


def _svg(figure, transparent=False) -> str:
    text, nothing = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", metadata=nothing, transparent=transparent)
    return text.getvalue()


def _inline(name: str, svg: str, caption: str) -> str:
    """The <svg> element with a label; colours follow the page, and ids are unique there."""
    svg = followed(svg[svg.index("<svg") :])
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would style the page
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
