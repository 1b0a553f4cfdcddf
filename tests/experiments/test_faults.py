"""The experiment "faults" without child processes: where kills struck, damages, counts, tables."""

import json
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from experiments.faults import EXPERIMENT, config, damage, kills, outcome, results, struck
from experiments.faults.found import Found
from experiments.framework.runner import main
from experiments.framework.verdict import judge
from fcnn import training
from fcnn.training.checkpoint import orbax, receipt, store

COMPILING = ["compiling"]
RUNNING = [*COMPILING, "step 4 of 48: loss 2.9", "saving step 4", "step 8 of 48: loss 2.1"]


@pytest.mark.parametrize(
    ("lines", "names", "where", "at"),
    [
        ([], [], "before compiling", 0),
        (COMPILING, [], "first compilation", 0),
        (COMPILING, [".saving-4"], "saving", 0),
        (RUNNING[:2], [], "mid-epoch", 4),
        (RUNNING[:3], ["4"], "mid-epoch", 4),
        (RUNNING, ["4", ".saving-8"], "saving", 8),
        ([*RUNNING, "saving step 8", "deleting step 4"], ["8", ".deleting-4"], "deleting", 8),
        ([*RUNNING, "step 12 of 48: loss 1"], ["4", "8"], "epoch's end", 12),
        (["continues from step 12", "compiling"], ["8", "12"], "epoch's end", 12),
        (["continues from step 16", "compiling"], ["12", "16", "20.damaged"], "mid-epoch", 16),
        (["continues from step 16", "compiling", "step 20 of 48: x"], ["16"], "mid-epoch", 20),
        (["continues from step 8", *COMPILING, "saving step 12"], ["8", "12"], "epoch's end", 12),
    ],
)
def test_where_a_kill_struck_is_read_from_the_disk(lines, names, where, at):
    assert struck.struck(lines, names, 12) == where
    assert struck.reached(lines, names) == at


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ([], None),
        (COMPILING, 0),
        (["continues from step 8", "compiling"], 8),
        (["step 12 is damaged: x; renamed to 12.damaged", "continues from step 8"], 8),
        (["continues from step 8, but not bit for bit: cores 2 → 1"], 8),
    ],
)
def test_the_step_of_a_restart_is_read_from_its_own_line(lines, step):
    assert struck.resumed(lines) == step


def test_lost_steps_are_counted_from_the_last_step_that_was_printed_or_saved():
    assert results.lost_steps({"at": 12, "resumed": 8}) == 4
    assert results.lost_steps({"at": 12, "resumed": 12}) == 0
    assert results.lost_steps({"at": 4, "resumed": None}) == 4


def test_durations_are_those_between_lines():
    lines = ["compiling", "step 4 of 8: x", "saving step 4", "deleting step 0", "step 8 of 8: x"]
    found = kills.durations(SimpleNamespace(lines=lines, times=[0.0, 3.0, 3.1, 3.6, 3.9]))
    assert found == pytest.approx(
        {"first compilation": 2.7, "saving": 0.5, "mid-epoch": 0.3, "epoch's end": 0.3}
    )


class Victim:
    """A child that prints lines, and is killed after one of them."""

    def __init__(self, lines):
        self.lines, self._lines, self.killed = [], iter(lines), False
        self.process = SimpleNamespace(poll=lambda: None)

    def until(self, wanted):
        for line in self._lines:
            self.lines.append(line)
            if wanted(line):
                return True
        return False

    def kill(self):
        self.killed = True


@pytest.mark.parametrize(
    ("meant", "last"),
    [
        ("first compilation", {"compiling"}),
        ("saving", {"saving step 4", "saving step 8", "saving step 12"}),
        ("deleting", {"deleting step 4", "deleting step 8", "deleting step 12"}),
        ("mid-epoch", {"saving step 4", "saving step 8", "saving step 16"}),
        ("epoch's end", {"saving step 12", "saving step 24", "saving step 36"}),
    ],
)
def test_a_moment_is_waited_for_by_lines(meant, last, tmp_path):
    lines = ["compiling"]
    for step in range(4, 49, 4):
        lines += [f"step {step} of 48: loss 1", f"saving step {step}"]
        lines += [f"deleting step {step - 8}"] * (step > 8)
        (tmp_path / f"{step}").mkdir()
    seconds = dict.fromkeys(struck.CLASSES, 0.0)
    seen = set()
    for seed in range(12):
        victim = Victim(lines)
        kills.strike(victim, meant, tmp_path, seconds, np.random.default_rng(seed))
        assert victim.killed
        seen.add(victim.lines[-1])
    assert seen == last


def test_a_child_that_ends_before_its_moment_is_not_killed(tmp_path):
    victim = Victim(["compiling", "step 4 of 4: x"])
    kills.strike(victim, "deleting", tmp_path, {}, np.random.default_rng(0))
    assert not victim.killed


