"""The networks: plain and residual ones by depth, and dense ones by width and by shape.

    depth 1       dense to the classes
    depth d       dense, n, relu   then d − 2 layers in blocks of two   then dense to the classes
    plain         block: dense, n, relu, dense, n, relu
    residual      block: dense, n, relu, dense, n, + x, relu        n is batch norm

The depth is the number of dense layers. The blocks of a network run as a scan, so that all depths
compile in about the same time.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import fcnn
from experiments.framework.sized import nearest
from fcnn.layers import (
    Layer,
    batch_norm,
    dense,
    flatten,
    initializers,
    relu,
    repeat,
    residual,
    serial,
)
from fcnn.models import mlp

KINDS = ("plain", "residual")
UNITS = 32  # of each layer of the networks by depth
FUNNEL = (512, 256, 128, 64)
SHAPES = ("funnel", "constant", "growing")


def deep(kind: str, depth: int, classes: int) -> Layer:
    """A network of `depth` dense layers: 1, or an even number."""
    unit = lambda: [dense(UNITS), batch_norm()]
    two = serial(*unit(), relu(), *unit())
    block = serial(two if kind == "plain" else residual(two), relu())
    chain = [repeat(block, depth // 2 - 1)] if depth > 2 else []
    body = [*unit(), relu(), *chain] if depth > 1 else []
    return serial(flatten(), *body, dense(classes, w_init=initializers.lecun))


def shapes(shape: Sequence[int], classes: int) -> Mapping[str, tuple[int, ...]]:
    """Units of four hidden layers: those of the funnel, and two shapes with equal parameters."""
    constant = lambda k: (k,) * len(FUNNEL)
    growing = lambda k: tuple(max(1, round(k * units / FUNNEL[0])) for units in FUNNEL[::-1])
    cost = lambda model: fcnn.summary(model, tuple(shape)).parameters
    build = lambda units, k: mlp(units(k), classes)
    budget = cost(mlp(FUNNEL, classes))
    size = lambda units: units(nearest(partial(build, units), cost, budget))
    return dict(zip(SHAPES, (FUNNEL, size(constant), size(growing)), strict=True))
