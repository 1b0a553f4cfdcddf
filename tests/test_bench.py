"""fcnn bench: measurements, tables, recorded results, error messages."""

import json
import re
import signal
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from child import started

from experiments.speed import BENCHES as SPEED, EXPERIMENT, train_steps
from fcnn.bench import machine_info, timed, times_faster
from fcnn.bench.comparisons import (
    BENCHMARKS,
    COMPARISONS,
    batch_norm_backward,
    convolution,
    pooling,
    transposed,
)
from fcnn.bench.machine import Roofline, roofline
from fcnn.cli import main
from fcnn.cli.bench import BENCHES, operators
from fcnn.cli.bench.jobs import JOBS
from fcnn.ops.convolution.dispatch import IMPLS

speed = EXPERIMENT.command
RESULTS = Path(__file__).parent.parent / "experiments" / "results" / "speed"
# Functions from the number of examples to a comparison of two programs with different operators.
ALIKE = {
    "max-pool-2x2": partial(pooling, 2, 2),
    "max-pool-3x3": partial(pooling, 3, 2),
    "batch-norm": batch_norm_backward,
    "conv-transpose-3x3": transposed,
}


@pytest.fixture(autouse=True)
def fixed_roofline(monkeypatch):
    """Replace the measurement of the roofline, which takes up to 10 s and has a separate test."""
    monkeypatch.setattr("fcnn.cli.bench.bench.roofline", lambda dtype: Roofline(1e11, 1e10))


@pytest.mark.parametrize("comparison", [make(n=1) for make in ALIKE.values()], ids=ALIKE)
def test_programs_of_a_comparison_agree(comparison):
    programs = comparison.programs(jnp.float64).values()
    ours, theirs = (jax.tree.leaves(jax.jit(f)(*args)) for f, args in programs)
    largest = max(np.abs(b).max() for b in theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * largest)


def test_comparisons_have_64_examples():
    titles = [comparison.title for comparison in COMPARISONS]
    for name, make in ALIKE.items():
        assert make(n=64).name == name
        assert make(n=64).title in titles
        assert make(n=1).title not in titles


@pytest.mark.parametrize("items", [COMPARISONS, BENCHMARKS, JOBS], ids=["ops", "conv", "jobs"])
def test_names_are_slugs_and_distinct(items):
    """Every keyboard has the characters of a name. A title may have symbols such as ×."""
    names = [item.name for item in items]
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert len({*names}) == len({item.title for item in items}) == len(items)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_names_are_slugs(path):
    recorded = json.loads(path.read_text())
    assert recorded["bench"] in {bench.name for bench in (*BENCHES, *SPEED)}
    for row in recorded["rows"]:
        assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", row["name"])
        assert row.get("title") or row["seed"] >= 0


@pytest.mark.parametrize("part", ["forward", "dx", "dw"])
def test_flop_of_a_convolution_equal_the_count_of_xla(part):
    """The convolution is 1×1 and has no padding, because XLA counts FLOP of padding cells too."""
    benchmark = next(b for b in BENCHMARKS if b.window == 1)._replace(n=2)
    (f, args) = convolution(benchmark, part).programs(jnp.float32)["lax"]
    counted = (jax.jit(f).lower(*args).compile().cost_analysis() or {})["flops"]
    assert counted == pytest.approx(benchmark.flop, rel=0.01)


def test_timing_has_one_time_per_round_and_counts_temporary_memory():
    x = jnp.ones((64, 64), jnp.float32)
    twice = lambda x: jnp.sin(x @ x) @ x
    timing = timed({"twice": (twice, (x,))}, rounds=3)["twice"]
    assert len(timing.times) == 3
    assert min(timing.times) > 0
    assert timing.temporary_bytes >= x.nbytes


def test_roofline_is_the_highest_rate_of_products_and_of_arrays(monkeypatch):
    """Replace the measured times. Matrices grow until their product takes 50 ms."""
    times = iter([1e-3, 0.06, 0.01, 0.04])

    def seconds(programs, rounds):
        ((run, args),) = programs.values()
        jax.block_until_ready(run(*args))
        return {"": [next(times)] * rounds}

    monkeypatch.setattr(sys.modules[roofline.__module__], "seconds", seconds)
    found = roofline(jnp.dtype("float32"))
    assert found.flop_per_second == pytest.approx(2 * 1024**3 / 1e-3)
    assert found.bytes_per_second == pytest.approx(10 * 2 * 2**27 / 0.04)
    assert next(times, None) is None


