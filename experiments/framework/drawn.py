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
LINE = 1.3  # height of a line of the title, relative to the size of its text
HEAD, BACK = "fcnn-title", "fcnn-background"  # ids in the SVG


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
    above, svg, png = _titled(figure, title), io.StringIO(), io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(svg, format="svg", metadata=nothing)
    figure.savefig(png, format="png", dpi=200)
    run.save(f"{name}.svg", svg.getvalue())
    run.save(f"{name}.png", png.getvalue())
    inline = _inline(name, svg.getvalue(), caption, above)
    return Figure(name, title or name, inline, caption, numbers(figure))


def _titled(figure, title) -> float:
    """Add space with the title above a figure, and lay it out once; the space, in points."""
    size, lines = STYLE["axes.titlesize"], textwrap.wrap(title, TITLE)
    above = LINE * size * (len(lines) + 0.5)
    width, height = figure.get_size_inches()
    whole = height + above / 72
    figure.set_size_inches(width, whole)
    at = {"x": 0.02, "y": 1 - LINE * size / 2 / 72 / whole, "ha": "left", "va": "top"}
    head = figure.suptitle("\n".join(lines), **at, size=size, linespacing=LINE, parse_math=False)
    head.set_in_layout(False)
    head.set_gid(HEAD)
    figure.patch.set_gid(BACK)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, height / whole))
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    return above


def _inline(name: str, svg: str, caption: str, above: float) -> str:
    """The <svg> element without title and background, with a label.

    Colours follow the page, and ids are unique there.
    """
    svg = followed(svg[svg.index("<svg") :])
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would style the page
    svg = re.sub(rf'<g id="({HEAD}|{BACK})">.*?</g>', "", svg, flags=re.DOTALL)

    def cropped(found: re.Match[str]) -> str:
        width, height = float(found[1]), float(found[2]) - above
        return f'height="{height:g}pt" viewBox="0 {above:g} {width:g} {height:g}"'

    svg = re.sub(r'height="\S+" viewBox="0 0 (\S+) (\S+)"', cropped, svg, count=1)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
