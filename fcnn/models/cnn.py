"""The convolutional network: (conv 3×3, relu, max pool 2×2) per stage, then dense layers."""

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
    """A stage per entry of `channels`, a dense layer per entry of `hidden`, then `classes` logits.

    Each stage halves the image; `dropout` follows each hidden dense layer where it is above 0.
    With `batch_norm`, before each relu, convolutions have no bias; with `gap`, a global average
    takes the place of flattening.

    Shapes: (n, h, w, c) in, (n, classes) out.
    Source: LeCun et al. 1998, with relu and dropout as in Krizhevsky, Sutskever & Hinton 2012.
    """
    norm = [layers.batch_norm()] if batch_norm else []
    stage = lambda c: [conv(c, (3, 3), bias=not batch_norm), *norm, relu(), max_pool(2)]
    body = [layer for c in channels for layer in stage(c)]
    drop = [layers.dropout(dropout)] if dropout > 0 else []
    head = [layer for h in hidden for layer in (dense(h), relu(), *drop)]
    logits = dense(classes, w_init=initializers.lecun)
    return serial(*body, global_avg_pool() if gap else flatten(), *head, logits, name="cnn")
