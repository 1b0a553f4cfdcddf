"""Level 2: what does it cost here? Measured, never derived."""

from fcnn.bench.measure import Cost, compare, seconds

__all__ = ["Cost", "compare", "seconds"]
