"""Recurrent networks that read a sequence and then judge it."""

from fcnn import layers
from fcnn.layers import Layer, dense, initializers, serial


def lstm(hidden: int = 128, classes: int = 10) -> Layer:
    """One LSTM over the sequence, and `classes` logits from its last output.

    Shapes: (n, t, c) in, (n, classes) out.
    Source: Hochreiter & Schmidhuber 1997.
    """
    logits = dense(classes, w_init=initializers.lecun)
    return serial(layers.lstm(hidden, sequence=False), logits, name="lstm")
