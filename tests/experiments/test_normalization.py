"""Regions of cells and choices have known answers, and each claim can fail."""

import jax
import jax.numpy as jnp
import pytest

import fcnn
from experiments.framework.claim import NotJudged, Pairs
from experiments.framework.verdict import judge
from experiments.normalization import EXPERIMENT
from experiments.normalization.evidence import accuracy_by_start, largest_rates
from experiments.normalization.measure import FEW_IMAGES, REGIONS, STARTS
from experiments.normalization.networks import (
    BATCH,
    KINDS,
    SMALL,
    WITHOUT,
    batch_norm_of,
    dense_network,
)
from experiments.normalization.regions import C, H, N, W, expected, found
from experiments.normalization.training import HE, RATES, best, normal


@pytest.mark.usefixtures("jax_defaults")
def test_an_operator_with_another_region_is_found():
    per_cell = {"batch norm": N * H * W, "layer norm": H * W * C, "instance norm": H * W}
    regions = expected()
    assert {name: set(regions[name].sum(1)) for name in per_cell} == {
        name: {count} for name, count in per_cell.items()
    }
    rows = found(lambda x: fcnn.layer_norm(x, jnp.ones(C), jnp.zeros(C)))
    matching = [name for name, mask in regions.items() if (rows == mask).all()]
    assert matching == ["layer norm, one position"]
    alone = found(lambda x: x)
    assert not any((alone == mask).all(1).any() for mask in regions.values())


