"""Four kinds of network with about as many parameters as an LSTM of UNITS units."""

from functools import cache, partial

import fcnn
from experiments.framework.sized import nearest
from fcnn.layers import (
    Layer,
    dense,
    gru,
    initializers,
    layer_norm,
    lstm,
    multi_head_attention,
    positional_encoding,
    relu,
    residual,
    rnn,
    serial,
    stateless,
)

RECURRENT = {"RNN": rnn, "LSTM": lstm, "GRU": gru}
KINDS = (*RECURRENT, "attention")
UNITS = 24  # of LSTM
WIDTH = 16  # of attention, which has one head; the hidden units of its block vary


def network(kind: str, units: int, answers: int, outputs: int, order: bool = True) -> Layer:
    """A network with outputs at the last `answers` steps. Without `order`: no positions.

    Shapes: x (n, t, c) -> (n, answers, outputs).
    """
    last = stateless("last", lambda x: x[:, -answers:], positions="mixed")
    logits = dense(outputs, w_init=initializers.lecun)
    if kind != "attention":
        return serial(RECURRENT[kind](units), last, logits)
    positions = [positional_encoding()] if order else []
    attend = residual(serial(layer_norm(), multi_head_attention(1)))
    hidden = residual(serial(layer_norm(), dense(units), relu(), dense(WIDTH)))
    return serial(dense(WIDTH), *positions, attend, last, hidden, layer_norm(), logits)


@cache
def units_of(kind: str, features: int, answers: int, outputs: int) -> int:
    """Units for as many parameters as LSTM has; of attention, the hidden units of its block."""
    if kind == "LSTM":
        return UNITS
    shape = answers, features  # parameters do not depend on the number of steps
    build = lambda kind, units: network(kind, units, answers, outputs)
    parameters = lambda net: fcnn.summary(net, shape).parameters
    return nearest(partial(build, kind), parameters, parameters(build("LSTM", UNITS)))