def test_a_device_is_named_once(monkeypatch):
    for kind, text in (("cpu", "cpu × 1"), ("NVIDIA H200", "cpu NVIDIA H200 × 1")):
        device = SimpleNamespace(platform="cpu", device_kind=kind)
        monkeypatch.setattr("jax.local_devices", lambda device=device: [device])
        monkeypatch.setattr("jax.device_count", lambda: 1)
        assert machine_info([])["device"] == text


def test_bench_table_prints_the_rows_that_bench_ops_writes_as_json(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(operators, "COMPARISONS", [make(n=1) for make in ALIKE.values()])
    figure, recorded = tmp_path / "roofline.png", tmp_path / "ops.json"
    names = ["max-pool-2x2", "batch"]
    assert main(["bench", "ops", *names, "--rounds", "2", "--json", "--plot", str(figure)]) == 0
    text = capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")
    result = json.loads(text)
    assert [row["name"] for row in result["rows"]] == ["max-pool-2x2", "batch-norm"]
    assert all(len(row["ours"]) == len(row["theirs"]) == 2 for row in result["rows"])
    assert result["roofline"] == {"flop_per_second": 1e11, "bytes_per_second": 1e10}
    assert result["machine"]["packages"]["jax"] == jax.__version__
    recorded.write_text(text)
    assert main(["bench", "table", str(recorded)]) == 0
    first, _, head, _, *rows = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("`fcnn bench ops`: ")
    assert len(rows) == 2
    assert {line.count("|") for line in (head, *rows)} == {11}


def test_bench_models_counts_a_train_step_as_three_forward_passes(capsys):
    arguments = ["bench", "models", "mlp", "--rounds", "1", "--json", "--dtype", "bfloat16"]
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam needs it
        assert main(arguments) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["flop"] == 2 * 3 * 128 * (784 * 128 + 128 * 64 + 64 * 10)
    assert row["parameters"] == 785 * 128 + 129 * 64 + 65 * 10


def test_option_tune_times_every_supported_implementation(capsys):
    name = "conv-3x3-4x4x512-forward"
    assert main(["bench", "conv", name, "--tune", "--rounds", "1"]) == 0
    head, _, row = (line.split(" | ") for line in capsys.readouterr().out.splitlines())
    each = slice(2, 2 + len(IMPLS))
    assert "–" not in row[each]
    assert row[-2] == ("winograd" if jax.default_backend() == "cpu" else "lax")
    times = dict(zip(head[each], map(float, row[each]), strict=True))
    assert min(times, key=times.__getitem__) == row[-3]


def test_times_faster_is_the_median_of_ratios():
    assert times_faster([1e-3, 2e-3, 4e-3], [3e-3, 4e-3, 8e-3]) == 2  # median of 3, 2, 2
    with pytest.raises(ValueError, match="shorter"):
        times_faster([1.0, 1.0], [1.0])


def test_speed_compares_fcnn_with_the_fastest_library_and_with_torch():
    steps = {"fcnn": [1e-3, 2e-3, 4e-3], "flax": [3e-3, 4e-3, 8e-3], "torch": [1e-3, 1e-3, 1e-3]}
    found = train_steps.ratios(steps)
    assert found == ("flax", 2.0, 0.5)  # medians of 3, 2, 2 and of 1, 1/2, 1/4
    assert train_steps.ratios({"fcnn": steps["fcnn"]}) == (None, None, None)
    row = train_steps.Row("mlp", "MLP", {}, dict.fromkeys(steps, 0.5), steps, *found)
    cells = train_steps.BENCH.cells(row, Roofline(1e11, 1e10))
    assert list(cells) == ["mlp", "MLP", "2.00 (0.5)", "4.00 (0.5)", "1.00 (0.5)", "2.00", "0.50"]


def test_speed_prints_recorded_results(capsys):
    assert speed(["table", f"{RESULTS / 'cpu_peers.json'}"]) == 0
    first, _, head, _, *rows = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("`python -m experiments speed steps`: ")
    assert head.startswith("| name | train step | fcnn ms (first s, MB) | flax ms")
    assert [row.split(" | ")[0] for row in rows] == [f"| {job.name}" for job in JOBS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "mlq"], "models: unknown model 'mlq'; did you mean 'mlp'\\?"),
        (["ops", "relu"], "ops: unknown operator 'relu'; --help lists all names$"),
        (["ops", "max-poling"], "unknown operator 'max-poling'; did you mean 'max-pool'"),
        (["ops", "--rounds", "0"], "--rounds 0 must be at least 1"),
        (["ops", "--plot", "nowhere/a.png"], "--plot nowhere/a.png: there is no folder nowhere"),
        (["ops", "--plot", "a.xyz"], r"--plot a.xyz: unknown file type; write a name that ends in"),
        (["ops", "--plot", f"{RESULTS}/none.png/a.png"], "there is no folder .*none.png"),
        (["ops", "--json", f"{RESULTS.parent}/none/a.json"], "--json .*: there is no folder"),
        (["table", "nowhere.json"], "nowhere.json: No such file"),
        (["table", __file__], "test_bench.py is not an output of --json"),
        (
            ["table", f"{RESULTS / 'cpu_peers.json'}"],
            "cpu_peers.json: unknown bench 'steps'; expected one of 'ops', 'models', 'conv'",
        ),
    ],
)
def test_an_error_is_one_line(arguments, message, capsys):
    assert main(["bench", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(f"^fcnn bench .*{message}", line)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["steps", "mlq"], "unknown job 'mlq'; did you mean 'mlp'\\?"),
        (["steps", "mlp", "--rounds", "0"], "--rounds 0 must be at least 1"),
        (["steps", "--libraries", "flax"], r"flax needs the module .*; pip install .*\[peers\]'"),
        (["shapes", "vgq16"], "unknown sum 'vgq16'; did you mean 'vgg16'"),
        (["judging", "--seed", "-1"], "--seed -1 must be at least 0"),
        (["table", "nowhere.json"], "nowhere.json: No such file"),
    ],
)
def test_an_error_of_speed_is_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.speed.in_flax", raising=False)
    monkeypatch.setitem(sys.modules, "flax", None)
    assert speed(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(f"^python -m experiments speed.*: {message}", line)


def test_speed_names_the_nearest_library(capsys):
    with pytest.raises(SystemExit):
        speed(["steps", "mlp", "--libraries", "touch"])
    assert capsys.readouterr().err.strip().endswith("did you mean torch?")


BENCH = """
import sys
from fcnn.bench.machine import Roofline
from fcnn.cli import bench, main

bench.bench.roofline = lambda dtype: Roofline(1e11, 1e10)
sys.exit(main(["bench", *sys.argv[1:]]))
"""


def test_ctrl_c_keeps_measured_rows_and_draws_no_figure(tmp_path):
    figure, results = tmp_path / "roofline.png", tmp_path / "ops.json"
    # Without an interrupt, the bench would run for minutes.
    with started("-c", BENCH, "ops", "--plot", str(figure), "--json", str(results)) as bench:
        assert bench.stdout.readline().startswith("| name | operator")
        bench.send_signal(signal.SIGINT)
        _, error = bench.communicate()
    assert bench.returncode == 130
    rows = json.loads(results.read_text())["rows"]
    kept = f"{results} has the rows measured before the interrupt: {len(rows)}"
    assert error == f"fcnn bench ops: {kept}\nfcnn: interrupted\n"
    assert rows
    assert not figure.exists()


def test_recorded_results_with_a_time_of_zero_are_an_error(tmp_path, capsys):
    path = tmp_path / "ops.json"
    result = json.loads((RESULTS / "cpu_ops.json").read_text())
    result["rows"][0] |= {"ours": [0.0], "theirs": [0.0]}
    path.write_text(json.dumps(result))
    assert main(["bench", "table", str(path)]) == 2
    assert "ops.json is not an output of --json" in capsys.readouterr().err
