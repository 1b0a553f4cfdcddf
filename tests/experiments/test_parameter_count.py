"""Counts and the interpolation of the experiment parameter_count: known answers."""

import math

import pytest

from experiments.parameter_count import needed
from experiments.parameter_count.counts import TEXTBOOK, layers, networks


def test_published_networks_have_their_published_parameters():
    found = {name: sum(each) for name, each in networks().items()}
    assert found["AlexNet, Krizhevsky 2014"] == 61_100_840
    assert found["VGG-16, Simonyan & Zisserman 2014"] == 138_357_544
    # 3×3×3×32 + 32, 3×3×32×64 + 64, 3×3×64×128 + 128, 28×28×128×512 + 512, 512×1000 + 1000
    assert networks()[TEXTBOOK] == [896, 18_496, 73_856, 51_380_736, 513_000]


def test_a_dense_layer_grows_with_the_image_and_a_convolution_does_not():
    found = layers((8, 16))
    counted = {(r["layer"], r["side"]): r["parameters"] for r in found}
    assert counted["dense", 8] == 8 * 8 * 3 * 64 + 64
    assert counted["dense", 16] == 16 * 16 * 3 * 64 + 64
    assert counted["conv 3×3", 8] == counted["conv 3×3", 16] == 3 * 3 * 3 * 64 + 64
    assert all(r["parameters"] == r["formula"] for r in found)


@pytest.mark.parametrize(
    ("accuracies", "parameters"),
    [
        ((0.8, 0.9, 1.0), 200),  # reached halfway between 100 and 400 on a logarithmic axis
        ((0.8, 0.85, 0.9), 800),  # between 400 and 1600
        ((0.9, 0.9, 0.9), 100),
        ((0.1, 0.2, 0.3), math.inf),
        ((0.8, 0.9, 0.1), 200),  # the first time counts
    ],
)
def test_parameters_needed_for_an_accuracy(accuracies, parameters):
    target = 0.875 if parameters == 800 else 0.85
    by_parameters: dict[int, float] = dict(zip((100, 400, 1600), accuracies, strict=True))
    assert needed(by_parameters, target, math.inf) == pytest.approx(parameters)
