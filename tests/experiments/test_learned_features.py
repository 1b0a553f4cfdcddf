"""Known answers of the measures of features: selectivity, receptive fields and probes."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from experiments.features import EXPERIMENT
from experiments.features.fields import (
    by_formula,
    chains,
    effective,
    gradients,
    is_square,
    random_images,
)
from experiments.features.measure import CHAINS, GABOR, LEARNED, RANDOM, RAW, with_filters
from experiments.features.networks import MAPS, body, extractor, gabor, network
from experiments.features.orientation import selectivity, threshold
from experiments.features.probe import STRENGTHS, fit, probe
from experiments.framework.claim import Pairs
from experiments.framework.verdict import judge
from fcnn.data import Images


def test_selectivity_of_known_filters():
    _, x = np.indices((5, 5)) - 2
    point = np.zeros((5, 5))
    point[2, 2] = 1
    edge, bar = np.sign(x), (x == 0) - 0.2
    none, some, most = selectivity(np.stack([point, edge, bar]))
    assert none == pytest.approx(0, abs=1e-12)
    assert threshold(5) < some < most
    for same in (-3 * bar, bar.T):
        assert selectivity(same[None]) == pytest.approx(most)


def test_a_filter_of_two_angles_is_not_selective():
    _, x = np.indices((9, 9)) - 4
    wave = np.cos(2 * np.pi * 0.25 * x)
    one, two = selectivity(np.stack([wave, wave + wave.T]))
    assert one > 0.7
    assert two == pytest.approx(0, abs=1e-6)


def test_five_percent_of_random_filters_exceed_the_threshold():
    drawn = selectivity(np.random.default_rng(1).normal(size=(4000, 5, 5)))
    assert np.mean(drawn > threshold(5)) == pytest.approx(0.05, abs=0.01)


def test_gabor_filters_are_even_or_odd_without_mean():
    filters = gabor(5)
    assert filters.shape == (MAPS, 5, 5)
    np.testing.assert_allclose(filters.mean((1, 2)), 0, atol=1e-7)
    turned = filters[:, ::-1, ::-1]
    np.testing.assert_allclose(filters[0::2], turned[0::2], atol=1e-6)
    np.testing.assert_allclose(filters[1::2], -turned[1::2], atol=1e-6)
    assert selectivity(filters).min() > threshold(5)


def test_the_formula_of_receptive_fields():
    assert by_formula(5) == {"conv1": 5, "conv2": 7, "max_pool1": 8, "conv3": 12}


def test_a_square_has_no_gap_and_one_side():
    gradient = np.zeros((6, 6))
    gradient[1:4, 2:5] = np.arange(1, 10).reshape(3, 3)
    assert is_square(gradient, 3)
    assert not is_square(gradient, 4)
    assert effective(100 * gradient) == 9
    gradient[2, 3] = 0
    assert not is_square(gradient, 3)
    gradient[1, 2] = 9 * 0.045
    assert effective(gradient) == 7
    assert not is_square(np.zeros((6, 6)), 3)


def initial(model, seeds):
    keys = jax.random.split(jax.random.key(0), seeds)
    return jax.vmap(lambda key: model.init(key, (8, 8, 1))[0])(keys)


@pytest.mark.usefixtures("jax_defaults")
def test_gradients_of_an_untrained_network_fill_the_squares():
    """7×7 is the largest filter: its receptive field reaches no border."""
    model = network(7, 10)
    params, _ = jax.vmap(lambda key: model.init(key, (8, 8, 1)))(
        jax.random.split(jax.random.key(0), 1)
    )
    formula = by_formula(7)
    found = gradients(body(model), params, random_images(2, 16, 1), formula)
    squares = zip(found, formula.values(), strict=True)
    assert all(is_square(each[0], side) for each, side in squares)


@pytest.mark.usefixtures("jax_defaults")
def test_receptive_fields_of_chains_grow_by_two_pixels_per_layer():
    found = chains(2, (1, 3))
    for depth, side in (("1", 3), ("3", 7)):
        assert (found[depth]["side"], found[depth]["exact"]) == (side, [True, True])
        assert effective(np.array(found[depth]["gradient"])) == found[depth]["effective"][0]


@pytest.mark.usefixtures("jax_defaults")
def test_features_of_a_given_filter_are_its_mean_responses():
    model = network(5, 10)
    params, _ = jax.vmap(lambda key: model.init(key, (8, 8, 1)))(
        jax.random.split(jax.random.key(0), 2)
    )
    filters = np.zeros((MAPS, 5, 5), np.float32)
    filters[3, 2, 2] = 2
    x = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32)
    found = extractor(model)(with_filters(params, filters), x)
    first = found["layer 1"].reshape(2, 3, 4, 4, MAPS)
    means = 2 * x[..., 0].reshape(3, 4, 2, 4, 2).mean((2, 4))
    np.testing.assert_allclose(first[..., 3], np.stack([means] * 2), rtol=1e-5)
    assert not first[..., 4].any()
    assert found["layer 3"].shape == first.reshape(2, 3, -1).shape


@pytest.mark.usefixtures("jax_defaults")
def test_a_probe_is_softmax_regression_with_an_l2_penalty():
    drawn = np.random.default_rng(0)
    x, y = drawn.normal(size=(1, 90, 4)).astype(np.float32), drawn.integers(0, 3, 90)
    x[0, :, 0] += y
    w, _ = fit(x, y, np.array([0.1], np.float32), classes=3)
    expected = LogisticRegression(C=1 / (90 * 0.1), tol=1e-8).fit(x[0], y).coef_.T
    np.testing.assert_allclose(w[0, 0], expected, atol=2e-3)
    images = Images(100 * x + 7, y)  # standardized by the training images
    found = probe(images, images, images, 3)
    assert found["strength"] in STRENGTHS
    assert found["test"][0] > 0.45


DEEPEST = {"side": 41, "effective": [700, 700]}


def held():
    """Measurements with which every claim holds."""
    probes = lambda *each: {
        f"layer {i + 1}": {"test": [value, value]} for i, value in enumerate(each)
    }
    fields = {"conv3": {"side": 12, "exact": [True, True], "effective": [30, 30]}}
    selective = {
        "selectivity": [[0.6, 0.7] * 10, [0.55, 0.65] * 10],
        "threshold": 0.5,
        "fields": fields,
    }
    return {
        RAW: {"probes": {"pixels": {"test": [0.9, 0.9]}}},
        GABOR: {"probes": probes(0.93)},
        RANDOM: {**selective, "probes": probes(0.92, 0.92, 0.92), "selectivity": [[0.3], [0.25]]},
        LEARNED: {**selective, "probes": probes(0.94, 0.95, 0.96)},
        CHAINS: {"5": {"side": 11, "effective": [99, 99]}, "20": DEEPEST},
    }


def change(name, **entries):
    return {name: held()[name] | entries}


def probe_of(name, layer, test):
    return change(name, probes=held()[name]["probes"] | {f"layer {layer}": {"test": test}})


FIELD = held()[LEARNED]["fields"]["conv3"]


def test_the_smallest_rise_is_that_of_the_means():
    m = held() | probe_of(LEARNED, 2, [0.93, 0.965])  # one seed falls
    assert EXPERIMENT.evidence(m)[2] == Pairs([93, 96.5], [94, 94])


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ({}, None),
        (change(RANDOM, selectivity=[[0.9], [0.85]]), 0),
        (change(LEARNED, selectivity=[[0.4] * 19 + [0.6], [0.35] * 19 + [0.6]]), 1),
        (probe_of(LEARNED, 2, [0.935, 0.935]), 2),
        (probe_of(RANDOM, 3, [0.97, 0.97]), 3),
        (probe_of(RANDOM, 3, [0.89, 0.89]), 4),
        (probe_of(GABOR, 1, [0.96, 0.96]), 5),
        (change(LEARNED, fields={"conv3": FIELD | {"exact": [True, False]}}), 6),
        (change(CHAINS, **{"20": DEEPEST | {"effective": [841, 841]}}), 7),
        (change(CHAINS, **{"5": {"side": 11, "effective": [30, 30]}}), 8),
    ],
)
def test_each_claim_can_fail(changes, index):
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(held() | changes))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
