"""Networks that forecast: a window (n, length, 1) to the values after it (n, horizon).

Each has one free size, chosen so that all but the linear model have about the same parameters.
"""

from collections.abc import Callable

import fcnn
from experiments.framework.forecasts import Series
from experiments.framework.sized import nearest
from fcnn.layers import (
    Layer,
    conv,
    dense,
    flatten,
    gru,
    initializers,
    lstm,
    relu,
    residual,
    rnn,
    serial,
    stateless,
)

LINEAR = "linear"
TAPS = 3  # of a causal convolution; its dilations are 1, 3, 9, ... until it spans the window


def network(method: str, series: Series, parameters: int) -> Layer:
    """The network of this method with the size nearest to this number of parameters."""
    build = lambda size: serial(
        *BODIES[method](size, series.length), dense(series.horizon, w_init=initializers.lecun)
    )
    if method == LINEAR:  # it has no size
        return build(0)
    return build(nearest(build, lambda model: count(model, series), parameters))


def count(model: Layer, series: Series) -> int:
    """The number of parameters."""
    return fcnn.summary(model, (series.length, 1)).parameters


def _causal(channels: int, length: int) -> list[Layer]:
    """Dilated causal convolutions, the later ones residual, and the last step of their output.

    With several seeds as one program, im2col takes half the time of the default implementation.
    """
    layers: list[Layer] = []
    dilation = 1
    while dilation < length:  # which is the number of steps that the layers before see
        padding = (((TAPS - 1) * dilation, 0),)  # before the first step: causal
        filtered = conv(channels, (TAPS,), dilation=dilation, padding=padding, impl="im2col")
        step = serial(filtered, relu())
        layers.append(residual(step) if layers else step)
        dilation *= TAPS
    return [*layers, stateless("last", lambda x: x[:, -1], positions="removed")]


BODIES: dict[str, Callable[[int, int], list[Layer]]] = {
    "LSTM": lambda size, length: [lstm(size, sequence=False)],
    "GRU": lambda size, length: [gru(size, sequence=False)],
    "RNN": lambda size, length: [rnn(size, sequence=False)],
    "convolution": _causal,
    "dense": lambda size, length: [flatten(), dense(size), relu()],
    LINEAR: lambda size, length: [flatten()],
}
METHODS = tuple(BODIES)
