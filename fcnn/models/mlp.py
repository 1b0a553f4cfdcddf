"""The multilayer perceptron: dense layers with a nonlinearity between."""

from collections.abc import Callable, Sequence

from fcnn.layers import Layer, dense, flatten, initializers, relu, serial


def mlp(
    hidden: Sequence[int] = (128, 64),
    classes: int = 10,
    *,
    activation: Callable[[], Layer] = relu,
) -> Layer:
    """flatten, then (dense, activation) per entry of `hidden`, then dense to `classes` logits.

    Shapes: any input; (n, classes) out.
    Source: Rumelhart, Hinton & Williams 1986.
    """
    stages = [layer for features in hidden for layer in (dense(features), activation())]
    return serial(flatten(), *stages, dense(classes, w_init=initializers.lecun), name="mlp")
