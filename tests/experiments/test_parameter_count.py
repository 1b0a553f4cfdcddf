"""Counts and the interpolation of the experiment parameter_count: known answers."""

import math

import pytest

from experiments.framework.verdict import judge
from experiments.parameter_count import EXPERIMENT, needed
from experiments.parameter_count.counts import TEXTBOOK, layers, networks
from experiments.parameter_count.measure import Results


def test_published_networks_have_their_published_parameters():
    found = networks()
    assert sum(found["AlexNet, Krizhevsky 2014"]) == 61_100_840
    assert sum(found["VGG-16, Simonyan & Zisserman 2014"]) == 138_357_544
    # 3×3×3×32 + 32, 3×3×32×64 + 64, 3×3×64×128 + 128, 28×28×128×512 + 512, 512×1000 + 1000
    assert found[TEXTBOOK] == [896, 18_496, 73_856, 51_380_736, 513_000]


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


DENSE, CONV = {1: 0.90, 2: 0.94}, {1: 0.96, 2: 0.98}  # accuracy by width


def verdicts(parameters=(650, 650), networks=(1, 99), dense=DENSE, conv=CONV, dense_size=4000):
    layer = {"layer": "dense", "parameters": parameters[0], "formula": parameters[1]}
    row = lambda name, width, size, accuracy: {
        **{"network": name, "width": width, "parameters": size, "test": [accuracy] * 2}
    }
    trained = [
        *(row("dense", width, dense_size * width, a) for width, a in dense.items()),
        *(row("conv3", width, 1000 * width, a) for width, a in conv.items()),
    ]
    counts = {"layers": [layer], "networks": {TEXTBOOK: networks, "another": (1, 1)}}
    found = EXPERIMENT.evidence(Results(counts, trained, target=0.95))
    return [v.verdict for v in judge(EXPERIMENT.claims, found)]


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({"parameters": (650, 640)}, 0),
        ({"networks": (3, 97)}, 1),
        ({"dense": {1: 0.90, 2: 0.99}, "conv": {1: 0.95, 2: 0.92}}, 2),
        ({"dense_size": 500}, 3),
    ],
)
def test_each_claim_can_fail(change, index):
    assert verdicts() == ["held"] * 4
    assert [i for i, word in enumerate(verdicts(**change)) if word == "failed"] == [index]
