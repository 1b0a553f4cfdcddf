"""MobileNet: each convolution is split into one over space and one over channels."""

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
    """conv 3×3 to `stem` channels; per (features, stride) of `blocks`, depthwise conv 3×3 and conv
    1×1; a global average, and `classes` logits.

    Batch norm and relu follow every convolution. For small images, as CIFAR's, nothing but the
    blocks' strides halves them. Convolutions pad "same", which at stride 2 is (0, 1) around even
    sizes, where torch pads 1 on both sides.

    Shapes: (n, h, w, c) in, (n, classes) out.
    Source: Howard et al., arXiv:1704.04861.
    """
    body, channels = _normed(stem, 3), stem
    for features, stride in blocks:
        body += _normed(channels, 3, stride=stride, groups=channels) + _normed(features, 1)
        channels = features
    logits = dense(classes, w_init=initializers.lecun)
    return serial(*body, global_avg_pool(), logits, name="mobilenet")


def _normed(features, k, **how):
    return [conv(features, (k, k), bias=False, **how), batch_norm(), relu()]
