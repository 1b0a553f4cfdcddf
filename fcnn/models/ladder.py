"""From fully connected to convolutional, one stage at a time, at equal size.

A classifier of three stages and a head is climbed rung by rung. Each rung turns the first stage
that is still dense into a convolutional one:

    dense      D D D  dense head        D  dense, relu (the image is flattened before the first)
    conv1      C D D  dense head        C  conv 3×3, relu, max pool 2×2 (the last C has no pool)
    conv2      C C D  dense head
    conv3      C C C  dense head
    conv3-gap  C C C  global average pooling, dense to the classes

Every rung holds about the same number of parameters, so that what is compared is the kind of stage
and not its size: convolutional stages have width, 2 width and 4 width channels, and what is left of
the budget decides the one number that a rung is free to choose.
"""

import itertools
from collections.abc import Callable

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
    """`convolutional` stages of width, 2 width, ... channels, then dense ones of `hidden` features.

    Shapes: (n, h, w, c) in, (n, classes) out.
    """
    stages = []
    for i in range(convolutional):
        stages += [conv(width * 2**i, (3, 3)), relu(), *([max_pool(2)] if i < STAGES - 1 else [])]
    stages += [global_avg_pool() if gap else flatten()]
    for _ in range(STAGES - convolutional):
        stages += [dense(hidden), relu()]
    return serial(*stages, dense(classes, w_init=initializers.lecun), name="hybrid")


def ladder(shape: tuple[int, ...], classes: int = 10, *, width: int = 16) -> dict[str, Layer]:
    """Every rung by name, each as near as it can be to the size of "conv3" at this `width`.

    Shapes: `shape` (h, w, c) of one image, at least 4 cells high and wide.
    Raises: ValueError if the image is smaller, or so small that no dense stage fits the budget.
    """
    if len(shape) != 3 or min(shape[:2]) < 4:
        raise ValueError(f"ladder: images {shape} must be (h, w, c) of at least 4×4 cells")
    budget = summary(hybrid(STAGES, width, 0, classes), shape).parameters
    rungs = {}
    for n, name in enumerate(RUNGS[:STAGES]):
        rungs[name] = _fit(
            lambda hidden, n=n: hybrid(n, width, hidden, classes), budget, shape, name
        )
    rungs["conv3"] = hybrid(STAGES, width, 0, classes)
    gap = lambda width: hybrid(STAGES, width, 0, classes, gap=True)
    rungs["conv3-gap"] = _fit(gap, budget, shape, "conv3-gap")
    return rungs


def _fit(build: Callable[[int], Layer], budget: int, shape: tuple[int, ...], name: str) -> Layer:
    """build(k) for the k whose size is nearest to the budget.

    A size is a + b k + c k² in the number k that a rung is free to choose, so three sizes tell all.
    """
    one, two, three = (summary(build(k), shape).parameters for k in (1, 2, 3))
    if one > budget:
        raise ValueError(
            f"ladder: images {shape} leave {name!r} no room within {budget} parameters"
        )
    c = (three - 2 * two + one) // 2
    b = two - one - 3 * c
    a = one - b - c
    sizes = itertools.takewhile(lambda k: a + b * k + c * k * k < budget, itertools.count(1))
    below = max(sizes, default=1)
    return build(min((below, below + 1), key=lambda k: abs(a + b * k + c * k * k - budget)))