@pytest.mark.parametrize(
    ("code", "lines", "error"),
    [(0, [], None), (1, [], "with 1 by itself"), (-11, ["compiling"], "with -11 by itself")],
)
def test_a_command_that_ends_by_itself_ends_the_kills(code, lines, error, tmp_path, monkeypatch):
    class Ending(Victim):
        errors = ("why",)

        def end(self):
            return code

    def start(run, cache):
        run.mkdir(exist_ok=True)
        return Ending(lines)

    task, seconds = SimpleNamespace(folder=tmp_path, start=start), dict.fromkeys(struck.CLASSES, 0)
    monkeypatch.setattr(kills, "differences", lambda run, reference: [])
    if error:
        with pytest.raises(RuntimeError, match=error):
            kills.kills(task, {"seconds": seconds}, 1, 0, 0)
    else:
        found = kills.kills(task, {"seconds": seconds}, 1, 0, 0)
        assert (found["tries"], found["runs"], len(found["missed"])) == ([], kills.LIMIT, 5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with two checkpoints, of the steps 4 and 8."""
    folder = tmp_path_factory.mktemp("run")
    model = fcnn.layers.serial(fcnn.layers.dense(8), fcnn.layers.dense(2))
    made = training.create(model, optax.adam(1e-2), (3,), jax.random.key(0))
    saved = training.Checkpoints(folder / "checkpoints", config={"rate": 0.25, "model": "cnn"})
    with saved.in_use():
        for step in (4, 8):
            saved.save(made._replace(step=jnp.asarray(step, jnp.int32)))
    (folder / "metrics.jsonl").write_text('{"step": 8, "seconds": 1.5, "loss": 0.5}\n')
    return folder


def test_every_damage_is_named_or_without_effect(run, tmp_path):
    found = damage.damages(run / "checkpoints", tmp_path / "copy", number=1, count=18, seed=0)
    tries = found["damages"]
    assert {each["kind"] for each in tries} == {*damage.KINDS}
    assert {each["file"] for each in tries} == {"arrays", "metadata", "receipt"}
    assert {each["result"] for each in tries} <= {damage.NAMED, damage.HARMLESS}
    assert sum(each["result"] == damage.NAMED for each in tries) >= 14


@pytest.mark.parametrize("kind", damage.KINDS)
def test_a_damage_is_that_of_its_name(run, kind):
    before = (run / "checkpoints/8" / receipt.NAME).read_bytes()
    after = damage.KINDS[kind](before, np.random.default_rng(3))
    if after is None:
        assert kind == "missing"
        return
    assert after != before
    different = sum(a != b for a, b in zip(before, after, strict=False))
    if kind == "truncated":
        assert before.startswith(after)
    elif kind == "zeroed":
        assert set(after[i] for i in range(len(after)) if after[i] != before[i]) == {0}
    else:
        assert (len(after), different) == (len(before), 1)
    if kind == "receipt config":
        read = lambda data: json.loads(data)["receipt"]
        assert read(after)["config"] != read(before)["config"]
        assert {**read(after), "config": 0} == {**read(before), "config": 0}


class Equal:
    """A sum that equals every other."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def test_wrong_bits_are_seen_where_checkpoints_do_not_verify(run, monkeypatch):
    reading = damage.Reading(run / "checkpoints")
    assert reading.result("state") == damage.HARMLESS
    elsewhere = store.environment() | {"cores": 64}
    with monkeypatch.context() as patch:  # "continues from step 8, but not bit for bit: ..."
        patch.setattr(store, "environment", lambda: elsewhere)
        assert reading.result("state") == damage.HARMLESS

    def wrong(folder, specs):
        found = orbax.read(folder, specs)
        return found | {"params/dense1/w": found["params/dense1/w"] * 2}

    monkeypatch.setattr(store, "read", wrong)
    monkeypatch.setattr(store, "digest", lambda a: Equal())
    assert reading.result("state") == damage.WRONG


def test_a_receipt_without_a_sum_of_its_own_refuses_the_run(run, tmp_path, monkeypatch):
    """A damaged value of the configuration is then taken for another configuration."""
    monkeypatch.setattr(receipt, "_sum", lambda body: Equal())
    monkeypatch.setattr(damage, "KINDS", {"receipt config": damage.KINDS["receipt config"]})
    found = damage.damages(run / "checkpoints", tmp_path / "copy", number=1, count=2, seed=0)
    assert {each["result"] for each in found["damages"]} == {damage.LOST}


def test_the_end_of_a_run_is_compared_by_arrays_and_metrics(run):
    reference = outcome.final(run)
    assert outcome.differences(run, reference) == []
    assert outcome.halves(run) == []
    path = next(path for path in reference["arrays"] if path.startswith("opt_state/"))
    arrays = {**reference["arrays"], path: ["float32", [1], "0" * 64]}
    metrics = [{"step": 8, "seconds": None, "loss": 0.25}]
    changed = {"arrays": arrays, "metrics": metrics}
    assert outcome.differences(run, changed) == [path, "metrics.jsonl"]
    assert outcome.differences(run / "nothing", reference)[0].startswith("IndexError")


def test_an_end_without_its_code_or_with_a_traceback_is_wrong():
    child = lambda code, *errors: SimpleNamespace(end=lambda: code, errors=list(errors))
    found = Found("full disk", "x")
    found.expect_end(child(2, "a: No space left on device"), 2, "No space left")
    assert found.wrong == []
    found.expect_end(child(1, "Traceback (most recent call last):"), 2, "No space left")
    assert len(found.wrong) == 3


def kill(where="saving", **changed):
    found = {"meant": where, "struck": where, "at": 8, "resumed": 4, "broken": [], "different": []}
    return found | changed


def other(**changed):
    return {
        "other": {**Found("SIGTERM", "x", 20, 143, ["a line"], 20, []).json()["other"]} | changed
    }


GOOD = {
    "reference": {"reference": {"seconds": {}}},
    "kills 1": {"tries": [kill(where) for where in struck.CLASSES]},
    "damages 1": {"damages": [{"kind": "missing", "file": "arrays", "result": damage.NAMED}]},
    "sigterm": other(),
}


def test_a_good_result_holds_all_claims():
    assert [v.verdict for v in judge(results.CLAIMS, results.evidence(GOOD))] == ["held"] * 7
    assert results.failures(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "claims"),
    [
        ({"kills 2": {"tries": [kill(w, different=["key"]) for w in struck.CLASSES]}}, {0}),
        ({"kills 2": {"tries": [kill(w) for w in struck.CLASSES if w != "deleting"]}}, {1}),
        ({"kills 2": {"tries": [kill(w, at=12) for w in struck.CLASSES]}}, {2}),
        ({"kills 2": {"tries": [kill(w, broken=["checkpoint 4"]) for w in struck.CLASSES]}}, {3}),
        ({"damages 2": {"damages": [{"kind": "zeroed", "result": damage.WRONG}]}}, {4, 5}),
        ({"damages 2": {"damages": [{"kind": "zeroed", "result": damage.LOST}]}}, {5}),
        ({"full disk": other(wrong=["exit code 1, not 2"])}, {6}),
    ],
)
def test_each_claim_can_fail(changed, claims):
    verdicts = judge(results.CLAIMS, results.evidence(GOOD | changed))
    assert {i for i, v in enumerate(verdicts) if v.verdict == "failed"} == claims
    assert len(results.failures(GOOD | changed)) >= len(claims)


