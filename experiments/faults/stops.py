"""Faults that stop a run or disturb it: signals, a clock that is set back, a second command."""

import re
import signal
import time
from collections.abc import Mapping
from typing import Any

from experiments.faults.child import Child
from experiments.faults.found import Found
from experiments.faults.struck import MIDDLE, listing, printed, reached, saved
from experiments.faults.task import Task

BACK = 86_400  # seconds by which the clock is set back
CLOCK = f"import time; now = time.time; time.time = lambda: now() - {BACK}"


def sigterm(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    return _signal(task, reference, signal.SIGTERM, "SIGTERM")


def sigint(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    return _signal(task, reference, signal.SIGINT, "SIGINT (Ctrl-C)")


def _signal(task, reference, number, name) -> dict[str, Any]:
    """The run must save the step at which it stops, between two checkpoints, and continue there."""
    found = Found(name, f"signal {number:d}, in the steps after the checkpoint of step 20")
    run = task.folder / number.name
    child = task.start(run)
    child.until(lambda line: line.startswith("deleting step 12"))
    time.sleep(reference["seconds"][MIDDLE] / 2)
    child.process.send_signal(number)
    found.expect_end(child, 128 + number, "the same command continues at step ")
    found.at = reached(child.lines, listing(run / "checkpoints"))
    stated = re.search(r"continues at step (\d+) of", " ".join(child.errors))
    if stated is None or int(stated[1]) != saved(listing(run / "checkpoints")):
        found.wrong.append(f"the checkpoint is of step {saved(listing(run / 'checkpoints'))}")
    found.continue_to_end(task, run, reference)
    return found.json()


def clock_set_back(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    """The run is killed, and continues a day earlier."""
    found = Found("clock set back", f"time.time() {BACK // 3600} h earlier after a kill")
    run = task.folder / "clock"
    child = stopped_at(task, run, 20, signal.SIGKILL)
    found.code, found.at = child.end(), reached(child.lines, listing(run / "checkpoints"))
    found.continue_to_end(task, run, reference, before=CLOCK)
    return found.json()


def two_commands(task: Task, reference: Mapping[str, Any]) -> dict[str, Any]:
    """The second command on a folder is refused, and the first one is not disturbed.

    The first is stopped meanwhile, so that it cannot end before the second has begun.
    """
    found = Found("two commands on a folder", "the second begins at step 8 of the first")
    run = task.folder / "two"
    first = task.start(run)
    if not first.until(lambda line: line.startswith("step 8 of ")):
        found.wrong.append("the first command ended")
    first.process.send_signal(signal.SIGSTOP)
    second = task.start(run)
    found.expect_end(second, 2, "is in use by another process")
    found.at = printed(first.lines)
    first.process.send_signal(signal.SIGCONT)
    found.ended(first, run, reference)
    return found.json()


def stopped_at(task: Task, run, step: int, number: int) -> Child:
    """A child that gets a signal when it prints a step."""
    child = task.start(run)
    child.until(lambda line: line.startswith(f"step {step} of "))
    child.process.send_signal(number)
    return child
