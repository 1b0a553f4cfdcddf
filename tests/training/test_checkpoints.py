"""Checkpoints: exact continuation, named damage, refusals with all differences, and policies."""

import dataclasses
import errno
import json
import logging
import os
import shutil
import signal
import sys
import types
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, strategies as st

import fcnn
from fcnn import training
from fcnn.training.checkpoint import Damaged, orbax, receipt, store
from fcnn.training.checkpoint.arrays import by_path, digest, restored

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X.sum(1) > 0).astype(np.int32)
MODEL = fcnn.layers.serial(fcnn.layers.dense(8), fcnn.layers.dropout(0.5), fcnn.layers.dense(2))


class Run:
    """A training run in a folder, with everything that keeps a state."""

    def __init__(self, folder):
        self.folder, self.lines = folder, []
        self.model, self.data, self.optimizer = MODEL, (X[:32], Y[:32]), optax.adam(1e-2)
        self.key = jax.random.key(0)

    @property
    def checkpoints(self):
        keep = training.Keep(last=2, best="loss")
        return training.Checkpoints(
            self.folder / "c", keep=keep, config={"rate": 1e-2}, report=self.lines.append
        )

    def fit(self, epochs, *more, checkpoints=None, patience=9):
        path = self.folder / "metrics.jsonl"
        callbacks = [
            training.metrics_file(path, replace=True),
            training.early_stopping(patience=patience),
            training.keep_best(),
            *more,
        ]
        options = {"epochs": epochs, "batch_size": 8, "every": 3, "key": self.key}
        with jax.numpy_dtype_promotion("standard"):  # for optax, also in a fixture of the module
            return training.fit(
                self.model,
                fcnn.softmax_cross_entropy,
                self.optimizer,
                self.data,
                validation=(X[32:], Y[32:]),
                callbacks=callbacks,
                checkpoints=checkpoints or self.checkpoints,
                **options,
            )

    def rows(self):
        """The lines of the metrics file, but for the seconds."""
        lines = (self.folder / "metrics.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 6 epochs of 4 steps that was never interrupted."""
    run = Run(tmp_path_factory.mktemp("whole"))
    run.state = run.fit(6).train_state
    return run


def copied(whole, tmp_path):
    """The same run in another folder."""
    shutil.copytree(whole.folder, tmp_path / "run")
    return Run(tmp_path / "run")


def same(one, other):
    one, other = by_path(one), by_path(other)
    assert one.keys() == other.keys()
    different = [path for path in one if digest(one[path]) != digest(other[path])]
    assert different == []


def test_a_continued_run_is_equal_bit_for_bit(whole, tmp_path):
    """Step 21 is in the middle of an epoch, and all but the last two and the best are deleted."""
    assert whole.checkpoints.steps()[-2:] == [21, 24]
    assert len(whole.checkpoints.steps()) <= 3
    run = copied(whole, tmp_path)
    shutil.rmtree(run.folder / "c" / "24")
    again = run.fit(6)
    assert run.lines[:2] == ["continues from step 21", "saving step 24"]
    same(again.train_state, whole.state)
    assert run.rows() == whole.rows()
    assert [row["step"] for row in run.rows()] == [3, 6, 9, 12, 15, 18, 21, 24]


def test_a_run_in_two_parts_is_equal_bit_for_bit(whole, tmp_path):
    run = Run(tmp_path)
    run.fit(3)
    same(run.fit(6).train_state, whole.state)
    without = lambda rows: [{k: v for k, v in row.items() if k != "steps"} for row in rows]
    assert without(run.rows()) == without(whole.rows())


def test_an_interrupted_run_is_saved_where_it_is_and_continued(whole, tmp_path):
    """The signal arrives in the middle of a chunk of steps, which is measured later as a whole."""
    run = Run(tmp_path)
    host, batches = training.from_host(run.data), []

    def take(indices):
        batches.append(indices)
        if len(batches) == 10:  # one is for the sum of the examples, one to compile
            signal.raise_signal(signal.SIGTERM)
        return host.take(indices)

    run.data = dataclasses.replace(host, take=take)
    assert run.fit(6).stopped == "interrupted"
    assert run.checkpoints.steps()[-1] == 7
    run.data = (X[:32], Y[:32])
    same(run.fit(6).train_state, whole.state)
    assert run.rows() == whole.rows()


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    run = Run(tmp_path)
    run.optimizer = optax.sgd(0.0)  # the loss never improves
    first = run.fit(50, patience=1)
    assert "did not improve" in first.stopped
    again = run.fit(50, patience=1)
    assert (again.stopped, again.history) == (first.stopped, [])
    same(again.train_state, first.train_state)


def test_states_of_every_kind_of_array_are_restored(tmp_path):
    made = training.create(MODEL, optax.adam(1e-2), (4,), jax.random.key(3))
    callbacks = {
        "mine": {
            "bfloat16": jnp.asarray([1.5, -0.0], jnp.bfloat16),
            "bool": jnp.asarray([True, False]),
            "empty": jnp.zeros((0, 3), jnp.float16),
            "keys": jax.random.split(jax.random.key(1, impl="rbg"), 3),
            "raw key": jax.random.PRNGKey(2),
            "not finite": jnp.asarray([jnp.nan, jnp.inf, -jnp.inf]),
            "numpy": np.arange(3, dtype=np.int8),
            "number": 3,
            "scalar": jnp.asarray(7, jnp.uint8),
        }
    }
    state = made._replace(callbacks=callbacks, totals={})
    saved = training.Checkpoints(tmp_path)
    saved.save(state)
    zeros = lambda a: a if isinstance(a, int) or "key" in str(a.dtype) else a * 0
    found = restored(jax.tree.map(zeros, state), saved.latest(state))
    same(found, state)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    of = lambda tree: [(type(a), getattr(a, "dtype", None)) for a in jax.tree.leaves(tree)]
    assert of(found) == of(state)


def test_a_sharded_state_is_restored_on_its_devices(tmp_path):
    mesh = jax.make_mesh((4,), ("data",))
    where = jax.sharding.NamedSharding(mesh, jax.P("data"))
    made = training.create(fcnn.layers.dense(2), optax.sgd(0.1), (8,), jax.random.key(0))
    sharded = {"w": jax.device_put(made.params["w"], where), "b": made.params["b"]}
    state = made._replace(params=sharded)
    saved = training.Checkpoints(tmp_path)
    saved.save(state)
    found = restored(state, saved.latest(state))
    same(found, state)
    assert found.params["w"].sharding == where


FAULTS = {
    "flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "truncated": lambda data: data[:-1],
    "zeroed": lambda data: bytes(len(data)) if any(data) else b"\1" * len(data),
    "missing": lambda data: None,
}


def damage(path, fault):
    after = FAULTS[fault](path.read_bytes())
    path.unlink() if after is None else path.write_bytes(after)


def test_damage_of_every_file_is_named_and_the_one_before_is_used(whole, tmp_path):
    run = copied(whole, tmp_path)
    folder = run.folder / "c" / "24"
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    assert len(files) >= 8
    for path, fault in product(files, FAULTS):
        name, before = path.relative_to(folder).as_posix(), path.read_bytes()
        damage(path, fault)
        with pytest.raises(Damaged, match=name):
            run.checkpoints.read_receipt(24)
        path.write_bytes(before)
    run.checkpoints.read_receipt(24)
    path = files[RNG.integers(len(files))]
    damage(path, "flipped")
    again = run.fit(6)
    assert run.lines[0].startswith(f"step 24 is damaged: {path.relative_to(folder).as_posix()} ")
    assert run.lines[0].endswith("; renamed to 24.damaged")
    assert run.lines[1] == "continues from step 21"
    same(again.train_state, whole.state)
    assert (run.folder / "c" / "24.damaged").is_dir()


def test_wrong_bits_behind_right_sums_of_files_are_found(whole, tmp_path):
    """As if Orbax had written or read other values: the sums of the arrays decide."""
    run = copied(whole, tmp_path)
    folder = run.folder / "c" / "24"
    found = receipt.read(folder)
    path = next(path for path in found.arrays if path.startswith("params/"))
    found.arrays[path][2] = "0" * 64
    receipt.write(folder, found)
    with pytest.raises(Damaged, match=f"the array {path} has other bits"):
        run.checkpoints.arrays(run.checkpoints.read_receipt(24))


def test_without_a_good_checkpoint_training_begins_again(whole, tmp_path):
    run = copied(whole, tmp_path)
    for step in run.checkpoints.steps():
        (run.folder / "c" / f"{step}" / "receipt.json").unlink()
    same(run.fit(6).train_state, whole.state)
    assert [line.partition(":")[0] for line in run.lines[:2]] == [
        "step 24 is damaged",
        "step 21 is damaged",
    ]
    assert run.rows() == whole.rows()


def test_all_differences_of_a_run_are_listed(whole, tmp_path):
    run = copied(whole, tmp_path)
    run.model = fcnn.layers.serial(fcnn.layers.dense(8), fcnn.layers.dense(3))
    run.optimizer, run.data = optax.sgd(0.1), (X[:24], Y[:24])
    config = {"rate": 0.1, "new": 1}
    before = sorted((run.folder / "c").iterdir())
    with pytest.raises(ValueError, match="was saved by another run; use another folder") as error:
        run.fit(8, checkpoints=training.Checkpoints(run.folder / "c", config=config))
    text = str(error.value)
    for line in (
        "rate: 0.01 before, 0.1 now",
        "new: absent before, 1 now",
        "params/dense2/w: float64(8, 2) before, float64(8, 3) now",
        "params/dense2/b: float64(2,) before, float64(3,) now",
        "opt_state/0/count: int32() before, absent now",
        "opt_state/0/mu/dense1/w: float64(4, 8) before, absent now",
    ):
        assert f"\n  {line}" in text
    assert "\n  examples: " in text
    assert "batch size" not in text
    assert sorted((run.folder / "c").iterdir()) == before


def test_other_dtypes_and_kinds_of_keys_are_differences(tmp_path):
    saved = training.Checkpoints(tmp_path)
    made = training.create(fcnn.layers.dense(2), optax.sgd(0.1), (3,), jax.random.key(0))
    saved.save(made)
    half = made._replace(params=jax.tree.map(lambda a: a.astype(jnp.bfloat16), made.params))
    with pytest.raises(ValueError, match=r"params/w: float.* before, bfloat16.* now"):
        saved.latest(half)
    rbg = made._replace(key=jax.random.key(0, impl="rbg"))
    with pytest.raises(ValueError, match=r"key: key<fry>\(2,\) before, key<rbg>\(4,\) now"):
        saved.latest(rbg)


def test_another_machine_continues_with_a_line(whole, tmp_path, monkeypatch):
    run = copied(whole, tmp_path)
    now = store.environment() | {"cores": 64, "XLA_FLAGS": ""}
    monkeypatch.setattr(store, "environment", lambda: now)
    run.fit(6)
    assert run.lines[0].startswith("continues from step 24, but not bit for bit: cores ")
    assert " → 64, XLA_FLAGS --xla" in run.lines[0]


def test_a_later_format_is_refused(whole, tmp_path):
    run = copied(whole, tmp_path)
    found = dataclasses.replace(receipt.read(run.folder / "c" / "24"), format=receipt.FORMAT + 1)
    receipt.write(run.folder / "c" / "24", found)
    with pytest.raises(ValueError, match="has format 2, but this fcnn reads 1; install a later"):
        run.fit(6)
    assert 24 in run.checkpoints.steps()


def test_a_checkpoint_that_cannot_be_written_loses_no_other(whole, tmp_path, monkeypatch):
    run, full = Run(tmp_path), os.strerror(errno.ENOSPC)
    run.fit(1)

    def fails(folder):
        raise OSError(errno.ENOSPC, full, f"{folder}")

    monkeypatch.setattr(receipt, "flush", fails)
    fitted = run.fit(6)
    assert fitted.stopped == "checkpoint not saved"
    before = "the last checkpoint is that of step 4"
    assert fitted.message == f"{tmp_path / 'c' / '6'}: {full}; {before}"
    assert int(fitted.train_state.step) == 6
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["3", "4"]
    monkeypatch.undo()
    same(run.fit(6).train_state, whole.state)


def test_errors_of_tensorstore_become_one_line():
    full = ValueError(f"RESOURCE_EXHAUSTED: {'specification ' * 1000}")
    assert orbax.as_os_error(full, Path("a")).strerror == "No space left on device"
    forbidden = OSError(errno.EACCES, os.strerror(errno.EACCES), "b")
    assert str(orbax.as_os_error(forbidden, Path("a"))) == "[Errno 13] Permission denied: 'a'"
    other = orbax.as_os_error(RuntimeError(f"first\n{'more ' * 1000}"), Path("a"))
    assert len(str(other)) < 300
    assert "\n" not in str(other)


def test_what_orbax_prints_about_an_error_is_dropped(capsys, caplog):
    """Its log, and the event loops that abandoned operations find closed, also after the error."""
    abandoned = types.SimpleNamespace(exc_value=RuntimeError("Event loop is closed"))
    passed, before = [], sys.unraisablehook
    sys.unraisablehook = passed.append
    try:
        with orbax._quiet():
            logging.getLogger("absl").error("RESOURCE_EXHAUSTED")
            sys.unraisablehook(abandoned)
        assert (passed, caplog.records) == ([], [])
        assert sys.unraisablehook == passed.append
        with pytest.raises(OSError, match="full"), orbax._quiet():
            raise OSError("full")
        sys.unraisablehook(abandoned)
        assert passed == []
        sys.unraisablehook("another")
        assert passed == ["another"]
    finally:
        sys.unraisablehook = before
    logging.getLogger("absl").error("is printed again")
    assert caplog.messages == ["is printed again"]


def test_what_a_killed_process_left_is_removed(whole, tmp_path):
    run = copied(whole, tmp_path)
    for name in (".saving-27", ".deleting-3"):
        (run.folder / "c" / name / "state").mkdir(parents=True)
    same(run.fit(6).train_state, whole.state)
    assert not [path for path in (run.folder / "c").iterdir() if path.name.startswith(".")]


def test_a_folder_has_one_process_at_a_time(whole, tmp_path):
    run = copied(whole, tmp_path)
    with run.checkpoints.in_use(), pytest.raises(ValueError, match="is in use by another process"):
        run.fit(6)


def test_the_lines_of_a_run_are_written_before_the_act(whole):
    assert whole.lines[0] == "saving step 3"
    deleted = [line for line in whole.lines if line.startswith("deleting")]
    assert deleted
    assert len(whole.checkpoints.steps()) + len(deleted) == 8


@given(
    st.lists(st.integers(1, 99), unique=True),
    st.integers(1, 4),
    st.none() | st.integers(1, 20),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_policy_keeps_the_last_the_multiples_and_the_best(steps, last, every, larger, random):
    values = {step: random.choice([None, 0.5, float("nan"), random.random()]) for step in steps}
    keep = training.Keep(last=last, every=every, best="accuracy", larger=larger)
    kept = keep.chosen(values)
    expected = set(sorted(steps)[-last:])
    expected |= {step for step in steps if every and step % every == 0}
    numbers = {s: v for s, v in values.items() if v is not None and v == v}
    if numbers:
        best = (max if larger else min)(numbers.values())
        expected.add(min(step for step, value in numbers.items() if value == best))
    assert kept == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": 0}, "last 0 must be at least 1"),
        ({"every": 0}, "every 0 must be at least 1"),
        ({"best": "accuracy"}, "are larger values better"),
        ({"larger": True}, "larger is given without best"),
    ],
)
def test_policies_that_make_no_sense_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=f"Checkpoints: .*{message}"):
        training.Checkpoints(tmp_path, keep=training.Keep(**options))