def test_a_fault_that_could_not_be_tested_is_not_counted():
    skipped = Found("read-only folder", "not tested").json()
    assert results.evidence(GOOD | {"read-only folder": skipped})[6].of == 1
    table = results.by_fault(GOOD | {"read-only folder": skipped})
    assert table.rows[-1][:2] == ("read-only folder", "0")


def test_tables_state_where_kills_struck_and_what_was_lost():
    found = GOOD | {"kills 2": {"tries": [kill(resumed=8), kill("mid-epoch", different=["key"])]}}
    rows = {row[0]: row[1:] for row in results.by_fault(found).rows}
    assert rows["SIGKILL: saving"] == ("2", "−9", "8 (2×)", "4, 8", "0, 4", "2 of 2")
    assert rows["SIGKILL: mid-epoch"][-1] == "1 of 2"
    assert rows["SIGTERM"] == ("1", "143", "20", "20", "0", "1 of 1")
    (first, *_, total) = results.by_damage(found).rows
    assert first == ("flipped bit", *["0"] * 8)
    assert total == ("all", "1", "1", "0", "0", "1", "0", "0", "0")


def test_parts_and_misuse(monkeypatch, capsys, tmp_path):
    resolved, _ = config.prepare(config.Config(smoke=True))
    names = [part.name for part in config.parts(resolved, None)]
    assert names == ["reference", "damages 1", "kills 1", *config.OTHERS]
    resolved, _ = config.prepare(config.Config(damages=50, runs=2))
    blocks = [part.payload for part in config.parts(resolved, None) if "damages" in part.name]
    assert blocks == [("damages", 1, 40), ("damages", 2, 10)]
    assert main(EXPERIMENT, ["--jobs", "0", "--output-dir", f"{tmp_path}"]) == 2
    assert capsys.readouterr().err == "faults: --jobs 0 must be at least 1\n"
    monkeypatch.setattr(config, "require_orbax", missing)
    assert main(EXPERIMENT, ["--smoke", "--output-dir", f"{tmp_path}"]) == 2
    assert capsys.readouterr().err == "faults: checkpoints need Orbax; write pip install\n"
    assert not any(Path(tmp_path).iterdir())


def missing():
    raise ImportError("checkpoints need Orbax; write pip install")
