"""Parameters of single layers by image size, and of whole networks for images of 224×224×3."""

from collections.abc import Sequence
from typing import Any

import fcnn
from fcnn.layers import Layer, conv, dense, flatten, max_pool, relu, serial

SIDES = (8, 16, 32, 64, 128, 224)
CHANNELS, FEATURES = 3, 64
TEXTBOOK = "three convolutions, dense 512"


def layers(sides: Sequence[int] = SIDES) -> list[dict[str, Any]]:
    """Counted parameters of a layer with 64 features on images of several sizes, and by formula."""
    found = []
    for side in sides:
        n = side * side * CHANNELS
        for name, layer, formula in (
            ("dense", serial(flatten(), dense(FEATURES)), n * FEATURES + FEATURES),
            ("conv 3×3", conv(FEATURES, (3, 3)), 9 * CHANNELS * FEATURES + FEATURES),
        ):
            counted = fcnn.summary(layer, (side, side, CHANNELS)).parameters
            found.append({"layer": name, "side": side, "parameters": counted, "formula": formula})
    for n, m in ((64, 10), (784, 128), (1024, 1024), (4096, 1000)):
        counted = fcnn.summary(dense(m), (n,)).parameters
        found.append(
            {"layer": f"dense {n}→{m}", "side": 0, "parameters": counted, "formula": n * m + m}
        )
    return found


def networks() -> dict[str, list[int]]:
    """Parameters of each layer that has some, by network."""
    return {
        name: [row.parameters for row in fcnn.summary(net, (224, 224, 3)).rows if row.parameters]
        for name, net in (
            ("one convolution of 64 channels", serial(conv(64, (3, 3)), flatten(), dense(1000))),
            (TEXTBOOK, fcnn.models.cnn(classes=1000)),
            ("AlexNet, Krizhevsky 2014", alexnet()),
            ("VGG-16, Simonyan & Zisserman 2014", vgg16()),
        )
    }


def alexnet() -> Layer:
    """The variant with 61,100,840 parameters, as in torchvision."""
    pool, head = max_pool(3, stride=2), (dense(4096), dense(4096), dense(1000))
    first = (conv(64, (11, 11), stride=4, padding=2), relu(), pool, conv(192, (5, 5), padding=2))
    rest = (conv(384, (3, 3)), conv(256, (3, 3)), conv(256, (3, 3)))
    return serial(*first, relu(), pool, *rest, relu(), pool, flatten(), *head)


def vgg16() -> Layer:
    """The network with 138,357,544 parameters."""
    stages = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    body = [layer for c, n in stages for layer in (*[conv(c, (3, 3))] * n, max_pool(2))]
    return serial(*body, flatten(), dense(4096), dense(4096), dense(1000))
