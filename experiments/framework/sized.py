"""Networks of equal cost: the size of a network whose cost is nearest to a budget."""

from bisect import bisect_left
from collections.abc import Callable
from functools import cache

from fcnn.layers import Layer


def nearest(build: Callable[[int], Layer], cost: Callable[[Layer], int], budget: int) -> int:
    """The size k for which the cost of build(k), which grows with k, is nearest to the budget."""
    of = cache(lambda k: cost(build(k)))
    high = 1
    while of(high) < budget:
        high *= 2
    low = high // 2 or 1
    above = low + bisect_left(range(low, high), budget, key=of)
    return min((max(above - 1, 1), above), key=lambda k: abs(of(k) - budget))
