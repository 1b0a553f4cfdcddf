"""Networks of equal cost: the size of a network whose cost is nearest to a budget."""

from bisect import bisect_left
from collections.abc import Callable

from fcnn.layers import Layer

LARGEST = 100_000  # size at which the search ends


def nearest(build: Callable[[int], Layer], cost: Callable[[Layer], int], budget: int) -> int:
    """The size k for which the cost of build(k), which grows with k, is nearest to the budget."""
    of = lambda k: cost(build(k))
    above = bisect_left(range(1, LARGEST), budget, key=of) + 1
    return min((max(above - 1, 1), above), key=lambda k: abs(of(k) - budget))
