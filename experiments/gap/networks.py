"""Convolutions with either head: global average pooling, or flattening."""

from math import log2

from fcnn.layers import (
    Layer,
    conv,
    dense,
    flatten,
    global_avg_pool,
    initializers,
    max_pool,
    relu,
    serial,
)

HEADS = ("gap", "dense")


def pools(side: int) -> int:
    """Max poolings, so that the last convolutions see all of a digit."""
    return max(1, round(log2(side / 4)))


def network(head: str, side: int, classes: int, width: int) -> Layer:
    layers = []
    for i in range(pools(side) + 2):
        layers += [conv(width if i == 0 else 2 * width, (3, 3)), relu()]
        layers += [max_pool(2)] if i < pools(side) else []
    reduce = global_avg_pool() if head == "gap" else flatten()
    return serial(*layers, reduce, dense(classes, w_init=initializers.lecun))
