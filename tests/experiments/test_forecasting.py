"""Windows, errors and verdicts of forecasting, where the answers are known."""

import re

import numpy as np
import pytest

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.measure import SERIES
from experiments.forecasting.networks import LINEAR, METHODS, count, network
from experiments.framework.files_of_data import (
    FULL_STEPS,
    STEPS as USUAL,
    Files,
    epochs,
    found,
    with_sizes,
)
from experiments.framework.forecasts import Series, read, split
from experiments.framework.verdict import judge

WEEK = Series("days", "days.csv", "value", "units", "day", season=7, length=8, horizon=3)
STEPS = np.arange(80.0)


@pytest.mark.parametrize("log", [False, True])
def test_perfect_outputs_have_no_error_in_the_units_of_the_series(log):
    values = 20 + STEPS + 5 * np.sin(STEPS)
    test = split(values, WEEK._replace(log=log)).test
    assert test.values(test.y) == pytest.approx(test.truth)
    assert test.errors(test.y[None] * np.ones((2, 1, 1))) == pytest.approx([0, 0])
    unchanged = np.abs(test.truth - values[60 + 7 : 60 + 7 + len(test.x), None]).mean()
    assert test.last_error == pytest.approx(unchanged)


def test_the_naive_forecast_is_the_value_one_season_before():
    test = split(STEPS, WEEK).test
    assert (test.truth - test.naive == 7).all()
    assert test.naive_error == 7
    assert test.truth[0].tolist() == [68, 69, 70]


def test_no_window_crosses_a_split_and_only_training_scales():
    values = STEPS.copy()
    before = split(values, WEEK)
    values[40:] *= 100  # validation and test
    after = split(values, WEEK)
    assert (after.train.x == before.train.x).all()
    assert after.test.scaling == before.train.scaling
    assert [len(part.x) for part in after] == [40 - 10, 20 - 10, 20 - 10]


def test_a_series_is_read_from_its_file_and_a_missing_one_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("FCNN_DATA", raising=False)
    config = Files(data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^days.csv: is not in .*; write --data-dir DIR") as info:
        read(WEEK, config)
    assert "\n" not in str(info.value)
    with pytest.raises(ValueError, match=r"^days.csv: there is no folder .*none; write --data-dir"):
        found("days.csv", tmp_path / "none")
    (tmp_path / "inner").mkdir()
    lines = [f"2000-{i},{value}" for i, value in enumerate(STEPS)]
    (tmp_path / "inner/days.csv").write_text("\n".join(["date,value", *lines]))
    monkeypatch.setenv("FCNN_DATA", str(tmp_path))
    assert (read(WEEK, Files()).test.truth == split(STEPS, WEEK).test.truth).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y * 0 + 3.0, "a forecast of Value without training has no error"),
        (lambda y: y - y.max(), "Value has the value .* which has no logarithm"),
    ],
)
def test_values_that_cannot_be_forecast_are_one_line(change, message, tmp_path):
    values = change(np.random.default_rng(0).uniform(1, 9, 400))
    path = tmp_path / WEEK.file
    path.write_text("\n".join(["Day,Value", *(f"d{i},{v}" for i, v in enumerate(values))]))
    series = WEEK._replace(column="Value", log="logarithm" in message)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {message}"):
        read(series, Files(data_dir=tmp_path))


def test_steps_become_passes_over_the_examples():
    assert epochs(Files(steps=1000), 320) == 100
    assert epochs(Files(steps=1000), 20) == 1000  # one batch has more than all examples
    assert with_sizes(Files(full=True)).steps == FULL_STEPS > with_sizes(Files()).steps == USUAL
    continued = Files(full=True, steps=FULL_STEPS)  # as the run that is continued kept it
    assert with_sizes(continued) == continued
    with pytest.raises(ValueError, match="--parameters 1 must be from 1000 to 100000; write"):
        with_sizes(Files(parameters=1))
    with pytest.raises(ValueError, match="--steps 0 must be at least 1; write --steps 600"):
        with_sizes(Files(steps=0))


def test_networks_have_equal_parameters():
    counts = [count(network(k, WEEK, 2000), WEEK) for k in ("dense", "RNN")]
    assert min(counts) > 0.9 * 2000
    assert max(counts) < 1.1 * min(counts)
    assert count(network(LINEAR, WEEK, 2000), WEEK) == (8 + 1) * 3


BETTER = ("seasonal naive", "last value", "RNN", "dense", "LSTM")  # than LSTM or convolution
GOOD = {"RNN": 0.9, "LSTM": 0.5, "GRU": 0.6, "dense": 0.7, "convolution": 0.4, "linear": 0.3}


@pytest.mark.parametrize("series", [None, *SERIES])
@pytest.mark.parametrize(
    ("method", "error", "failed"),
    [
        ("LSTM", 0.95, ("last value", "RNN", "dense")),
        ("LSTM", 1.2, ("seasonal naive", "last value", "RNN", "dense")),
        ("RNN", 0.45, ("RNN",)),
        ("dense", 0.45, ("dense",)),
        ("convolution", 0.55, ("LSTM",)),
    ],
)
def test_each_claim_can_fail_on_each_series(series, method, error, failed):
    value = lambda s, k: error if (s, k) == (series, method) else GOOD[k]
    untrained = {"seasonal naive": 2.0, "last value": 2 * 0.8}
    measured = {
        f"{s}, {k}": {"error": [2 * value(s, k)] * 3, "untrained": untrained}
        for s in SERIES
        for k in METHODS
    }
    verdicts = judge(EXPERIMENT.claims, EXPERIMENT.evidence(measured))
    expected = [
        "failed" if s == series and other in failed else "held" for other in BETTER for s in SERIES
    ]
    assert [v.verdict for v in verdicts] == expected
    assert all(s in claim.text for claim, s in zip(EXPERIMENT.claims, 5 * [*SERIES], strict=True))