def test_a_signal_before_the_first_step_saves_nothing_twice(tmp_path):
    """The checkpoint keeps its validation results, by which the best one is found."""
    run = Run(tmp_path)
    run.fit(3)
    before = run.checkpoints.read_receipt(12)
    host = training.from_host(run.data)
    calls = []

    def take(indices):
        calls.append(indices)
        if len(calls) == 3:  # after the sum of the examples and the compilation
            signal.raise_signal(signal.SIGTERM)
        return host.take(indices)

    run.data = dataclasses.replace(host, take=take)
    assert run.fit(6).stopped == "interrupted"
    assert run.checkpoints.steps()[-1] == 12
    assert run.checkpoints.read_receipt(12) == before
    assert before.validation


def test_a_chunk_whose_callback_failed_is_repeated(whole, tmp_path, monkeypatch):
    """A line of metrics that could not be written is not lost."""
    run, write_text = Run(tmp_path), Path.write_text

    def fails(path, text, **options):
        if path.name == ".metrics.jsonl.part" and '"step": 6' in text:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", fails)
    assert run.fit(6).stopped == "error in metrics_file"
    assert run.checkpoints.steps() == [3]
    monkeypatch.undo()
    same(run.fit(6).train_state, whole.state)
    assert run.rows() == whole.rows()


