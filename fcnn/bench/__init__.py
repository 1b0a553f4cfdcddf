"""Level 2: what does it cost here? Measured, never derived."""

from fcnn.bench.machine import Roofline, machine_info, roofline
from fcnn.bench.measure import Cost, Program, Timing, backward, compare, seconds, timed

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
]
