"""Level 2: measurement. Seconds, FLOP and bytes of functions on this device."""

from fcnn.bench.machine import Roofline, machine_info, roofline
from fcnn.bench.measure import (
    Cost,
    Program,
    Timing,
    backward,
    compare,
    seconds,
    timed,
    times_faster,
)

__all__ = [
    "Cost",
    "Program",
    "Roofline",
    "Timing",
    "backward",
    "compare",
    "machine_info",
    "roofline",
    "seconds",
    "timed",
    "times_faster",
]
