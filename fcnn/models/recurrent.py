"""Recurrent networks that classify a sequence."""

from fcnn import layers
from fcnn.layers import Layer, dense, initializers, serial
from fcnn.ops.validation import named, require_counts, require_flags


def lstm(
    hidden: int = 128,
    classes: int = 10,
    *,
    depth: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.0,
) -> Layer:
    """LSTM layers over a sequence, and `classes` logits from the last state.

    Shapes: x (n, t, c) -> logits (n, classes). Reads: lengths (n,).
    Options:
        hidden: features of the state of one LSTM.
        classes: number of logits.
        depth: number of LSTM layers.
        bidirectional: whether each layer also reads the sequence in reverse.
        dropout: probability of dropping after each LSTM layer; 0 for no dropout.
    Raises: ValueError for counts below 1, or a dropout rate outside [0, 1).
    Source: Hochreiter & Schmidhuber 1997; dropout between layers: Zaremba et al., arXiv:1409.2329.

    >>> fcnn.summary(fcnn.models.lstm(128), (64, 28)).parameters
    81674
    >>> model = fcnn.models.lstm(8, depth=2, bidirectional=True, dropout=0.2)
    >>> params, state = model.init(jax.random.key(0), (5, 3))
    >>> model.apply(params, state, jnp.ones((2, 5, 3)), lengths=jnp.array([5, 2]))[0].shape
    (2, 10)
    """
    with named("lstm"):
        require_counts(depth=depth)
        require_flags(bidirectional=bidirectional)
    both = layers.bidirectional if bidirectional else lambda layer: layer
    drop = [layers.dropout(dropout)] if dropout else []
    stack = [
        layer
        for i in range(1, depth + 1)
        for layer in (both(layers.lstm(hidden, sequence=i < depth)), *drop)
    ]
    return serial(*stack, dense(classes, w_init=initializers.lecun), name="lstm")
