"""The experiment speed, without its measurements: layers, intervals, totals, kept results."""

import json
import math
import re

import pytest

from experiments.speed import EXPERIMENT, paired, shapes
from experiments.speed.layers import REAL, benchmark, drawn
from experiments.speed.paired import Speedup, interval
from fcnn.bench.machine import Roofline

main = EXPERIMENT.command
SHORT = "lenet-2-14x14x6-forward"


@pytest.fixture(autouse=True)
def fixed_roofline(monkeypatch):
    monkeypatch.setattr("fcnn.cli.bench.bench.roofline", lambda dtype: Roofline(1e11, 1e10))


def test_the_layers_to_tune_on_are_many_and_have_different_names():
    assert len(REAL) >= 60
    assert 3 * len(REAL) >= 200
    names = [layer.name for layer in REAL]
    assert len({*names}) == len(names)
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert {len(layer.size) for layer in REAL} == {1, 2, 3}


def test_drawn_layers_depend_on_the_seed_only_and_stay_within_bounds():
    layers = [layer for seed in range(5) for layer in drawn(seed)]
    assert len(layers) == 200
    assert drawn(3) == drawn(3) != drawn(4)
    for layer in layers:
        assert 1e6 <= layer.flop / 2 <= 3e9
        assert layer.c % layer.groups == layer.o % layer.groups == 0
        assert min(layer.geometry.out) >= 1
    assert {len(layer.size) for layer in layers} == {1, 2, 3}
    kinds = [
        lambda a: 1 < a.groups == a.c,
        lambda a: 1 < a.groups < a.c,
        lambda a: a.window == 1,
        lambda a: a.window == a.stride > 1,
        lambda a: a.dilation > 1,
        lambda a: a.c <= 4,
        lambda a: len({*a.size}) > 1,
    ]
    assert all(any(map(kind, layers)) for kind in kinds)


@pytest.mark.parametrize("n", [6, 9, 15, 16, 60])
def test_an_interval_has_the_median_with_probability_95_percent(n):
    """The k-th of n values is below the median with the probability of >= k heads of n coins."""
    low, high = interval(range(n))
    assert low + high == n - 1
    beyond = sum(math.comb(n, j) for j in range(int(low) + 1)) / 2**n
    one_more = beyond + math.comb(n, int(low) + 1) / 2**n
    assert beyond <= 0.025 < one_more


def test_the_interval_of_few_ratios_is_their_range():
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)


@pytest.mark.parametrize(("first", "rounds"), [(0.8, [15, 60]), (0.95, [15]), (2.0, [15])])
def test_a_low_ratio_is_measured_again_with_four_times_the_rounds(first, rounds, monkeypatch):
    calls = []

    def measured(programs, rounds):
        calls.append(rounds)
        times = first if len(calls) == 1 else 1.0
        return Speedup(times, times, times, times, (1.0, times), rounds)

    monkeypatch.setattr(paired, "_measured", measured)
    found = paired.speedup((lambda x: x, (1.0,)), (lambda x: x, (1.0,)), 15)
    assert calls == rounds
    assert found.high >= paired.SLOWER


def row(part, times, high=None):
    high = times if high is None else high
    return shapes.Row("a", "a", part, "taps", times, times, high, 2 * times, 1.0, times, 15)


def test_totals_have_geometric_means_and_count_slower_sums():
    rows = [row("forward", 4), row("forward", 1), row("dw", 0.5, 0.9), row("dw", 0.5, 0.92)]
    forward, dw, every = shapes.totals(rows)
    assert (forward.name, forward.sums, forward.slower, forward.least) == ("forward", 2, 0, 1)
    assert forward.mean == pytest.approx(2)
    assert forward.mean_by_cpu == pytest.approx(4)
    assert (dw.name, dw.slower, dw.least) == ("dw", 1, 0.9)
    assert (every.name, every.sums) == ("all", 4)
    assert every.mean == pytest.approx(1)


def test_recorded_sums_are_printed_with_their_totals(tmp_path, capsys):
    path = tmp_path / "shapes.json"
    assert main(["shapes", SHORT, "--rounds", "2", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    (found,) = json.loads(path.read_text())["rows"]
    assert found["name"] == SHORT
    assert found["low"] <= found["times_faster"] <= found["high"]
    assert main(["table", str(path)]) == 0
    again = capsys.readouterr().out
    assert printed.strip() in again
    assert re.search(r"^\| all \| 1 \| ", again, re.MULTILINE)


def test_a_judging_set_shows_totals_only(tmp_path, capsys, monkeypatch):
    small = benchmark("drawn-0", 4, (6, 6), 3, 5, 3)
    monkeypatch.setattr(shapes, "drawn", lambda seed, count: [small])
    path = tmp_path / "judging.json"
    assert main(["judging", "--rounds", "1", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [found["name"] for found in rows] == ["forward", "dx", "dw"]
    (seed,) = {found["seed"] for found in rows}
    assert f"| {seed} |" in (text := capsys.readouterr().out)
    assert small.title not in text + path.read_text()


@pytest.mark.parametrize(("codes", "measured", "code"), [((0, 2, 0, 0), 4, 2), ((0, 130), 2, 130)])
def test_without_a_kind_all_are_measured_until_an_interrupt(codes, measured, code, monkeypatch):
    benches, coming = [], iter(codes)
    monkeypatch.setattr("fcnn.cli.bench.bench.run", lambda bench, _: benches.append(bench))
    monkeypatch.setattr("experiments.speed.exit_code", lambda _, run: run() or next(coming))
    assert main([]) == code
    assert [bench.name for bench in benches] == ["steps", "shapes", "loops", "judging"][:measured]


def test_sigterm_gives_exit_code_143(monkeypatch):
    monkeypatch.setattr("experiments.speed.exit_code", lambda command, run: 130)
    assert main(["shapes", SHORT]) == 130
    monkeypatch.setattr("experiments.framework.interrupt._first", 15)
    assert main(["shapes", SHORT]) == 143
    assert main([]) == 143


def test_smoke_and_output_dir_go_without_a_kind(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--smoke", "shapes"])
    assert exit_info.value.code == 2
    assert "go without KIND" in capsys.readouterr().err


def test_an_output_folder_that_is_a_file_is_misuse(tmp_path, capsys):
    (tmp_path / "taken").touch()
    assert main(["--smoke", "--output-dir", str(tmp_path / "taken")]) == 2
    assert "taken: Not a directory" in capsys.readouterr().err