def test_checkpoints_that_a_killed_process_did_not_delete_are_deleted(whole, tmp_path):
    run = copied(whole, tmp_path)
    kept = run.checkpoints.steps()
    shutil.copytree(run.folder / "c" / "21", run.folder / "c" / "3")
    found = dataclasses.replace(receipt.read(run.folder / "c" / "3"), step=3, validation={})
    receipt.write(run.folder / "c" / "3", found)
    run.fit(6)
    assert run.checkpoints.steps() == kept


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[]", "null", '{"receipt": {}}', "\xff", '{"receipt": {"step": NaN}}']
)
def test_any_text_in_a_receipt_is_damage(whole, tmp_path, text):
    run = copied(whole, tmp_path)
    path = run.folder / "c" / "24" / "receipt.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Damaged, match=r"receipt.json is not what was written"):
        run.checkpoints.read_receipt(24)


@pytest.mark.parametrize("change", [{"arrays": []}, {"files": {"a": 1}}, {"step": "24"}])
def test_a_receipt_of_other_types_with_a_right_sum_is_damage(whole, tmp_path, change):
    run = copied(whole, tmp_path)
    path = run.folder / "c" / "24" / "receipt.json"
    body = json.loads(path.read_text())["receipt"] | change
    path.write_text(json.dumps({"sha256": receipt._sum(body), "receipt": body}))
    with pytest.raises(Damaged, match=r"receipt.json is not what was written"):
        run.checkpoints.read_receipt(24)


