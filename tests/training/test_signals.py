"""Training in processes that get real signals: it returns what it has, and continues exactly."""

import signal
import time

import pytest
from child import started

PROGRAM = """
import os, signal, sys, time
import jax, numpy as np, optax
import fcnn
from fcnn import layers, training

x = np.random.default_rng(0).standard_normal((4000, 32)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int32)

def fit(epochs, **options):
    print("training", flush=True)
    return training.fit(
        layers.serial(layers.dense(64), layers.dropout(0.2), layers.dense(2)),
        fcnn.softmax_cross_entropy, optax.adam(1e-3), WHERE((x, y)), epochs=epochs,
        batch_size=4, key=jax.random.key(0), **options,
    )

"""
CONTINUED = """
run = fit(100_000)
print(run.stopped, int(run.train_state.step), flush=True)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
end = int(run.train_state.step) // 1000 + 1
whole, continued = fit(end).train_state, fit(end, start=run.train_state).train_state
same = jax.tree.map(lambda a, b: bool((a == b).all()), whole.params, continued.params)
print("same", all(jax.tree.leaves(same)), int(continued.step) == 1000 * end)
"""
COMPILING = """
compile = jax.stages.Lowered.compile
def slowly(lowered):
    time.sleep(60)
jax.stages.Lowered.compile = slowly
print("compiling", flush=True)
run = fit(1)
print(run.stopped, int(run.train_state.step), flush=True)
os._exit(0)
"""
SLOW = """
def slow(examples):
    spec = training.on_device(examples).spec
    def take(indices):
        if indices.any():  # indices are 0 while programs are compiled
            print("reading", flush=True)
            time.sleep(60 if "own" not in globals() else 2)
        return {"x": x[indices], "y": y[indices]}
    return training.Source(4000, spec, take)

print(fit(1).stopped)
"""
VALIDATED = """
calls = []
def take(indices):
    calls.append(len(indices))
    if len(calls) == 5 + 8 + 3:  # the first reads are those of compilation and of 8 batches
        os.kill(os.getpid(), signal.SIGINT)
    return {"x": x[indices], "y": y[indices]}

held_out = training.Source(4000, training.on_device((x, y)).spec, take)
count = lambda train_state, own, progress: own + 1
counter = training.Callback("n", lambda train_state: np.int32(0), count)
options = {"validation": held_out, "callbacks": [counter]}
run = fit(3, **options)
print(run.stopped, int(run.train_state.step), [p.step for p in run.history])
end = fit(3, **options, start=run.train_state)
print("again", [p.step for p in end.history], int(end.train_state.callbacks["n"]))
whole = fit(3).train_state
same = jax.tree.map(lambda a, b: bool((a == b).all()), whole.params, end.train_state.params)
print("same", all(jax.tree.leaves(same)))
"""
OWN_HANDLER = """
def own(number, frame):
    print("own handler", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, own)
"""
NOTICE = "fit: interrupted: stops after the running steps; a second Ctrl-C raises KeyboardInterrupt"


def wait_for(process, line):
    """Read standard output until this line."""
    for shown in process.stdout:
        if shown.strip() == line:
            return
    raise AssertionError(f"the process ended before it printed {line!r}: {process.stderr.read()}")


@pytest.mark.parametrize(
    ("where", "number"),
    [("training.on_device", signal.SIGINT), ("training.from_host", signal.SIGTERM)],
)
def test_a_signal_ends_training_and_the_run_continues_exactly(where, number):
    with started("-c", PROGRAM.replace("WHERE", where) + CONTINUED) as process:
        wait_for(process, "training")
        time.sleep(3)
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 0, err
    first, *_, last = out.strip().splitlines()
    stopped, step = first.split()
    assert stopped == "interrupted"
    assert int(step) > 0
    assert last == "same True True"
    assert err.strip() == NOTICE


def test_a_signal_during_compilation_ends_training_at_once():
    with started("-c", PROGRAM.replace("WHERE", "training.on_device") + COMPILING) as process:
        wait_for(process, "training")
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate()
    assert time.monotonic() - began < 10
    assert out.strip() == "interrupted 0"
    assert NOTICE in err


def test_a_signal_during_validation_ends_training_and_the_results_follow():
    """The signal arrives in the second of two validations, which a continued run repeats."""
    with started("-c", PROGRAM.replace("WHERE", "training.on_device") + VALIDATED) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert [line for line in out.splitlines() if line != "training"] == [
        "interrupted 2000 [1000]",
        "again [2000, 3000] 3",
        "same True",
    ]


def test_a_handler_of_ones_own_is_called_and_cannot_lose_the_state():
    with started("-c", PROGRAM.replace("WHERE", "slow") + OWN_HANDLER + SLOW) as process:
        wait_for(process, "reading")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.strip().splitlines() == ["own handler", "interrupted"]
    assert err == ""


def test_a_second_signal_raises():
    with started("-c", PROGRAM.replace("WHERE", "slow") + SLOW) as process:
        wait_for(process, "reading")
        process.send_signal(signal.SIGINT)
        while NOTICE not in (line := process.stderr.readline()):
            assert line == "\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert out == ""
