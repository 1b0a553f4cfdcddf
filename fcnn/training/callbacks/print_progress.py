"""Progress of training: printed lines, or a bar on a terminal."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from fcnn.training.callbacks.callback import Callback

WIDTH = 24  # characters of the progress bar


def print_progress(report: Callable[[str], Any] = print) -> Callback:
    """Callback that prints one line after each chunk of steps.

    Options:
        report: function that gets each line.

    >>> callbacks = [fcnn.training.print_progress()]
    """

    def write(line):
        try:
            report(line)
        except (OSError, ValueError):  # standard output is closed or full: training goes on
            pass

    def init(train_state):
        write("compiling …")
        return ()

    def after(train_state, own, progress):
        write(f"{progress}")
        return own

    return Callback("print_progress", init, after)


def progress_bar() -> Callback:
    """Callback that draws a bar on standard error, with the time left, if that is a terminal.

    >>> callbacks = [fcnn.training.progress_bar()]
    """
    began: list[tuple[float, int]] = []

    def draw(text):
        if sys.stderr is not None and sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def init(train_state):
        draw("compiling …")
        return ()

    def after(train_state, own, progress):
        if not began:
            began.append((monotonic() - progress.seconds, progress.step - 1))
        start, first = began[0]
        share = progress.step / progress.steps
        left = (monotonic() - start) * (progress.steps - progress.step) / (progress.step - first)
        full = int(WIDTH * share)
        bar = "█" * full + "░" * (WIDTH - full)
        loss = f"loss {progress.training['loss']:.4g}"
        draw(f"{bar} {share:4.0%}  {loss}, about {left:.0f} s left" if share < 1 else "")
        return own

    return Callback("progress_bar", init, after)
