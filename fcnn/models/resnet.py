"""Residual networks: stages of blocks, each of which adds to what it was given.

    basic         y = relu(x + conv 3×3 (relu (conv 3×3 x)))
    bottleneck    y = relu(x + conv 1×1 (relu (conv 3×3 (relu (conv 1×1 x)))))

Batch norm follows every convolution. The first block of a stage changes the shape, so x goes
through conv 1×1 there; the blocks after it are alike, and one `repeat`.
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
from fcnn.ops.validation import require

BLOCKS = {  # depth -> blocks in each stage, and whether they are bottlenecks
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4  # of the features of a bottleneck, at its end


def resnet(depth: int = 18, classes: int = 10, *, small: bool = True) -> Layer:
    """ResNet-18, -34, -50, -101 or -152.

    For `small` images, as CIFAR's, the stem is one conv 3×3; for others conv 7×7 and max pooling,
    each at stride 2. The stride of a bottleneck is in its conv 3×3. Convolutions pad "same", which
    at stride 2 puts one cell less before an even size than after it; torch pads k // 2 on both
    sides, so its weights give other outputs here.

    Shapes: (n, h, w, c) in, (n, classes) out.
    Raises: ValueError for any other depth.
    Source: He et al., arXiv:1512.03385.
    """
    require(depth in BLOCKS, f"resnet: depth {depth} is none of {tuple(BLOCKS)}")
    numbers, bottleneck = BLOCKS[depth]
    large = [max_pool(3, stride=2, padding=1)]
    body = [*_normed(64, 3), relu()] if small else [*_normed(64, 7, stride=2), relu(), *large]
    channels = 64
    for width, n in zip(WIDTHS, numbers, strict=True):
        features = width * EXPANSION if bottleneck else width
        stride = 1 if width == WIDTHS[0] else 2
        shortcut = None if features == channels else serial(*_normed(features, 1, stride=stride))
        alike = _block(width, bottleneck)
        body += [_block(width, bottleneck, stride, shortcut)]
        body += [repeat(alike, n - 1)] if n > 2 else [alike]
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
