"""Residual networks: stages of blocks, where each block adds a residual to its input.

    basic         y = relu(x + conv 3×3 (relu (conv 3×3 x)))
    bottleneck    y = relu(x + conv 1×1 (relu (conv 3×3 (relu (conv 1×1 x)))))

Batch norm follows every convolution. If the first block of a stage changes the shape, its shortcut
is conv 1×1. The other blocks of the stage keep the shape. Two or more of them form one `repeat`.
"""

from fcnn.layers import (
    Layer,
    batch_norm,
    conv,
    dense,
    global_avg_pool,
    initializers,
    max_pool,
    relu,
    repeat,
    residual,
    serial,
)
from fcnn.ops.validation import named, require

BLOCKS = {  # depth -> (blocks of each stage, whether they are bottlenecks)
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4  # features of a bottleneck's output / features inside the bottleneck


def resnet(depth: int = 18, classes: int = 10, *, small: bool = True) -> Layer:
    """ResNet-18, -34, -50, -101 or -152.

    The stride of a bottleneck is in its conv 3×3. Convolutions pad "same". At stride 2 this
    pads an axis of even size with one cell less at its start than at its end. torch pads k // 2 on
    both sides, so torch's weights give different outputs here.

    Shapes: x (n, h, w, c) -> logits (n, classes).
    Options:
        depth: 18, 34, 50, 101 or 152.
        classes: number of logits.
        small: whether the stem is one conv 3×3, for small images such as CIFAR's; if False, it is
            conv 7×7 and max pooling, both at stride 2.
    Raises: ValueError for any other depth.
    Source: He et al., arXiv:1512.03385.

    >>> fcnn.summary(fcnn.models.resnet(50, 1000, small=False), (224, 224, 3)).parameters
    25557032
    """
    with named("resnet"):
        require(depth in BLOCKS, f"unknown depth {depth}; expected one of {tuple(BLOCKS)}")
    counts, bottleneck = BLOCKS[depth]
    pool = max_pool(3, stride=2, padding=1)
    body = [*_normed(64, 3), relu()] if small else [*_normed(64, 7, stride=2), relu(), pool]
    channels = 64
    for width, n in zip(WIDTHS, counts, strict=True):
        features = width * EXPANSION if bottleneck else width
        stride = 1 if width == WIDTHS[0] else 2
        shortcut = None if features == channels else serial(*_normed(features, 1, stride=stride))
        block = _block(width, bottleneck)
        body += [_block(width, bottleneck, stride, shortcut)]
        body += [repeat(block, n - 1)] if n > 2 else [block]
        channels = features
    logits = dense(classes, w_init=initializers.lecun)
    return serial(*body, global_avg_pool(), logits, name="resnet")


def _block(width, bottleneck, stride=1, shortcut=None):
    if bottleneck:
        body = [*_normed(width, 1), relu(), *_normed(width, 3, stride=stride), relu()]
        body += _normed(width * EXPANSION, 1)
    else:
        body = [*_normed(width, 3, stride=stride), relu(), *_normed(width, 3)]
    return serial(residual(serial(*body), shortcut), relu(), name="block")


def _normed(features, k, stride=1):
    return [conv(features, (k, k), stride=stride, bias=False), batch_norm()]
