"""Means over masks and equal training have known answers, and each claim can fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.dropout import EXPERIMENT
from experiments.dropout.equivalence import scales, times
from experiments.dropout.evidence import best, slope_of_gap
from experiments.dropout.masks import AVERAGED, BY_P, NETWORK, compared, summary
from experiments.dropout.measure import (
    ALONE,
    BOTH,
    DECAYED,
    EQUIVALENCE,
    SPEED,
    WITH_MASKS,
    Setting,
    learned,
    picture,
)
from experiments.dropout.networks import network
from experiments.dropout.speed import EVERY, TARGET, fewest, loss_of, with_losses
from experiments.framework.claim import NotJudged
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.trained import Trials
from experiments.framework.verdict import judge
from fcnn.data import Images
from fcnn.layers import classic_dropout


@pytest.mark.usefixtures("jax_defaults")
def test_a_linear_layer_agrees_with_the_mean_over_masks_and_a_wrong_factor_does_not():
    rate, model = 0.2, network(0.2, 3, depth=1)
    x = jax.random.normal(jax.random.key(0), (2, 4))
    params, _ = model.init(jax.random.key(1), (4,))
    params[model.parts[-1][0]]["b"] += 1.0  # a bias is not scaled
    found = jax.jit(lambda key: compared(model, rate, params, x, key, 1000))(jax.random.key(2))
    within = {k: np.abs(mean - y) <= 5 * error for k, (mean, error, y) in found.items()}
    assert within["inverted"].all()
    assert within["classic"].all()
    assert within[NETWORK].all()  # its only dropout is that before the linear layer
    assert not within[BY_P].all()


def test_the_difference_is_without_the_error_of_the_mean_over_masks():
    evaluated, error = np.ones((2, 4)), np.full((2, 4), 0.4)
    mean = 1.3 + error * [1, -1, 1, -1]
    of = lambda mean: summary([np.stack([mean, error, evaluated])])["difference"]
    assert of(mean) == pytest.approx([30])
    assert of(evaluated) == [0.0]


@pytest.mark.usefixtures("jax_defaults")
def test_losses_are_without_masks_on_the_images_of_the_seed():
    x = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
    log = Log(lambda **values: None, lambda text: None, lambda text, share: None)
    model = network(0.9, 3, depth=1)
    trials = Trials(model, Images(x, np.arange(12) % 3), seeds=2, log=log, label="")
    budget = {"epochs": 15, "batch_size": 4, "subset": 8, "rate": 1e-2}
    run, losses = with_losses(trials, loss_of(model), **budget)
    assert losses.shape == (2, 50 // EVERY)
    logits = run.outputs(x)
    for seed in range(2):
        z, y = logits[seed][run.seen[seed]], (np.arange(12) % 3)[run.seen[seed]]
        last = (np.log(np.exp(z).sum(1)) - z[np.arange(8), y]).mean()
        assert losses[seed, -1] == pytest.approx(last, rel=1e-5)
    assert run.loss.shape == (2, 50)


def test_the_rate_with_the_fewest_steps_is_taken():
    late, soon = ([[1.0] * k + [TARGET / 2] * (9 - k)] * 2 for k in (5, 2))
    found = fewest({0.1: np.array(late), 0.2: np.array(soon), 0.3: np.ones((2, 9))})
    assert (found["rate"], found["steps"], found["all_steps"]) == (0.2, [3 * EVERY] * 2, 9 * EVERY)


def test_kernels_after_a_dropout_are_scaled():
    model = network(0.5, 3, depth=2, drop=classic_dropout)
    params, _ = model.init(jax.random.key(0), (4,))
    scale = scales(model, 0.5)
    assert list(scale.values()) == [1.0, 2.0, 2.0]
    scaled = times(params, scale)
    last = list(scale)[-1]
    assert jnp.array_equal(scaled[last]["w"], 2 * params[last]["w"])
    assert jnp.array_equal(scaled[last]["b"], params[last]["b"])


@pytest.mark.usefixtures("jax_defaults")
def test_the_picture_drops_some_units_but_no_output():
    *hidden, outputs = picture()
    assert all(outputs)
    assert 0 < sum(map(sum, hidden)) < sum(map(len, hidden))


@pytest.mark.usefixtures("jax_defaults")
def test_a_rate_at_which_training_diverges_is_left_out(monkeypatch):
    x = np.random.default_rng(0).standard_normal((40, 2, 2, 1)).astype(np.float32)
    images = Images(x, (x[:, 0, 0, 0] > 0).astype(np.int32))
    data, notes = Splits(images, images, images, 2), []
    log = Log(lambda **values: None, notes.append, lambda text, share: None)
    config = Options(seeds=2, epochs=1)
    monkeypatch.setitem(learned.__globals__, "RATES", (1e39, 1e-2))
    found = learned(config, data, Setting(0.8), log, depth=1)
    assert (found["rate"], found[SPEED]["rate"]) == (1e-2, 1e-2)
    assert sum("diverges at the rate 1e+39" in note for note in notes) == 1
    monkeypatch.setitem(learned.__globals__, "RATES", (1e39,))
    with pytest.raises(
        FloatingPointError, match=r"dropout 0\.8, decay 0: .* at each rate of 1e\+39"
    ):
        learned(config, data, Setting(0.8), log, depth=1)


def test_the_better_result_is_chosen_on_validation():
    a, b = ALONE[:2]
    m = {a.name: {"validation": [0.9, 0.9]}, b.name: {"validation": [1.0, 0.9]}}
    assert best(m, [a, b]) is m[b.name]


def speed(*steps):
    return {"steps": list(steps), "all_steps": 1000}


def result(test=0.9, train=1.0, validation=0.9, steps=100):
    counts = {SPEED: speed(steps, steps)}
    shares = {"test": [test] * 2, "train": [train] * 2, "validation": [validation] * 2}
    return shares | counts


def with_masks(network=5.0, linear=1.0, within=9, average=0.92):
    forms = {name: {"within": within, "of": 9, "difference": [linear] * 2} for name in LINEAR}
    return {
        "agreement": forms | {NETWORK: {"difference": [network] * 2}},
        "averages": {f"{AVERAGED[-1]}": [average] * 2},
    }


LINEAR = ("inverted", "classic")
HALF, NONE = WITH_MASKS[-1].name, ALONE[0].name
GOOD = {
    EQUIVALENCE: {"0.5": [0.0, 1e-7]},
    **{s.name: result(test=0.92, train=1 - 0.05 * s.dropped) for s in ALONE},
    **{s.name: result(test=0.91) for s in DECAYED},
    **{s.name: result(test=0.93) for s in BOTH},
    NONE: result(test=0.9),
    WITH_MASKS[0].name: result(test=0.92) | with_masks(),
    HALF: result(test=0.92, steps=300, train=0.97) | with_masks(),
}


def test_the_slope_is_in_points_per_tenth():
    m = {s.name: result(test=0.5, train=1 - 0.2 * s.dropped) for s in ALONE}
    assert slope_of_gap(m) == pytest.approx([-2.0, -2.0])


@pytest.mark.parametrize(
    ("part", "change", "index"),
    [
        (HALF, {}, None),
        (HALF, with_masks(within=8), 0),
        (HALF, with_masks(network=0.5), 1),
        (EQUIVALENCE, {"0.5": [0.0, 0.1]}, 2),
        (Setting(0.8).name, {"train": [1.0, 1.0], "test": [0.5, 0.5]}, 3),
        (NONE, {"test": [0.925, 0.925]}, 4),
        (HALF, {SPEED: speed(150, 150)}, 5),
        (NONE, {SPEED: speed(None, None)}, 5),
        (DECAYED[0].name, {"test": [0.95, 0.95], "validation": [0.99, 0.99]}, 6),
        (HALF, with_masks(average=0.95), 7),
    ],
)
def test_each_claim_can_fail(part, change, index):
    measured = GOOD | {part: GOOD[part] | change}
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected


def test_steps_that_are_a_bound_on_both_sides_are_not_judged():
    late = {name: GOOD[name] | {SPEED: speed(400, None)} for name in (HALF, NONE)}
    assert isinstance(EXPERIMENT.evidence(GOOD | late)[5], NotJudged)
