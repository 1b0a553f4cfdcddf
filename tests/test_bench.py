"""fcnn bench: what it measures is what it says, and it tells it whole."""

import json
import re
import signal
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from child import started

from fcnn.bench import timed
from fcnn.bench.comparisons import (
    COMPARISONS,
    PROBLEMS,
    batch_norm_backward,
    convolution,
    pooling,
    transposed,
)
from fcnn.bench.machine import Roofline, roofline
from fcnn.cli import main
from fcnn.cli.bench import operators, peers
from fcnn.ops.convolution.dispatch import IMPLS

RESULTS = Path(__file__).parent.parent / "experiments" / "results" / "speed"
ALIKE = {  # contests of programs by different operators, by the number of examples
    "max pooling 2×2/2": partial(pooling, 2, 2),
    "max pooling 3×3/2": partial(pooling, 3, 2),
    "batch norm": batch_norm_backward,
    "transposed": transposed,
}


@pytest.fixture(autouse=True)
def roof_of_a_table(monkeypatch):
    """Measuring it takes up to 10 s of every bench; it has a test of its own."""
    monkeypatch.setattr("fcnn.cli.bench.bench.roofline", lambda dtype: Roofline(1e11, 1e10))


@pytest.mark.parametrize("contest", [of(n=1) for of in ALIKE.values()], ids=ALIKE)
def test_programs_of_a_contest_agree(contest):
    programs = contest.programs(jnp.float64).values()
    ours, theirs = (jax.tree.leaves(jax.jit(f)(*args)) for f, args in programs)
    largest = max(np.abs(b).max() for b in theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * largest)


def test_contests_are_of_64_examples():
    names = [contest.name for contest in COMPARISONS]
    for of in ALIKE.values():
        assert of(n=64).name in names
        assert of(n=1).name not in names


@pytest.mark.parametrize("part", ["forward", "dx", "dw"])
def test_flop_are_what_xla_counts(part):
    """Of a valid-sized problem by im2col's product; padding is counted as any cell is."""
    problem = next(p for p in PROBLEMS if p.window == 1)._replace(n=2)
    (f, args) = convolution(problem, part).programs(jnp.float32)["lax"]
    counted = (jax.jit(f).lower(*args).compile().cost_analysis() or {})["flops"]
    assert counted == pytest.approx(problem.flop, rel=0.01)


def test_times_are_one_for_each_round_and_memory_is_counted():
    x = jnp.ones((64, 64), jnp.float32)
    twice = lambda x: jnp.sin(x @ x) @ x
    timing = timed({"twice": (twice, (x,))}, rounds=3)["twice"]
    assert len(timing.times) == 3
    assert min(timing.times) > 0
    assert timing.temporary_bytes >= x.nbytes


def test_the_roof_is_the_best_product_and_the_best_array(monkeypatch):
    """By times that are given: products grow until one takes 50 ms."""
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


