"""Level 2: what does it cost here? Measured, never derived."""

from fcnn.bench.machine import Roof, machine, roof
from fcnn.bench.measure import Cost, Program, Timing, backward, compare, seconds, timed

__all__ = [
    "Cost",
    "Program",
    "Roof",
    "Timing",
    "backward",
    "compare",
    "machine",
    "roof",
    "seconds",
    "timed",
]