def test_other_names_in_the_folder_are_no_checkpoints(whole, tmp_path):
    run = copied(whole, tmp_path)
    steps, folder = run.checkpoints.steps(), run.folder / "c"
    (folder / "0099").mkdir()
    (folder / "98").write_text("a file")
    (folder / "²").mkdir()
    (folder / ".saving-3").write_text("a file")
    (folder / "24.damaged").write_text("a file")
    assert run.checkpoints.steps() == steps
    (folder / "24" / "receipt.json").unlink()
    same(run.fit(6).train_state, whole.state)
    assert (folder / "24.damaged").is_dir()


def test_another_key_or_a_metric_that_is_not_measured_is_refused(whole, tmp_path):
    run = copied(whole, tmp_path)
    with pytest.raises(
        ValueError, match="keep the best by the validation 'f1'; expected one of loss"
    ):
        run.fit(
            6,
            checkpoints=training.Checkpoints(
                tmp_path / "d", keep=training.Keep(best="f1", larger=True)
            ),
        )
    with pytest.raises(ValueError, match="config must be a dict for JSON, with finite numbers"):
        training.Checkpoints(tmp_path, config={"rate": float("nan")})
    run.key = jax.random.key(1)
    with pytest.raises(ValueError, match=r"\n  key: \w{16} before, \w{16} now"):
        run.fit(6)
