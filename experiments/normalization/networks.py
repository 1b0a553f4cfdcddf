"""The networks, which differ in their normalization only.

    dense          (dense 64, norm, relu) × 5, dense         after Saitoh 2016, chapter 6.3
    CNN            (conv 3×3, norm, relu) × 3, dense         the second and third with stride 2
    LSTM           LSTM, norm, LSTM, dense                   one row of pixels is one step
    transformer    dense, 2 blocks, norm, mean, dense        one row of pixels is one token

A block is x + attention(norm(x)), then x + dense(gelu(dense(norm(x)))).
"""

from collections.abc import Callable, Sequence

from fcnn import layers
from fcnn.layers import (
    Layer,
    batch_norm,
    conv,
    dense,
    dropout,
    flatten,
    gelu,
    global_avg_pool,
    group_norm,
    initializers,
    layer_norm,
    multi_head_attention,
    positional_encoding,
    relu,
    repeat,
    residual,
    serial,
    stateless,
)

GROUPS = 4  # of 8, 16 or 32 channels
HIDDEN, DEPTH = 64, 5  # of the dense network
WITHOUT, BATCH = "no normalization", "batch norm"
LARGE, SMALL = 64, 2  # images of a batch
MOMENTUM = 0.9  # of batch norm with batches of 64: the weight of the old running statistics
Norm = Callable[..., list[Layer]]  # a function of the images of a batch


def batch_norm_of(batch: int = LARGE) -> list[Layer]:
    """Batch norm whose running statistics average over equally many images for any batch."""
    return [batch_norm(momentum=MOMENTUM ** (batch / LARGE))]


OF_IMAGES: dict[str, Norm] = {
    WITHOUT: lambda batch=LARGE: [],
    BATCH: batch_norm_of,
    "group norm": lambda batch=LARGE: [group_norm(GROUPS)],
}
OF_SEQUENCES: dict[str, Norm] = {
    BATCH: batch_norm_of,
    "layer norm": lambda batch=LARGE: [layer_norm()],  # the features of one position
}


def dense_network(name: str, classes: int, dropped: float = 0.0, depth: int = DEPTH) -> Layer:
    norm, drop = OF_IMAGES[name], [dropout(dropped)] if dropped else []
    hidden = [part for _ in range(depth) for part in (dense(HIDDEN), *norm(), relu(), *drop)]
    return serial(flatten(), *hidden, _logits(classes))


def cnn(norm: Norm, classes: int, channels: Sequence[int] = (8, 16, 32)) -> Layer:
    stage = lambda c, stride: [conv(c, (3, 3), stride=stride), *norm(), relu()]
    body = [part for i, c in enumerate(channels) for part in stage(c, 2 if i else 1)]
    return serial(*body, flatten(), _logits(classes))


def lstm(norm: Norm, classes: int) -> Layer:
    first, last = layers.lstm(32), layers.lstm(32, sequence=False)
    return serial(_rows(), first, *norm(), last, _logits(classes))


def transformer(norm: Norm, classes: int, width: int = 16) -> Layer:
    attention = serial(*norm(), multi_head_attention(2))
    mlp = serial(*norm(), dense(2 * width), gelu(), dense(width))
    block = serial(residual(attention), residual(mlp), name="block")
    tokens = (_rows(), dense(width), positional_encoding())
    return serial(*tokens, repeat(block, 2), *norm(), global_avg_pool(), _logits(classes))


KINDS = {
    "CNN": (cnn, OF_IMAGES),
    "LSTM": (lstm, OF_SEQUENCES),
    "transformer": (transformer, OF_SEQUENCES),
}


def _rows() -> Layer:
    """Images (n, h, w, c) as sequences (n, h, w c)."""
    return stateless("rows", lambda x: x.reshape(*x.shape[:2], -1), positions="mixed")


def _logits(classes: int) -> Layer:
    return dense(classes, w_init=initializers.lecun)
