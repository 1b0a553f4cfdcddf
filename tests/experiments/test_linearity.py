"""Known answers of the measures of the experiment linearity, and its evidence."""

import numpy as np
import pytest

import fcnn
from experiments.framework.options import Options
from experiments.framework.verdict import judge
from experiments.linearity import EXPERIMENT, curve, maps, regions, xor
from experiments.linearity.measure import DEPTHS, LINEAR, REGRESSION, RELU, prepare

pytestmark = pytest.mark.usefixtures("jax_defaults")


def test_the_linear_program_separates_14_of_16_functions():
    found = xor.separable()
    assert [bits for bits, possible in found.items() if not possible] == ["0110", "1001"]
    assert xor.certificate() == [0, 0, 0]
    assert xor.by_hand(xor.POINTS).tolist() == list(xor.XOR)


def test_regions_along_a_line():
    w, b = np.ones((1, 3)), np.array([-0.25, -0.5, -2.0])  # two units switch in [0, 1]
    ends = np.zeros(1), np.ones(1)
    assert regions.along([(w, b)], *ends) == 3
    second = np.array([[1.0], [0.0], [0.0]]), np.array([-0.375])  # switches at 0.625
    assert regions.along([(w, b), second], *ends) == 4
    assert regions.along([(w, b)], ends[0], ends[0]) == 1


def test_the_sawtooth_doubles_its_regions_with_each_layer():
    assert [regions.sawtooth(depth) for depth in (1, 2, 5)] == [2, 4, 32]


def test_networks_have_equal_parameters():
    _, prepared = prepare(Options(dataset="digits", smoke=True))
    found = {name: fcnn.summary(prepared.network(name), (8, 8, 1)) for name in DEPTHS}
    assert found[REGRESSION].parameters == 65 * 10
    assert found[RELU[0]].parameters == 65 * 128 + 129 * 10
    for name in (LINEAR, *RELU):
        assert sum(row.parameters > 0 for row in found[name].rows) == DEPTHS[name] + 1
        assert abs(found[name].parameters / found[RELU[0]].parameters - 1) < 0.01


@pytest.mark.parametrize("n", [1, 8, 32])
def test_the_constructed_network_interpolates(n, monkeypatch):
    """For x², max |f''| is 2, so the largest error is 1 / (4 n²)."""
    monkeypatch.setattr(curve, "curve", lambda seed, x: x**2)
    assert curve.constructed(0, n) == pytest.approx(1 / (4 * n**2), rel=1e-6)


def test_jacobians_with_and_without_relu():
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 1))
    found = maps.of_depth(2, x, 1)
    assert found["rank"] == [maps.NARROWEST]
    assert found["error"][0] < 1e-13
    assert found["distinct"] == [1]
    assert found["distinct with relu"] == [3]


SEPARABLE = {f"{i:04b}": i not in (6, 9) for i in range(16)}  # not XOR and XNOR
TEST = {REGRESSION: 0.95, LINEAR: 0.94, RELU[0]: 0.97, RELU[-1]: 0.98}
REGIONS = {RELU[0]: 30, RELU[-1]: 60}


def verdicts(
    error=1e-13,
    rank=maps.NARROWEST,
    separable=SEPARABLE,
    perceptron=3,
    four_units=4,
    error_of_128=1 / 16,
    sawtooth=1024,
    regions=REGIONS,
    test=TEST,
):
    trained = [
        {"hidden": n, "correct": [*[k] * 9, 3]} for n, k in ((0, perceptron), (4, four_units))
    ]
    curves = [{"units": 128, "errors": [error_of_128] * 2}, {"units": 32, "errors": [1.0] * 2}]
    m = {
        "Jacobians, depth 2": {"depth": 2, "error": [error], "rank": [rank]},
        "XOR": {"separable": separable, "trained": trained},
        "curves": {"constructed": curves},
        "sawtooth": [{"depth": 10, "regions": sawtooth}],
        **{name: {"test": [accuracy] * 2} for name, accuracy in test.items()},
    }
    for name, count in regions.items():
        m[name]["regions"] = {"drawn": [count] * 2, "trained": [count] * 2}
    return [v.verdict for v in judge(EXPERIMENT.claims, EXPERIMENT.evidence(m))]


@pytest.mark.parametrize(
    ("change", "index"),
    [
        ({"error": 1e-11}, 0),
        ({"rank": maps.NARROWEST + 1}, 0),
        ({"separable": SEPARABLE | {"1001": True}}, 1),
        ({"separable": SEPARABLE | {"0001": False}}, 1),
        ({"perceptron": 4}, 2),
        ({"four_units": 3}, 3),
        ({"error_of_128": 1 / 8}, 4),
        ({"sawtooth": 21}, 5),
        ({"regions": {RELU[0]: 60, RELU[-1]: 30}}, 6),
        ({"test": TEST | {REGRESSION: 0.91}}, 7),
        ({"test": TEST | {REGRESSION: 0.97}}, 7),
        ({"test": TEST | {RELU[-1]: 0.93}}, 8),
    ],
)
def test_each_claim_can_fail(change, index):
    assert verdicts() == ["held"] * 9
    assert [i for i, word in enumerate(verdicts(**change)) if word == "failed"] == [index]
