"""Multilayer perceptron: dense layers with an activation between them."""

from collections.abc import Callable, Sequence

from fcnn.layers import Layer, dense, flatten, initializers, relu, serial


def mlp(
    hidden: Sequence[int] = (128, 64),
    classes: int = 10,
    *,
    activation: Callable[[], Layer] = relu,
) -> Layer:
    """Multilayer perceptron: flatten, (dense, activation) per hidden layer, dense to logits.

    Shapes: x (n, *size) -> logits (n, classes).
    Options:
        hidden: features of each hidden layer.
        classes: number of logits.
        activation: function that returns the layer after each hidden dense layer.
    Raises: ValueError for counts below 1.
    Source: Rumelhart, Hinton & Williams 1986.

    >>> fcnn.summary(fcnn.models.mlp((128, 64)), (28, 28, 1)).parameters
    109386
    """
    stages = [layer for features in hidden for layer in (dense(features), activation())]
    return serial(flatten(), *stages, dense(classes, w_init=initializers.lecun), name="mlp")
