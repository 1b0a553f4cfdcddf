"""MobileNet: blocks of a depthwise convolution over space and a 1×1 convolution over channels."""

from collections.abc import Sequence

from fcnn.layers import (
    Layer,
    batch_norm,
    conv,
    dense,
    global_avg_pool,
    initializers,
    relu,
    serial,
)

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def mobilenet(
    classes: int = 10, *, stem: int = 32, blocks: Sequence[tuple[int, int]] = BLOCKS
) -> Layer:
    """MobileNet for small images: stem, depthwise separable blocks, global average, logits.

    The stem is a 3×3 convolution; a block is a depthwise 3×3 and a 1×1 convolution. Batch norm and
    relu follow every convolution. Only the strides of the blocks reduce the image.
    Convolutions pad "same". At stride 2 this pads an axis of even size by (0, 1) cells. torch pads
    1 cell on both sides.

    Shapes: x (n, h, w, c) -> logits (n, classes).
    Options:
        classes: number of logits.
        stem: channels of the first convolution.
        blocks: (features, stride) of each block.
    Raises: ValueError for counts below 1.
    Source: Howard et al., arXiv:1704.04861.

    >>> model = fcnn.models.mobilenet(stem=8, blocks=((16, 2), (32, 2)))
    >>> fcnn.summary(model, (32, 32, 3)).rows[-2].output
    (32,)
    """
    body, channels = _normed(stem, 3), stem
    for features, stride in blocks:
        body += _normed(channels, 3, stride=stride, groups=channels) + _normed(features, 1)
        channels = features
    logits = dense(classes, w_init=initializers.lecun)
    return serial(*body, global_avg_pool(), logits, name="mobilenet")


def _normed(features, k, **options):
    return [conv(features, (k, k), bias=False, **options), batch_norm(), relu()]
