"""The numbers that a figure shows, as tables: read from its lines, points, bars and error bars.

A row is a position along the axis of positions, which is y if only y has names, and x otherwise. A
column is a series: all artists with the same label. Values at one position are listed. A value has
the range of an error bar, a band, or a line of two points without a label, of its colour. Lines
that are not in data coordinates, such as axhline's, texts and images are left out.
"""

from collections.abc import Iterator
from itertools import cycle, repeat
from math import isclose, isfinite
from typing import Any, NamedTuple

from matplotlib.category import StrCategoryLocator
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.ticker import FixedLocator

from experiments.framework.table import Table

MOST = 40  # rows; of more positions, this many are shown, evenly spaced


class _Series(NamedTuple):
    label: str  # "" without one
    colour: Any
    points: list[tuple[float, float]]


def numbers(figure: Any) -> list[Table]:
    """One table for each axes with numbers."""
    return [table for axes in figure.axes if (table := _table(axes))]


def _table(axes) -> Table | None:
    swapped = _names(axes.yaxis) and not _names(axes.xaxis)
    position, value = (axes.yaxis, axes.xaxis) if swapped else (axes.xaxis, axes.yaxis)
    turned = lambda s: s._replace(points=[(b, a) if swapped else (a, b) for a, b in s.points])
    series, ranges = list(map(turned, _series(axes))), list(map(turned, _ranges(axes)))
    ranges += [s for s in series if _is_range(s)]
    series = [s for s in series if not _is_range(s)]
    names, found = _names(position), {}
    for label, colour, points in series:
        for at, v in points:
            if isfinite(at) and isfinite(v):
                where = min(names, key=lambda tick, at=at: abs(tick - at)) if names else at
                text = _text(v) + _range(ranges, colour, at, v)
                found.setdefault(where, {}).setdefault(label, []).append(text)
    if not found:
        return None
    where, what = (" ".join(axis.get_label_text().split()) for axis in (position, value))
    labels = list(dict.fromkeys(s.label for s in series))
    if names and all(labels) and all(len(cells) == 1 for cells in found.values()):
        labels = [""]  # each name is a series of its own
        found = {at: {"": values} for at, cells in found.items() for values in cells.values()}
    rows = [
        (names.get(at) or _text(at), *(", ".join(found[at].get(label, ["–"])) for label in labels))
        for at in _thinned(sorted(found))
    ]
    head = (where, *(label or what or "value" for label in labels))
    few = f"{len(rows)} of {len(found)} rows" if len(rows) < len(found) else ""
    return Table(head, rows, title="; ".join(filter(None, (what if any(labels) else "", few))))


def _series(axes) -> Iterator[_Series]:
    in_containers = []
    for container in axes.containers:
        label = _label(container)
        if isinstance(container, BarContainer):
            tips = [_tip(bar, container.orientation) for bar in container]
            yield _Series(label, container[0].get_facecolor(), tips)
            continue
        line, caps, _ = container.lines  # of error bars; those of bars have no line
        in_containers += caps
        if line is not None:
            in_containers.append(line)
            yield _Series(label, line.get_color(), _points(line.get_xydata()))
    for line in axes.lines:
        if line not in in_containers and line.get_transform() == axes.transData:
            yield _Series(_label(line), line.get_color(), _points(line.get_xydata()))
    for points in axes.collections:
        if isinstance(points, PathCollection):
            colour = next(iter(points.get_facecolor()), "none")
            yield _Series(_label(points), colour, _points(points.get_offsets()))


def _points(pairs) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in pairs]


def _label(artist) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else " ".join(label.split())


def _tip(bar, orientation) -> tuple[float, float]:
    (x, y), width, height = bar.get_xy(), bar.get_width(), bar.get_height()
    if orientation == "horizontal":
        return x + width, y + height / 2
    return x + width / 2, y + height


def _is_range(series: _Series) -> bool:
    """A line from the low to the high end of an interval at one position."""
    if series.label or len(series.points) != 2:
        return False
    (a, low), (b, high) = series.points
    return isclose(a, b) and not isclose(low, high)


def _ranges(axes) -> Iterator[_Series]:
    """The two ends of each error bar, and of each band at each position."""
    of_series = dict(_error_bars(axes))
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            own = of_series.get(collection)
            colours = repeat(own) if own is not None else _colours(collection.get_edgecolor())
            for segment, colour in zip(collection.get_segments(), colours, strict=False):
                yield _Series("", colour, _points(segment))
        elif isinstance(collection, PolyCollection):
            colours = _colours(collection.get_facecolor())
            for path, colour in zip(collection.get_paths(), colours, strict=False):
                by_x: dict[float, list[float]] = {}
                for x, y in _points(path.vertices):
                    by_x.setdefault(x, []).append(y)
                for x, ys in by_x.items():
                    yield _Series("", colour, [(x, min(ys)), (x, max(ys))])


def _error_bars(axes) -> Iterator[tuple[LineCollection, Any]]:
    """The error bars of each series, which may have another colour, and its colour."""
    for container in axes.containers:
        bars = isinstance(container, BarContainer)
        errors = container.errorbar if bars else container
        line, _, found = errors.lines if errors else (None, (), ())
        colour = container[0].get_facecolor() if bars else line and line.get_color()
        if bars or line:
            yield from ((collection, colour) for collection in found)


def _colours(colours):
    """Colours of the parts of a collection, which are repeated if there are fewer."""
    return cycle(colours) if len(colours) else repeat("none")


def _range(ranges: list[_Series], colour, at: float, v: float) -> str:
    """The range around a value, of its colour, or nothing."""
    found = [
        (low, high)
        for _, other, points in ranges
        if to_rgb(colour) == to_rgb(other)
        if len(points) == 2 and all(isclose(a, at) for a, _ in points)
        for low, high in [sorted(b for _, b in points)]
        if low <= v <= high and low < high
    ]
    if not found:
        return ""
    low, high = min(found)
    return f" ({_text(low)} to {_text(high)})"


def _names(axis) -> dict[float, str]:
    """Positions and labels of ticks that are set one by one, if a label is no number."""
    if not isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator):
        return {}
    at = [float(tick) for tick in axis.get_majorticklocs()]
    labels = [" ".join(text.split()) for text in axis.get_major_formatter().format_ticks(at)]
    return {} if all(map(_numeric, labels)) else dict(zip(at, labels, strict=True))


def _numeric(text: str) -> bool:
    return "$" in text or not any(map(str.isalpha, text))


def _text(v: float) -> str:
    text = f"{v:,.0f}" if v == round(v) and abs(v) < 1e15 else f"{v:.4g}"
    return text.replace("-", "−") if text.startswith("-") else text


def _thinned(positions: list[float]) -> list[float]:
    if len(positions) <= MOST:
        return positions
    return [positions[round(i * (len(positions) - 1) / (MOST - 1))] for i in range(MOST)]
