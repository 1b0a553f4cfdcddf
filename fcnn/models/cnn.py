"""Convolutional network: (conv 3×3, relu, max pool 2×2) per stage, then dense layers."""

from collections.abc import Sequence

from fcnn import layers
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


def cnn(
    channels: Sequence[int] = (32, 64, 128),
    hidden: Sequence[int] = (512,),
    classes: int = 10,
    *,
    dropout: float = 0.5,
    batch_norm: bool = False,
    gap: bool = False,
) -> Layer:
    """Convolutional network of stages, hidden dense layers, and `classes` logits.

    Each stage halves the image.

    Shapes: x (n, h, w, c) -> logits (n, classes).
    Options:
        channels: channels of each stage.
        hidden: features of each hidden dense layer.
        classes: number of logits.
        dropout: probability of dropping after each hidden dense layer; 0 for no dropout.
        batch_norm: whether batch normalization precedes each relu of a stage; the convolutions then
            have no bias.
        gap: whether global average pooling replaces flattening.
    Raises: ValueError for a dropout rate of 1 or above, or counts below 1.
    Source: LeCun et al. 1998, with relu and dropout as in Krizhevsky, Sutskever & Hinton 2012.

    >>> fcnn.summary(fcnn.models.cnn((8, 16), (32,)), (28, 28, 1)).parameters
    26698
    """
    norm = [layers.batch_norm()] if batch_norm else []
    stage = lambda c: [conv(c, (3, 3), bias=not batch_norm), *norm, relu(), max_pool(2)]
    body = [layer for c in channels for layer in stage(c)]
    drop = [layers.dropout(dropout)] if dropout > 0 else []
    head = [layer for h in hidden for layer in (dense(h), relu(), *drop)]
    logits = dense(classes, w_init=initializers.lecun)
    return serial(*body, global_avg_pool() if gap else flatten(), *head, logits, name="cnn")
