"""Networks from fully connected to convolutional, one stage at a time, with equal parameters.

A rung is a classifier of three stages and a head. Each rung up to conv3 replaces the first dense
stage of the previous rung by a convolutional stage:

    dense      D D D  dense head        D  dense, relu (the image is flattened before the first)
    conv1      C D D  dense head        C  conv 3×3, relu, max pool 2×2 (the last C has no pool)
    conv2      C C D  dense head
    conv3      C C C  dense head
    conv3-gap  C C C  global average pooling, dense to the classes

All rungs have about the same number of parameters, so that a comparison measures the kind of stages
and not the size of a network. Convolutional stages have width, 2 width and 4 width channels. The
number of parameters then determines the one free size of a rung: `hidden`, or `width` in conv3-gap.
"""

import itertools
from collections.abc import Callable, Sequence

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
    summary,
)

STAGES = 3
RUNGS = ("dense", "conv1", "conv2", "conv3", "conv3-gap")


def hybrid(
    convolutional: int, width: int, hidden: int, classes: int, *, gap: bool = False
) -> Layer:
    """Network of three stages: the first `convolutional` are convolutional, the others dense.

    Shapes: x (n, h, w, c) -> logits (n, classes).
    Options:
        convolutional: number of convolutional stages, with width, 2 width, ... channels.
        width: channels of the first convolutional stage.
        hidden: features of each dense stage.
        classes: number of logits.
        gap: whether global average pooling replaces flattening before the dense stages.

    >>> rows = fcnn.summary(fcnn.models.hybrid(1, 8, 32, 10), (12, 12, 1)).rows
    >>> [row.path for row in rows if row.parameters]
    ['conv1', 'dense1', 'dense2', 'dense3']
    """
    stages = []
    for i in range(convolutional):
        stages += [conv(width * 2**i, (3, 3)), relu(), *([max_pool(2)] if i < STAGES - 1 else [])]
    stages += [global_avg_pool() if gap else flatten()]
    for _ in range(STAGES - convolutional):
        stages += [dense(hidden), relu()]
    return serial(*stages, dense(classes, w_init=initializers.lecun), name="hybrid")


def ladder(
    shape: tuple[int, ...], classes: int = 10, *, width: int = 16, rungs: Sequence[str] = RUNGS
) -> dict[str, Layer]:
    """Rungs by name, each sized to have about as many parameters as "conv3".

    Shapes: `shape` (h, w, c) of one image, at least 4 cells high and wide.
    Options:
        classes: number of logits.
        width: channels of the first convolutional stage.
        rungs: names of the rungs to make, all by default.
    Raises: ValueError if the image is smaller than 4×4, a rung cannot be as small as "conv3", or a
            name is unknown.

    >>> rungs = fcnn.models.ladder((12, 12, 1), width=4)
    >>> {name: fcnn.summary(rung, (12, 12, 1)).parameters for name, rung in rungs.items()}
    {'dense': 3034, 'conv1': 2991, 'conv2': 2919, 'conv3': 2954, 'conv3-gap': 2540}
    """
    if len(shape) != 3 or min(shape[:2]) < 4:
        raise ValueError(f"ladder: image shape {shape} must be (h, w, c) of at least 4×4 cells")
    if unknown := [name for name in rungs if name not in RUNGS]:
        known = ", ".join(RUNGS)
        raise ValueError(f"ladder: unknown rung {unknown[0]!r}; expected some of {known}")
    budget = summary(hybrid(STAGES, width, 0, classes), shape).parameters

    def rung(name: str) -> Layer:
        if name == "conv3":
            return hybrid(STAGES, width, 0, classes)
        if name == "conv3-gap":
            gap = lambda width: hybrid(STAGES, width, 0, classes, gap=True)
            return _fit(gap, budget, shape, name)
        n = RUNGS.index(name)
        return _fit(lambda hidden: hybrid(n, width, hidden, classes), budget, shape, name)

    return {name: rung(name) for name in rungs}


def _fit(build: Callable[[int], Layer], budget: int, shape: tuple[int, ...], name: str) -> Layer:
    """build(k) for the k whose number of parameters is nearest to the budget.

    The number of parameters is a + b k + c k², so its values for k = 1, 2, 3 determine a, b and c.
    """
    one, two, three = (summary(build(k), shape).parameters for k in (1, 2, 3))
    if one > budget:
        raise ValueError(
            f"ladder: for images {shape}, {name!r} has at least {one:,} parameters, more than the "
            f"{budget:,} of 'conv3'; write a larger width"
        )
    c = (three - 2 * two + one) // 2
    b = two - one - 3 * c
    a = one - b - c
    sizes = itertools.takewhile(lambda k: a + b * k + c * k * k < budget, itertools.count(1))
    below = max(sizes, default=1)
    return build(min((below, below + 1), key=lambda k: abs(a + b * k + c * k * k - budget)))
