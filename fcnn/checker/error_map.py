"""The map of errors of one gradient: a square for each entry, as SVG and HTML.

The first half of the axes of the leaf is vertical, the other axes are horizontal. A square of a
large leaf is the largest error of several entries. The colour shows log10 of the error in STEPS
steps, over DECADES powers of ten. A ring surrounds the worst entry.

The squares shrink with the page, and the labels do not: labels, scale and ring are HTML elements
whose places are percentages of the map.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from fcnn.checker.row import Row

ROWS, COLUMNS = 40, 64  # largest number of squares along each side of a map
NARROW, WIDE = 11, 30  # pixels, the side of the smallest and the largest square
FEW, STRIP = 6, 22  # up to FEW squares along one side, a square has at least STRIP pixels there
TARGET = 420  # pixels, the side of a map of few squares, if its squares are not larger than WIDE
GAP = 4  # pixels between blocks of squares that differ in an outer axis
DECADES = 6
STEPS = 4 * DECADES + 1
# Colours of the palest, a middle and the strongest step, on a white and on a dark page.
LIGHT = ((0xF3, 0xF1, 0xEF), (0xF0, 0x9A, 0x6B), (0x99, 0x10, 0x1C))
DARK = ((0x26, 0x2B, 0x31), (0xA8, 0x4A, 0x2E), (0xFF, 0xD2, 0x9C))
SHORT = 290  # pixels, the width of a map on a narrow screen
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Side(NamedTuple):
    """One side of the map: the axes along it, and the segments that are its squares."""

    axes: range  # axes of the leaf
    shape: tuple[int, ...]  # their sizes
    starts: np.ndarray  # the first index, of all axes as one, of each square
    cell: int  # pixels

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def whole(self) -> bool:
        """Whether each square is one index."""
        return len(self.starts) == self.size

    def at(self, i: int) -> int:
        """The pixel where square i starts."""
        inner = self.shape[-1] if self.whole and len(self.shape) > 1 else 0
        return self.cell * i + (GAP * (i // inner) if inner > 1 else 0)

    @property
    def length(self) -> int:
        return self.at(len(self.starts) - 1) + self.cell

    def middle(self, i: int) -> float:
        """The middle of square i, in percent of the length."""
        return 100 * (self.at(i) + (self.cell - 1) / 2) / self.length

    def label(self, i: int) -> str:
        """The index of the first entry of square i, such as 4 or 2,0"""
        return ",".join(map(str, np.unravel_index(self.starts[i], self.shape)))

    def labelled(self, least: float) -> range:
        """The squares with a label: every `least`-th, or a rounder number of squares apart."""
        inner = self.shape[-1] if self.whole and len(self.shape) > 1 else 1
        steps = [k for k in range(1, inner) if inner % k == 0] or [1, 2, 5, 10, 20]
        steps += [inner * k for k in (1, 2, 4, 8, 16, 32, 64)]
        return range(0, len(self.starts), min(k for k in steps if k >= least))

    @property
    def title(self) -> str:
        """The names of the axes: axis 0 (size 3), or axes 2, 3 (16 × 32)"""
        if not self.axes:
            return ""
        names = ", ".join(map(str, self.axes))
        sizes = " × ".join(f"{n:,}" for n in self.shape)
        return f"axis {names} (size {sizes})" if len(self.axes) == 1 else f"axes {names} ({sizes})"


def error_map(row: Row) -> str:
    """The figure of a row, or "" if its map has less than two entries or only rounding errors."""
    if row.map is None or row.map.size < 2 or not _matters(row):
        return ""
    shape = row.map.shape
    down, across = _side(shape, 0, len(shape) // 2), _side(shape, len(shape) // 2, len(shape))
    cell = min(WIDE, max(NARROW, TARGET // max(len(down.starts), len(across.starts))))
    down, across = (
        side._replace(cell=max(cell, STRIP if len(side.starts) <= FEW else 0))
        for side in (down, across)
    )
    errors, of_what = _errors(row)
    errors = errors.reshape(down.size, across.size)
    shown = np.maximum.reduceat(np.maximum.reduceat(errors, down.starts, 0), across.starts, 1)
    top = _top(errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (np.log10(shown) - top + DECADES) / DECADES
    depth = np.clip(np.nan_to_num(depth, nan=1.0, posinf=1.0, neginf=0.0), 0, 1)
    steps = np.round((STEPS - 1) * depth).astype(int)
    width, height = across.length, down.length
    squares = "".join(
        f"<rect class='s{steps[i, j]}' x='{across.at(j)}' y='{down.at(i)}'"
        f" width='{across.cell - 1}' height='{down.cell - 1}'/>"
        for i, j in np.ndindex(*shown.shape)
    )
    shrunk = min(1.0, SHORT / width)  # on a narrow screen
    ticks_down = _ticks(down, "top", 20, height * shrunk)
    ticks_across = _ticks(across, "left", 8 * _longest(across) + 14, width * shrunk)
    picture = f"<svg viewBox='0 0 {width} {height}' aria-hidden='true'>{squares}</svg>"
    sides = [f"{where}: {s.title}" for where, s in (("down", down), ("across", across)) if s.axes]
    caption = _caption(row, down, across)
    described = escape(f"Map of errors. {'; '.join(sides).capitalize()}. {caption}", quote=True)
    return (
        f'<figure class="map" role="img" aria-label="{described}">'
        f"<div class='grid' style='max-width:calc({width}px + 4.5rem)'>"
        f"<div class='axis'>{_named('↓', down)}</div>"
        f"<div class='ticks down' style='width:{_longest(down)}ch'>{ticks_down}</div>"
        f"<div class='squares'>{picture}{_ring(row, down, across)}</div>"
        f"<div class='ticks across'>{ticks_across}</div>"
        f"<div class='axis across'>{_named('→', across)}</div></div>"
        f"{_scale(top, of_what)}<figcaption>{escape(caption)}</figcaption></figure>"
    )


def styles() -> str:
    """Style rules of the steps of colour, for a white page and for a dark one."""
    rules = lambda anchors: "\n".join(
        f".fcnn-report .s{k} {{ fill: {colour}; background: {colour}; }}"
        for k, colour in enumerate(_ramp(anchors))
    )
    return f"{rules(LIGHT)}\n@media (prefers-color-scheme: dark) {{\n{rules(DARK)}\n}}"


def _ramp(anchors: Sequence[Sequence[int]]) -> Iterator[str]:
    """STEPS colours between the anchors."""
    for k in range(STEPS):
        place = [k / (STEPS - 1)]
        rgb = (np.interp(place, [0, 0.5, 1], [a[c] for a in anchors])[0] for c in range(3))
        yield "#" + "".join(f"{round(float(v)):02x}" for v in rgb)


def _side(shape: tuple[int, ...], first: int, last: int) -> Side:
    most = COLUMNS if last == len(shape) else ROWS
    size = math.prod(shape[first:last])
    starts = np.linspace(0, size, min(size, most), endpoint=False).astype(int)
    return Side(range(first, last), shape[first:last], starts, NARROW)


def _matters(row: Row) -> bool:
    """Whether an entry differs from autodiff by more than rounding."""
    assert row.map is not None
    size = max((abs(v) for v in (row.claimed, row.autodiff) if v is not None), default=0.0)
    largest = float(_or_inf(row.map).max())
    return largest > 1e-12 * size if math.isfinite(size) else largest > 0


def _errors(row: Row) -> tuple[np.ndarray, str]:
    """The errors, relative to the largest entry if row.error allows it, and words for that."""
    assert row.map is not None
    errors = _or_inf(row.map)
    at_worst = float(errors[row.at]) if row.at is not None else 0.0
    if 0 < at_worst < np.inf and 0 < row.error < np.inf:
        return errors * (row.error / at_worst), "relative to the largest entry"
    return errors, "not relative"


def _or_inf(errors: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(errors), np.inf, errors)


def _top(errors: np.ndarray) -> int:
    """log10 of the strongest colour: a power of ten that is at least the largest finite error."""
    largest = float(errors[np.isfinite(errors)].max(initial=0))
    return math.ceil(math.log10(largest) - 1e-9) if largest > 0 else 0


def _ticks(side: Side, edge: str, room: int, length: float) -> str:
    """Labels of squares along one side, each with `room` of the `length` pixels."""
    if not side.axes:
        return ""
    return "".join(
        f"<span style='{edge}:{side.middle(i):.2f}%'>{side.label(i)}</span>"
        for i in side.labelled(room * len(side.starts) / length)
    )


def _longest(side: Side) -> int:
    """The number of characters of the longest label; 0 without axes."""
    return len(side.label(len(side.starts) - 1)) if side.axes else 0


def _named(arrow: str, side: Side) -> str:
    return f"{arrow} {escape(side.title)}" if side.axes else ""


def _ring(row: Row, down: Side, across: Side) -> str:
    """A ring around the square of the worst entry; its least size keeps it visible."""
    if row.at is None:
        return ""
    place = []
    for side in (down, across):
        index = row.at[side.axes.start : side.axes.stop]
        flat = int(np.ravel_multi_index(index, side.shape)) if index else 0
        place.append(side.middle(int(np.searchsorted(side.starts, flat, side="right")) - 1))
    wide = 145 * min(down.cell, across.cell) / across.length
    return (
        f"<i class='ring' style='top:{place[0]:.2f}%;left:{place[1]:.2f}%;"
        f"width:max({wide:.2f}%, 15px)'></i>"
    )


def _scale(top: int, of_what: str) -> str:
    """The scale of colours, with a label at every second power of ten."""
    steps = "".join(f"<i class='s{k}'></i>" for k in range(STEPS))
    ticks = []
    for k in range(0, DECADES + 1, 2):
        power = f"10{top - DECADES + k}".replace("10", "", 1).translate(SUPERSCRIPT)
        less = "≤ " if k == 0 else ""
        ticks.append(f"<span>{less}10{power}</span>")
    return (
        f"<div class='scale'><div class='steps'>{steps}</div><div class='powers'>{''.join(ticks)}"
        f"</div><div>log10 scale of the error, {of_what}</div></div>"
    )


def _caption(row: Row, down: Side, across: Side) -> str:
    entries = -(-down.size // len(down.starts)) * -(-across.size // len(across.starts))
    one = "one entry" if entries == 1 else f"the largest error of up to {entries:,} entries"
    text = f"A square is {one} of {row.leaf}, shape {row.shape}."
    if row.at:
        text += f" The ring is around the worst entry, [{','.join(map(str, row.at))}]."
    return text
