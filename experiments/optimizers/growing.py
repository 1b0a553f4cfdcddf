"""The paths of all methods over contours of x²/20 + y², growing step by step."""

from math import sqrt
from typing import Any

from experiments.framework.animation import Animation, Frame
from experiments.framework.experiment import Section
from experiments.framework.plots import colour_of
from experiments.optimizers.measure import PATHS
from experiments.optimizers.valley import STEPS, USUAL

WIDTH, COLUMNS, PANEL, HEAD, GAP = 358, 2, (172, 92), 18, 14  # in pixels
SCALE = (8.6, 13.5)  # pixels of a unit of x and y
LEVELS = (0.25, 1.0, 2.25, 4.0, 6.25)  # of f: squares of 0.5, 1, 1.5, 2 and 2.5


def sections(config: Any, m: Any) -> list[Section]:
    """The section of the report; none of a run without the paths."""
    if PATHS not in m:
        return []
    paths = {name: found["path"] for name, found in m[PATHS].items()}
    panels = {name: _corner(i) for i, name in enumerate(paths)}
    frames = [_frame(paths, panels, step) for step in range(STEPS + 1)]
    rows = -(-len(paths) // COLUMNS)
    return [
        Animation(
            id="step-by-step",
            title="Step by step through the valley",
            size=(WIDTH, rows * (HEAD + PANEL[1] + GAP) - GAP),
            frames=frames,
            background="".join(_panel(name, *corner) for name, corner in panels.items()),
            caption="Six methods on f(x, y) = x²/20 + y² from (−7, 2), each at its usual rate. The "
            "ellipses are contours of f, and the cross is its minimum. Each point is one step.",
            seconds=0.4,
        ).section()
    ]


def _corner(i: int) -> tuple[float, float]:
    row, column = divmod(i, COLUMNS)
    return column * (PANEL[0] + GAP), row * (HEAD + PANEL[1] + GAP)


def _panel(name: str, left: float, top: float) -> str:
    """Its name, and contours that end at its frame."""
    width, height = PANEL
    x, y = width / 2, height / 2
    contours = "".join(
        f'<ellipse cx="{x}" cy="{y}" rx="{SCALE[0] * sqrt(20 * level):.1f}" '
        f'ry="{SCALE[1] * sqrt(level):.1f}"/>'
        for level in LEVELS
    )
    return (
        f'<text x="{left}" y="{top + 12}">'
        f'<tspan font-weight="600">{name}</tspan>, rate {USUAL[name]:g}</text>'
        f'<svg x="{left}" y="{top + HEAD}" width="{width}" height="{height}">'
        f'<g fill="none" stroke="#d9dee4">{contours}'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}"/></g>'
        f'<path d="M{x - 4} {y}h8M{x} {y - 4}v8" stroke="#59626d"/></svg>'
    )


def _frame(paths, panels, step: int) -> Frame:
    drawn = "".join(_path(name, paths[name][: step + 1], *panels[name]) for name in paths)
    values = (f"{name} {_value(paths[name][step])}" for name in paths)
    return Frame(drawn, f"Step {step} of {STEPS}. f: {', '.join(values)}.")


def _path(name: str, points, left: float, top: float) -> str:
    width, height = PANEL
    places = [(width / 2 + SCALE[0] * x, height / 2 - SCALE[1] * y) for x, y in points]
    corners = [f"{x:.1f} {y:.1f}" for x, y in places]
    colour, (x, y) = colour_of(name), places[-1]
    dots = "".join(f"M{corner}h0" for corner in corners)
    return (
        f'<svg x="{left}" y="{top + HEAD}" width="{width}" height="{height}">'
        f'<g fill="none" stroke="{colour}" stroke-linecap="round">'
        f'<path d="M{"L".join(corners)}" stroke-width="1.5"/><path d="{dots}" stroke-width="3.6"/>'
        f'</g><circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/></svg>'
    )


def _value(point) -> str:
    x, y = point
    return f"{x**2 / 20 + y**2:.3f}"
