"""The figure of a learning curve, as SVG and HTML.

The curves are SVG that is stretched to the width of the page. Labels are HTML elements whose places
are percentages of the figure, so that text keeps its size on a narrow screen. Training is a thin
line with round dots, validation a thick dashed line with square dots. Of a long curve, the extremes
are a pale line, and means are drawn upon it.
"""

from collections.abc import Sequence
from html import escape

from fcnn.cli.train.report.axis import Axis, around, counted, decimal, logarithmic, percent
from fcnn.cli.train.report.curves import MEANS, Curve, Row, curves
from fcnn.cli.train.report.tables import is_share, measure

SIDE = 1000  # units of the SVG along each side
DOTS = 32  # a curve of at most this number of points has a dot at each
FEW = 10  # dots of a longer curve
LONG = 150  # points of a curve whose means are drawn
DECADES = 2  # a loss that spans more decades has a log axis
TICKS = 5  # intervals of the horizontal axis, which is short on a narrow screen


def figure(name: str, rows: Sequence[Row], tested: float | None = None) -> str:
    """The learning curves of one metric.

    Options:
        name: of the metric.
        rows: lines of metrics.jsonl.
        tested: the step whose parameters were tested; it is marked by a vertical line.
    """
    drawn, last = curves(rows, name), rows[-1]
    values = [value for curve in drawn for value in curve.values]
    if not values:
        return f"<figure><h3>{escape(name)}</h3><p>No value is finite.</p></figure>"
    across, down = counted(last["step"], most=TICKS, least=1), _down(name, values)
    parts = "".join(_drawn(curve, across, down) for curve in drawn)
    mark = "" if tested is None or not 0 <= tested <= across.high else _mark(across, tested)
    described = escape(". ".join([f"{name} by step", *(_course(name, c) for c in drawn)]))
    grid = "".join(f"M0 {_y(down, value)}H{SIDE}" for value, _ in down.ticks)
    log = " <small>log scale</small>" if down.log else ""
    return (
        f"<figure><h3>{escape(name)}{log}</h3>{_legend(drawn, bool(mark))}<div class='plot'>"
        f"<div class='ticks down' aria-hidden='true' style='width:{_longest(down)}ch'>"
        f"{_labels(down, 'bottom')}</div>"
        f"<svg viewBox='0 0 {SIDE} {SIDE}' preserveAspectRatio='none' role='img' "
        f"aria-label='{described}'><path class='grid' d='{grid}'/>{mark}{parts}</svg>"
        f"{_ticks('step', across)}{_epochs(last['epoch'])}</div>"
        f"<figcaption>{escape(_caption(name, drawn))}</figcaption></figure>"
    )


def _down(name: str, values: Sequence[float]) -> Axis:
    """The vertical axis: of the logarithm for a loss that spans more than two decades."""
    low, high = min(values), max(values)
    positive = [value for value in values if value > 0]
    if name == "loss" and low >= 0 and positive and high > 10**DECADES * min(positive):
        return logarithmic(min(positive), high)
    return around(low, high, percent if is_share(name, values) else decimal)


def _drawn(curve: Curve, across: Axis, down: Axis) -> str:
    """The line of a curve, with dots at all points, or at a few and at those without neighbours."""
    place = lambda point: f"{SIDE * across.at(point[0]):.1f} {_y(down, point[1])}"
    path = lambda kind, d: f"<path class='{curve.part}{kind}' d='{d}'/>" if d else ""
    line = lambda runs: "".join(f"M{'L'.join(map(place, run))}" for run in runs if len(run) > 1)
    pale = ""
    if len(curve.points) > LONG:
        pale, curve = path(" pale", line(curve.thinned().runs)), curve.means()
    runs = list(curve.runs)
    joined = [point for run in runs if len(run) > 1 for point in run]
    apart = 1 if len(joined) <= DOTS else len(joined) // FEW
    dots = [*joined[apart // 2 :: apart], *(run[0] for run in runs if len(run) == 1)]
    marks = "".join(f"M{place(point)}h0" for point in dots)
    return pale + path("", line(runs)) + path(" dot", marks)


def _mark(across: Axis, step: float) -> str:
    return f"<path class='tested' d='M{SIDE * across.at(step):.1f} 0V{SIDE}'/>"


def _y(down: Axis, value: float) -> str:
    return f"{SIDE * (1 - down.at(value)):.1f}"


def _legend(drawn: Sequence[Curve], marked: bool) -> str:
    keys = []
    for part in [*(curve.part for curve in drawn), *["tested"] * marked]:
        path = "M14 0V12" if part == "tested" else "M0 6H28"
        dot = "" if part == "tested" else f"<path class='{part} dot' d='M14 6h0'/>"
        sample = f"<svg viewBox='0 0 28 12' aria-hidden='true'><path class='{part}' d='{path}'/>"
        words = "tested step" if part == "tested" else part
        keys.append(f"<span>{sample}{dot}</svg>{words}</span>")
    return f"<p class='legend'>{''.join(keys)}</p>"


def _labels(axis: Axis, edge: str) -> str:
    return "".join(
        f"<span style='{edge}:{100 * axis.at(value):.2f}%'>{label}</span>"
        for value, label in axis.ticks
    )


def _longest(axis: Axis) -> int:
    return max((len(label) for _, label in axis.ticks), default=0)


def _ticks(name: str, axis: Axis) -> str:
    return (
        f"<div class='axis' aria-hidden='true'>{name}</div>"
        f"<div class='ticks across' aria-hidden='true'>{_labels(axis, 'left')}</div>"
    )


def _epochs(epochs: float) -> str:
    return _ticks("epoch", counted(epochs, most=TICKS)) if epochs > 0 else ""


def _course(name: str, curve: Curve) -> str:
    """The first and the last value, in words."""
    known = [(step, value) for step, value in curve.points if value is not None]
    if not known:
        return f"{curve.part}: no value is finite"
    places = [f"{measure(name, value)} at step {step:,}" for step, value in (known[0], known[-1])]
    return f"{curve.part}: from {places[0]} to {places[1]}"


def _caption(name: str, drawn: Sequence[Curve]) -> str:
    """The best value of validation, or of training without it, and what is left out."""
    curve = next((c for c in reversed(drawn) if c.values), drawn[-1])
    known = [(value, step) for step, value in curve.points if value is not None]
    which, word = known[-1], "Last"
    if name == "loss":
        which, word = min(known), "Lowest"
    elif is_share(name, curve.values):
        which, word = max(known, key=lambda each: each[0]), "Highest"
    text = f"{word} {curve.part} {name}: {measure(name, which[0])} at step {which[1]:,}."
    longest = max(len(each.points) for each in drawn)
    if longest > LONG:
        means = f"means of {-(-longest // MEANS):,} reports"
        text += f" The lines are {means}; the pale lines show all reports."
    missing = sum(value is None for each in drawn for _, value in each.points)
    if missing:
        verb = "value is" if missing == 1 else "values are"
        text += f" {missing:,} {verb} not finite and not drawn."
    return text
