"""What the tests that press Ctrl-C rely on."""

import signal

import pytest
from child import started

DEAF = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("here", [signal.SIG_IGN, signal.default_int_handler])
def test_ctrl_c_reaches_a_child_whatever_this_process_does_at_it(here):
    before = signal.signal(signal.SIGINT, here)
    try:
        with started("-c", "import signal; print(signal.getsignal(2), flush=True)") as child:
            out, _ = child.communicate()
        assert "default_int_handler" in out
        assert signal.getsignal(signal.SIGINT) is here
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_hears_nothing_is_killed_in_time():
    with started("-c", DEAF, seconds=0.5) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode == -signal.SIGKILL


def test_no_child_outlives_its_block():
    with started("-c", DEAF) as child:
        assert child.stdout.readline() == "ready\n"
    assert child.returncode == -signal.SIGKILL