def test_ops_as_json_and_as_a_table_are_one(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(operators, "COMPARISONS", [of(n=1) for of in ALIKE.values()])
    figure, kept = tmp_path / "roof.png", tmp_path / "ops.json"
    names = ["max pooling 2×2", "batch norm"]
    assert main(["bench", "ops", *names, "--rounds", "2", "--json", "--plot", str(figure)]) == 0
    text = capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")
    result = json.loads(text)
    assert [row["operator"].startswith(n) for row, n in zip(result["rows"], names, strict=True)]
    assert all(len(row["ours"]) == len(row["theirs"]) == 2 for row in result["rows"])
    assert result["roofline"] == {"flop_per_second": 1e11, "bytes_per_second": 1e10}
    assert result["machine"]["packages"]["jax"] == jax.__version__
    kept.write_text(text)
    assert main(["bench", "table", str(kept)]) == 0
    first, _, head, _, *rows = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("`fcnn bench ops`: ")
    assert len(rows) == 2
    assert {line.count("|") for line in (head, *rows)} == {10}


def test_models_counts_three_forward_passes(capsys):
    arguments = ["bench", "models", "mlp", "--rounds", "1", "--json", "--dtype", "bfloat16"]
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam
        assert main(arguments) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["flop"] == 2 * 3 * 128 * (784 * 128 + 128 * 64 + 64 * 10)
    assert row["parameters"] == 785 * 128 + 129 * 64 + 65 * 10


def test_tune_times_every_implementation_that_serves(capsys):
    name = "3×3 64×4×4×512→512, forward"
    assert main(["bench", "conv", name, "--tune", "--rounds", "1"]) == 0
    head, _, row = (line.split(" | ") for line in capsys.readouterr().out.splitlines())
    each = slice(1, 1 + len(IMPLS))
    assert "–" not in row[each]
    assert row[-2] == ("winograd" if jax.default_backend() == "cpu" else "lax")
    times = dict(zip(head[each], map(float, row[each]), strict=True))
    assert min(times, key=times.__getitem__) == row[-3]


def test_peers_tells_how_many_times_faster():
    steps = {"fcnn": [1e-3, 2e-3, 4e-3], "flax": [3e-3, 4e-3, 8e-3], "torch": [1e-3, 1e-3, 1e-3]}
    found = peers.ratios(steps)
    assert found == ("flax", 2.0, 0.5)  # of 3, 2, 2 and of 1, 1/2, 1/4
    assert peers.ratios({"fcnn": steps["fcnn"]}) == (None, None, None)
    row = peers.Row("mlp", {}, dict.fromkeys(steps, 0.5), steps, *found)
    cells = peers.BENCH.cells(row, None)
    assert list(cells) == ["mlp", "2.00 (0.5)", "4.00 (0.5)", "1.00 (0.5)", "2.00", "0.50"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["peers", "mlq"],
            "unknown name 'mlq'; did you mean 'mlp'\\?",
        ),
        (["peers", "mlp", "--rounds", "0"], "--rounds 0 must be at least 1"),
        (["peers", "mlp", "--libraries", "flax"], r"no module .*; pip install -e '.*\[peers\]'"),
        (["ops", "relu"], "unknown name 'relu'; `fcnn bench ops --help` lists all$"),
        (["ops", "max poling"], "'max poling'; did you mean 'max pooling' or"),
        (["ops", "--plot", "nowhere/a.png"], "--plot nowhere/a.png: there is no folder nowhere"),
        (["ops", "--plot", "a.xyz"], r"--plot a.xyz: a file ends in .png"),
        (["ops", "--plot", f"{RESULTS}/none.png/a.png"], "there is no folder .*none.png"),
        (["ops", "--json", f"{RESULTS.parent}/none/a.json"], "--json .*: there is no folder"),
        (["table", "nowhere.json"], "nowhere.json: No such file"),
        (["table", __file__], "test_bench.py is not what fcnn bench --json printed"),
    ],
)
def test_bench_refuses_in_one_line(arguments, says, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "fcnn.peers.in_flax", raising=False)
    monkeypatch.setitem(sys.modules, "flax", None)
    assert main(["bench", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(says, line)


BENCH = """
import sys
from fcnn.bench.machine import Roofline
from fcnn.cli import bench, main

bench.bench.roofline = lambda dtype: Roofline(1e11, 1e10)
sys.exit(main(["bench", *sys.argv[1:]]))
"""


def test_ctrl_c_is_one_line_and_leaves_no_file(tmp_path):
    figure = tmp_path / "roof.png"
    with started("-c", BENCH, "ops", "--plot", str(figure)) as bench:  # for minutes
        assert bench.stdout.readline().startswith("| operator")
        bench.send_signal(signal.SIGINT)
        _, says = bench.communicate()
    assert (bench.returncode, says) == (130, "fcnn: interrupted\n")
    assert not figure.exists()


def test_kept_results_with_a_time_of_zero_are_refused(tmp_path, capsys):
    kept = tmp_path / "ops.json"
    result = json.loads((RESULTS / "cpu_ops.json").read_text())
    result["rows"][0] |= {"ours": [0.0], "theirs": [0.0]}
    kept.write_text(json.dumps(result))
    assert main(["bench", "table", str(kept)]) == 2
    assert "ops.json is not what fcnn bench --json printed" in capsys.readouterr().err
