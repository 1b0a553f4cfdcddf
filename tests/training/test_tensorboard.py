"""Event files of the TensorBoard callback, read by a small reader of records."""

import struct
import sys

import jax
import numpy as np
import optax
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

import fcnn
from fcnn import layers, training
from fcnn.training import Progress

STATE = training.TrainState(np.int32(0), {}, {}, (), None)


def events(path):
    """The events of a file; every checksum is compared."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 8) == (masked_crc32c(data[at : at + 8]),)
        assert struct.unpack_from("<I", data, at + 12 + size) == (masked_crc32c(body),)
        found.append(Event.FromString(body))
        at += 16 + size
    return found


def files(folder):
    return sorted(folder.glob("events.out.tfevents.*"))


def shown(folder):
    """{(tag, step): value} that TensorBoard shows; a step must not be there twice."""
    found = {}
    for path in files(folder):
        for event in events(path):
            if event.session_log.status == SessionLog.START:
                found = {key: value for key, value in found.items() if key[1] < event.step}
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = value.simple_value
    return found


def progress(step, loss=0.5, **others):
    return Progress(step, 100, step / 10, {"loss": loss, **others}, {"loss": 2 * loss}, 0.1)


def test_scalars_equal_the_history_of_the_run(tmp_path):
    x, y = np.arange(12.0).reshape(6, 2) / 12, np.arange(6, dtype=np.int32) % 2
    run = training.fit(
        layers.dense(2),
        fcnn.softmax_cross_entropy,
        optax.sgd(0.1),
        (x, y),
        epochs=2,
        batch_size=2,
        every=2,
        key=jax.random.key(0),
        validation=(x, y),
        metrics={"accuracy": training.accuracy},
        callbacks=[training.tensorboard(tmp_path)],
    )
    expected = {
        (f"{part}/{name}", p.step): np.float32(getattr(p, part)[name])
        for p in run.history
        for part in ("training", "validation")
        for name in ("loss", "accuracy")
    }
    assert shown(tmp_path) == expected
    assert [p.step for p in run.history] == [2, 4, 6]


def test_a_continued_run_replaces_the_steps_that_it_repeats(tmp_path):
    killed = training.tensorboard(tmp_path)
    own = killed.init(STATE)
    for step in (10, 20, 30, 40):
        own = killed.after(STATE, own, progress(step, loss=1.0))
    again = training.tensorboard(tmp_path)
    restored = STATE._replace(step=np.int32(20))
    own = again.init(restored)
    assert [step for _, step in shown(tmp_path)] == [10, 10, 20, 20]
    again.after(restored, own, progress(30, loss=0.25))
    found = {step: loss for (tag, step), loss in shown(tmp_path).items() if tag == "training/loss"}
    assert found == {10: 1.0, 20: 1.0, 30: 0.25}


def test_a_run_from_the_state_of_an_earlier_one_begins_a_new_file(tmp_path):
    """`fit` with `start` does not call init, since the state has an entry of the callback."""
    callback = training.tensorboard(tmp_path)
    for step, loss in ((10, 1.0), (20, 1.0), (20, 0.5)):
        callback.after(STATE, (), progress(step, loss=loss))
    assert shown(tmp_path)["training/loss", 20] == 0.5
    assert len(files(tmp_path)) == 2


def test_values_that_are_not_finite_are_written_and_arrays_are_not(tmp_path):
    callback = training.tensorboard(tmp_path / "a" / "b")
    callback.init(STATE)
    callback.after(STATE, (), progress(1, loss=float("nan"), matrix=np.eye(2), large=1e300))
    found = shown(tmp_path / "a" / "b")
    assert {tag for tag, _ in found} == {"training/loss", "training/large", "validation/loss"}
    assert np.isnan(found["training/loss", 1])
    assert np.isinf(found["training/large", 1])


def test_a_file_that_cannot_be_written_is_an_oserror_with_its_path(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError) as error:
        training.tensorboard(tmp_path / "file").init(STATE)
    assert error.value.filename == str(tmp_path / "file")
    callback = training.tensorboard(tmp_path / "run")
    callback.init(STATE)
    (path,) = files(tmp_path / "run")
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(OSError, match="No such file"):
        callback.after(STATE, (), progress(1))


def test_a_missing_tensorboardx_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    line = "^tensorboard needs tensorboardX; write pip install tensorboardX$"
    with pytest.raises(ImportError, match=line):
        training.tensorboard("runs")
