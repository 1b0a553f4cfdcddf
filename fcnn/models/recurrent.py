"""Recurrent networks that classify a sequence."""

from fcnn import layers
from fcnn.layers import Layer, dense, initializers, serial


def lstm(hidden: int = 128, classes: int = 10) -> Layer:
    """LSTM over a sequence, and `classes` logits from its last state.

    Shapes: x (n, t, c) -> logits (n, classes).
    Options:
        hidden: features of the LSTM's state.
        classes: number of logits.
    Raises: ValueError for counts below 1.
    Source: Hochreiter & Schmidhuber 1997.

    >>> fcnn.summary(fcnn.models.lstm(128), (64, 28)).parameters
    81674
    """
    logits = dense(classes, w_init=initializers.lecun)
    return serial(layers.lstm(hidden, sequence=False), logits, name="lstm")
