"""Known answers of the measures of the experiment linearity."""

import numpy as np
import pytest

from experiments.linearity import curve, maps, regions, xor

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


def test_widths_give_equal_parameters():
    budget = 65 * 128 + 129 * 10
    for depth in (1, 2, 4):
        w = regions.width(depth, budget, 64, 10)
        parameters = 65 * w + (depth - 1) * (w + 1) * w + (w + 1) * 10
        assert abs(parameters - budget) / budget < 0.01


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