def test_a_start_changes_kernels_and_no_bias():
    params = {"dense": {"w": jnp.zeros((50, 40)), "b": jnp.ones(40)}}
    changed = normal(0.1)(params, jax.random.key(0))["dense"]
    assert float(changed["w"].std()) == pytest.approx(0.1, rel=0.1)
    assert jnp.array_equal(changed["b"], params["dense"]["b"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_network_is_built(kind):
    build, norms = KINDS[kind]
    for norm in norms:
        assert output_shape(build(norms[norm], 10)) == (2, 10)


@pytest.mark.parametrize("name", [WITHOUT, BATCH])
def test_the_dense_network_is_built(name):
    assert output_shape(dense_network(name, 10, 0.5)) == (2, 10)


def test_running_statistics_are_of_equally_many_images_with_any_batch():
    weights = []
    for batch in (64, SMALL):
        (norm,) = batch_norm_of(batch)
        params, state = norm.init(jax.random.key(0), (3,))
        for _ in range(64 // batch):
            _, state = norm.apply(params, state, jnp.ones((2, 3)), train=True)
        weights.append(1 - float(state["mean"][0]))  # of the initial mean, 0
    assert weights == pytest.approx([0.9, 0.9], rel=1e-4)


def output_shape(net):
    def outputs(key):
        params, state = net.init(key, (8, 8, 1))
        return net.apply(params, state, jnp.zeros((2, 8, 8, 1)), key=key, train=True)[0]

    return jax.eval_shape(outputs, jax.random.key(0)).shape


def result(rate=0.1, test=0.95, steps=100):
    return {
        "rate": rate,
        "validation": [test] * 2,
        "test": [test] * 2,
        "steps": [steps] * 2,
        "all_steps": 400,
    }


def starts(he, *others):
    runs = {HE: he, **{f"{i}": results for i, results in enumerate(others)}}
    return {"runs": runs, "classes": 10, "seeds": 2}


def batches(large, small):
    return {"64": {"test": [large] * 2}, "2": {"test": [small] * 2}}


GOOD = {
    REGIONS: {"batch norm": {"right": 48, "of": 48}},
    STARTS[WITHOUT]: starts([result(steps=200), None], [result()], [None, None]),
    STARTS[BATCH]: starts([result(), result(1.0, 0.94)], [result()], [result(test=0.94)]),
    FEW_IMAGES[WITHOUT]: {"0": result(test=0.9), "0.2": result(test=0.92)},
    FEW_IMAGES[BATCH]: {"0": result(test=0.9), "0.2": result(test=0.91)},
    "CNN, batch norm": batches(0.97, 0.95),
    "CNN, group norm": batches(0.97, 0.965),
    **{f"{kind}, batch norm": batches(0.9, 0.9) for kind in ("LSTM", "transformer")},
    **{f"{kind}, layer norm": batches(0.9, 0.92) for kind in ("LSTM", "transformer")},
}


def test_a_start_that_diverges_counts_with_chance():
    assert accuracy_by_start(GOOD[STARTS[WITHOUT]])["1"] == [10.0, 10.0]
    assert best([None, result(test=0.1), result(test=0.2)]) == 2
    with pytest.raises(FloatingPointError, match="write lower RATES"):
        best([None, None])


def test_the_largest_rate_needs_a_good_accuracy():
    part = starts([result(0.1), result(1.0, test=0.89), None])
    assert largest_rates(part) == [0.1, 0.1]
    evidence = EXPERIMENT.evidence(GOOD | {STARTS[BATCH]: starts([result(test=0.5)])})
    assert isinstance(evidence[3], NotJudged)


def test_a_network_that_diverges_at_each_rate_has_no_steps():
    evidence = EXPERIMENT.evidence(GOOD | {STARTS[BATCH]: starts([None, None])})
    assert evidence[1] == NotJudged("batch norm: training diverges at each rate from He's weights")


def test_the_largest_rate_tried_is_a_bound():
    top = result(RATES[-1])
    change = lambda batch, without: EXPERIMENT.evidence(
        GOOD | {STARTS[BATCH]: starts([batch]), STARTS[WITHOUT]: starts([without])}
    )[3]
    assert isinstance(change(top, result(1.0)), Pairs)
    assert change(top, result(RATES[-1] / 2)) == NotJudged(
        "the largest rate of batch norm is the largest one tried: the difference is at least 1.0"
    )
    both = ("batch norm", "no normalization")
    ends = (f"the largest rate of {name} is the largest one tried" for name in both)
    assert change(top, top) == NotJudged(", and ".join(ends))
    assert isinstance(change(result(1.0), top), Pairs)


def test_the_fewest_steps_are_of_another_rate_than_the_best_accuracy():
    quick, better = result(0.1, 0.5, steps=50), result(0.3, 0.99, steps=300)
    part = {STARTS[BATCH]: starts([better, None, quick], [better])}
    found = EXPERIMENT.evidence(GOOD | part)[1]
    assert isinstance(found, Pairs)
    assert found.b == [pytest.approx(5.643856)] * 2


@pytest.mark.parametrize(
    ("part", "value", "index"),
    [
        (REGIONS, GOOD[REGIONS], None),
        (REGIONS, {"batch norm": {"right": 47, "of": 48}}, 0),
        (
            STARTS[WITHOUT],
            starts([result(steps=50)], [result()], [None]),
            1,
        ),
        (
            STARTS[BATCH],
            starts([result(), result(1.0, 0.94)], [result()], [None]),
            2,
        ),
        (
            STARTS[BATCH],
            starts([result(), result(0.15, 0.94)], [result()], [result(test=0.94)]),
            3,
        ),
        (FEW_IMAGES[BATCH], {"0": result(test=0.9), "0.2": result(test=0.93)}, 4),
        ("CNN, batch norm", batches(0.97, 0.98), 5),
        ("CNN, group norm", batches(0.97, 0.955), 6),
        ("LSTM, batch norm", batches(0.9, 0.95), 7),
        ("transformer, batch norm", batches(0.9, 0.95), 8),
    ],
)
def test_each_claim_can_fail(part, value, index):
    measured = GOOD | {part: value}
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    expected = ["failed" if i == index else "held" for i in range(len(EXPERIMENT.claims))]
    assert [v.verdict for v in verdicts] == expected
