"""Deep dense networks, with and without batch norm or residual connections."""

from fcnn import layers
from fcnn.layers import Layer, batch_norm, dense, flatten, initializers, repeat, residual, serial

UNITS = 64
CLAIMED, TRAINED, DEEPEST = 10, 20, 30  # hidden layers
DEPTHS = (2, 5, CLAIMED, TRAINED, DEEPEST)
ACTIVATIONS = {
    "sigmoid": (layers.sigmoid, initializers.glorot),
    "tanh": (layers.tanh, initializers.glorot),
    "relu": (layers.relu, initializers.he),
}


def network(activation: str, depth: int, classes: int, remedy: str = "plain") -> Layer:
    """`depth` hidden layers, all but the first as one loop."""
    make, w_init = ACTIVATIONS[activation]
    f = [*([batch_norm()] if remedy == "batch norm" else []), make()]
    block = serial(*f, dense(UNITS, w_init=w_init))
    return serial(
        flat=flatten(),
        first=dense(UNITS, w_init=w_init),
        others=repeat(residual(block) if remedy == "residual" else block, depth - 1),
        last=serial(*f),
        head=dense(classes, w_init=w_init),
    )
