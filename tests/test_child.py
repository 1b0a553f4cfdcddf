"""Tests of `child.started`, with which other tests send Ctrl-C to a program."""

import signal

import pytest
from child import started

IGNORES_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler])
def test_a_child_handles_ctrl_c_even_if_this_process_ignores_it(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with started("-c", "import signal; print(signal.getsignal(2), flush=True)") as child:
            out, _ = child.communicate()
        assert "default_int_handler" in out
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_that_ignores_ctrl_c_is_killed_at_the_time_limit():
    with started("-c", IGNORES_CTRL_C, seconds=0.5) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode == -signal.SIGKILL


def test_a_child_is_killed_when_its_with_block_ends():
    with started("-c", IGNORES_CTRL_C) as child:
        assert child.stdout.readline() == "ready\n"
    assert child.returncode == -signal.SIGKILL
