"""Axis of a figure: its range, and round values on it with their labels.

Ticks of a linear axis are multiples of 1, 2 or 5 times a power of ten. Ticks of a log axis are
powers of ten, and 2 and 5 times these if there are few.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

MOST = 8  # intervals between ticks, at most
MARGIN = 0.04  # of the range, above and below the values of a curve
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Label = Callable[[float, int], str]  # of a tick, and the power of ten of the distance of ticks


class Axis(NamedTuple):
    """Range and ticks of an axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]  # value and label
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value: 0 at the low end, 1 at the high end."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        return (value - low) / (high - low)


def decimal(value: float, power: int) -> str:
    """A tick as a decimal number, with enough digits to differ from the next tick."""
    if power < -4 or power > 5:
        return f"{value:g}"
    return f"{value:,.{max(0, -power)}f}"


def percent(value: float, power: int) -> str:
    """A tick in percent; "" outside of 0 to 100%."""
    return f"{value:.{max(0, -power - 2)}%}" if 0 <= value <= 1 else ""


def linear(
    low: float, high: float, label: Label = decimal, *, most: int = MOST, least: float = 0.0
) -> Axis:
    """The linear axis from low to high, which differ, with ticks at least `least` apart."""
    mantissa, power = _distance(max((high - low) / most, least))
    value = lambda i: i * mantissa * 10**power if power >= 0 else i * mantissa / 10**-power
    first, last = math.ceil(low / value(1) - 1e-9), math.floor(high / value(1) + 1e-9)
    ticks = ((float(value(i)), label(value(i), power)) for i in range(first, last + 1))
    return Axis(low, high, tuple(tick for tick in ticks if tick[1]))


def around(low: float, high: float, label: Label = decimal) -> Axis:
    """The linear axis with a margin around values from low to high, which may be equal."""
    size = max(abs(low), abs(high))
    margin = MARGIN * (high - low) if high - low > 1e-9 * size else 0.1 * size or 0.5
    return linear(low - margin, high + margin, label)


def counted(high: float, *, most: int = MOST, least: float = 0.0) -> Axis:
    """The axis from 0 to a number of steps or epochs, with labels such as 500, 20k and 1.5M."""
    unit, letter = (1e6, "M") if high >= 1e6 else (1e3, "k") if high >= 1e4 else (1, "")
    label = lambda value, power: f"{value:,g}" if unit == 1 else f"{value / unit:g}{letter}"
    axis = linear(0, high, label, most=most, least=least)
    return axis._replace(ticks=((0, "0"), *axis.ticks[1:]))


def logarithmic(low: float, high: float) -> Axis:
    """The log axis with a margin around values from low to high, which are positive and differ."""
    margin = (high / low) ** MARGIN
    low, high = low / margin, high * margin
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    few = last - first < 3
    values = [
        (k, digit)
        for k in range(first - few, last + 1, -(-(last - first) // MOST) or 1)
        for digit in ((1, 2, 5) if few else (1,))
        if low <= digit * 10.0**k <= high
    ]
    plain = -4 <= first and last <= 4
    label = lambda k, digit: f"{digit * 10.0**k:,g}" if plain else _power(k, digit)
    return Axis(low, high, tuple((digit * 10.0**k, label(k, digit)) for k, digit in values), True)


def _distance(least: float) -> tuple[int, int]:
    """Mantissa and power of ten of the smallest distance of ticks that is at least `least`."""
    power = math.floor(math.log10(least))
    for mantissa in (1, 2, 5):
        if mantissa * 10.0**power >= least * (1 - 1e-9):
            return mantissa, power
    return 1, power + 1


def _power(k, digit):
    """Scientific notation, such as 10⁻⁵ or 2·10⁻⁵."""
    power = f"10{f'{k}'.translate(SUPERSCRIPT)}"
    return power if digit == 1 else f"{digit}·{power}"
