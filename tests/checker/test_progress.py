"""The position of a running check, on a terminal and in an interrupted report."""

import os
import pty
import re
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

import fcnn
from fcnn.checker import run
from fcnn.checker.progress import Progress
from fcnn.checker.status_line import ERASED
from fcnn.cli import check as command, main

W = [np.arange(6.0).reshape(2, 3) + i for i in range(3)]


def slow(*w):
    time.sleep(0.008)
    return sum((np.asarray(a) ** 2).sum() for a in w)


def slow_backward(*args):
    *w, dy = args
    return [2 * a * dy for a in w]


@contextmanager
def terminal(monkeypatch):
    """A terminal as standard error; the list yielded has the text written to it after the block."""
    screen, other = pty.openpty()
    os.set_blocking(screen, False)
    shown = []
    with os.fdopen(other, "w") as stream, monkeypatch.context() as context:
        context.setattr(sys, "stderr", stream)
        yield shown
        read = []
        with suppress(BlockingIOError):
            while True:
                read.append(os.read(screen, 1 << 20).decode())
        shown += ["".join(read)] if read else []
    os.close(screen)


def test_a_long_check_shows_its_position_on_a_terminal_and_erases_it(monkeypatch):
    monkeypatch.setattr(run, "QUIET", 0.1)
    with terminal(monkeypatch) as written:
        assert fcnn.check(slow, W, backward=slow_backward).ok
    (shown,) = written
    assert f"{ERASED}check: slow: leaf 2 of 3; 1 right  0:0" in shown
    assert shown.endswith(ERASED)
    assert "\n" not in shown


def test_a_short_check_shows_nothing(monkeypatch):
    assert run.QUIET == 2
    with terminal(monkeypatch) as written:
        started = time.monotonic()
        assert fcnn.check(fcnn.relu, cost=False).ok
        seconds = time.monotonic() - started
    assert not written or seconds > 2


def test_nothing_is_shown_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(run, "QUIET", 0.0)
    assert fcnn.check(slow, W, backward=slow_backward).ok
    assert capsys.readouterr() == ("", "")


def test_the_command_shows_each_case_and_how_much_is_right(monkeypatch, capsys):
    monkeypatch.setattr(command, "AFTER", 0.0)
    monkeypatch.setattr(run, "QUIET", 0.0)  # the line of fcnn.check would disturb the bar
    with terminal(monkeypatch) as written:
        assert main(["check", "relu", "prelu"]) == 0
    (shown,) = written
    assert "░░ 1/2  0:0" in shown
    assert re.search(r": case \d of \d", shown)  # the line is drawn at intervals only
    assert " right" in shown
    assert "check:" not in shown
    assert shown.endswith(ERASED)
    assert capsys.readouterr().out.endswith("gradients are right.\n")


def test_an_interrupted_check_keeps_its_rows_and_is_not_ok():
    def interrupted(*w):
        if abs(np.asarray(w[2]) - W[2]).max():  # finite differences move only the third argument
            raise KeyboardInterrupt
        return slow(*w)

    progress = Progress()
    options = {"dtype": None, "order": 1, "seed": 0}
    with pytest.raises(KeyboardInterrupt):
        run.run(interrupted, W, progress, backward=slow_backward, **options)
    assert [row.verdict for row in progress.rows] == ["right", "right"]
    assert (progress.judged, progress.share) == ("2 of 3 gradients", 2 / 3)
    report = run.report_of(progress, 0, "after 2 of 3 gradients of interrupted")
    assert not report.ok
    assert "Interrupted after 2 of 3 gradients of interrupted" in report.to_html()
