"""A tiny network of each kind: dense, convolutional, and recurrent over the rows of an image."""

from collections.abc import Callable

import fcnn
from fcnn.data import Images
from fcnn.layers import Layer, conv, dense, flatten, initializers, relu, serial

NETWORKS: dict[str, Callable[[int], Layer]] = {
    "MLP": lambda classes: fcnn.models.mlp((32, 32), classes),
    "CNN": lambda classes: serial(
        *(part for c in (8, 16) for part in (conv(c, (3, 3), stride=2), relu())),
        flatten(),
        dense(classes, w_init=initializers.lecun),
    ),
    "LSTM": lambda classes: fcnn.models.lstm(24, classes),
}


def as_input(network: str, images: Images) -> Images:
    """The images, which the LSTM reads row by row: (n, h, w, c) -> (n, h, w c)."""
    n, h, *_ = images.x.shape
    return Images(images.x.reshape(n, h, -1), images.y) if network == "LSTM" else images
