"""A network of each kind of layer for each form of data, with one free size.

              image            series            table               text
    dense     pixels           window            columns             mean of embedded words
    convolution  2-D, pooling  1-D, pooling      1-D over columns    1-D over words, maximum
    LSTM      rows in order    hours in order    columns in order    words in order
    attention    over rows     over hours        over columns        over words

Text starts with an embedding of 8 features in each network. All but convolution leave padding out.
Attention is one Transformer block.
"""

from collections.abc import Callable
from dataclasses import replace

from fcnn.data.text import PAD
from fcnn.layers import (
    Layer,
    conv,
    dense,
    embedding,
    flatten,
    gelu,
    global_avg_pool,
    global_max_pool,
    initializers,
    layer_norm,
    lstm,
    max_pool,
    multi_head_attention,
    positional_encoding,
    relu,
    residual,
    serial,
    stateless,
)

FEATURES = 8  # of an embedded word
CHANNELS = 8  # of the first convolution of two
WIDTH, HEADS = 12, 2  # of attention
Layers = list[Layer]


def network(kind: str, form: str, outputs: int, size: int, vocabulary: int) -> Layer:
    """The network of this kind and size for this form of data."""
    first = [embedding(vocabulary, FEATURES)] if form == "text" else []
    whole = serial(*first, *KINDS[kind](form, size), dense(outputs, w_init=initializers.lecun))
    return _without_padding(whole) if form == "text" and kind != "convolution" else whole


def _without_padding(model: Layer) -> Layer:
    """The model with the number of words of each message, after which its ids are padding."""

    def forward(params, state, ids, call):
        lengths = (ids != PAD).sum(1)
        return model.forward(params, state, ids, replace(call, inputs={"lengths": lengths}))

    return Layer("message", model.setup, forward, model.parts, input_dtype=int)


def _dense(form: str, size: int) -> Layers:
    return [global_avg_pool() if form == "text" else flatten(), dense(size), relu()]


def _convolution(form: str, size: int) -> Layers:
    if form == "text":  # Kim 2014
        return [conv(size, (3,)), relu(), global_max_pool()]
    window = (3, 3) if form == "image" else (3,)
    pool = [] if form == "table" else [max_pool(2)]  # neighbouring columns are not alike
    first = [] if form == "image" else _steps(form)
    return [
        *first,
        conv(CHANNELS, window),
        relu(),
        *pool,
        conv(size, window),
        relu(),
        *pool,
        flatten(),
    ]


def _lstm(form: str, size: int) -> Layers:
    return [*_steps(form), lstm(size, sequence=False)]


def _attention(form: str, size: int) -> Layers:
    attend = serial(layer_norm(), multi_head_attention(HEADS))
    mlp = serial(layer_norm(), dense(size), gelu(), dense(WIDTH))
    last = stateless("last", lambda x: x[:, -1], positions="removed")
    block = [residual(attend), residual(mlp, name="mlp"), layer_norm()]
    pool = last if form == "series" else global_avg_pool()
    return [*_steps(form), dense(WIDTH), positional_encoding(), *block, pool]


def _steps(form: str) -> Layers:
    """The example as a sequence (n, t, c): rows of an image, columns of a table."""
    if form == "image":
        return [stateless("rows", lambda x: x[..., 0], positions="mixed")]
    if form == "table":
        return [stateless("columns", lambda x: x[..., None], positions="mixed")]
    return []


KINDS: dict[str, Callable[[str, int], Layers]] = {
    "dense": _dense,
    "convolution": _convolution,
    "LSTM": _lstm,
    "attention": _attention,
}
