"""Progress of `fcnn train`: one line per report, and a bar on a terminal."""

import sys
from time import monotonic
from typing import Any

from fcnn.cli.train.report.tables import duration
from fcnn.training import Callback, Progress


class Screen:
    """Lines on standard output; on a terminal, a bar with the time left below them.

    Without a terminal the lines are plain, and each is written at once: "compiling", "saving step
    40", "step 40 of 200: loss 0.31".
    """

    def __init__(self, batch_size: int, steps: int):
        self.batch_size, self.steps = batch_size, steps
        self.first = 0  # step at which this process began
        self.began = 0.0
        self.bar: Any = None
        self.task: Any = None
        self.callback = Callback("screen", init=self._init, after=self._after)

    def __enter__(self) -> "Screen":
        if sys.stdout is not None and sys.stdout.isatty():
            from rich.progress import BarColumn, Progress as Bar, TextColumn, TimeRemainingColumn

            percent = TextColumn("{task.percentage:3.0f}%")
            self.bar = Bar(BarColumn(), percent, TimeRemainingColumn(), transient=True)
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def line(self, text: str) -> None:
        """Print a line. Training goes on if standard output is closed or full."""
        try:
            if self.bar is None:
                print(text, flush=True)
            else:
                self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        except (OSError, ValueError):
            pass

    def _init(self, train_state):
        self.first = int(train_state.step)
        if self.first < self.steps:
            self.line("compiling")
        return ()

    def _after(self, train_state, own, progress: Progress):
        self.began = self.began or monotonic() - progress.seconds
        self.line(self._text(progress))
        if self.bar is not None:
            if self.task is None:
                self.task = self.bar.add_task("", total=progress.steps)
            self.bar.update(self.task, completed=progress.step)
        return own

    def _text(self, progress):
        parts = [_listed(progress.training)]
        if progress.validation:
            parts.append(f"validation {_listed(progress.validation)}")
        if done := progress.step - self.first:
            per_step = (monotonic() - self.began) / done
            left = per_step * (progress.steps - progress.step)
            parts.append(f"{self.batch_size / per_step:,.0f} examples/s")
            parts += [f"{duration(left)} left"] if left else []
        return f"step {progress.step} of {progress.steps}: {'; '.join(parts)}"


def _listed(results):
    numbers = {name: value for name, value in results.items() if isinstance(value, float | int)}
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
