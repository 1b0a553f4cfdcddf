"""Progress of several experiments in one display, with the parts of the running one inside it."""

from collections.abc import Mapping
from statistics import fmean
from time import perf_counter

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress as Bar,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Series:
    """Shows finished experiments, elapsed time, and time left by the known minutes of each.

    An experiment without known minutes counts as the mean of the others.
    """

    def __init__(self, console: Console, minutes: Mapping[str, float | None]):
        known = [value for value in minutes.values() if value]
        self.known = bool(known)
        self.costs = {name: value or fmean(known or [1.0]) for name, value in minutes.items()}
        self.done, self.spent, self.total = 0, 0.0, sum(self.costs.values())
        self.name, self.share = "", 0.0
        self.started = perf_counter()
        self.bar = bar(console) if console.is_terminal else None
        if self.bar:
            self.task = self.bar.add_task("", total=self.total or 1)

    def __enter__(self) -> "Series":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def start(self, name: str) -> None:
        self.name = name
        self.show(0.0)

    def show(self, share: float) -> None:
        """Show that `share` of the running experiment is finished."""
        self.share = share
        if self.bar:
            text = f"{self.done} of {len(self.costs)} experiments"
            self.bar.update(self.task, description=text, completed=self._finished())

    def finish(self) -> None:
        self.done += 1
        self.spent += self.costs[self.name]
        self.show(0.0)

    def counts(self) -> str:
        """Finished experiments, times, and the name of the running one."""
        elapsed, finished = perf_counter() - self.started, self._finished()
        text = f"{self.done} of {len(self.costs)} experiments, {duration(elapsed)} elapsed"
        if finished or self.known:
            pace = elapsed / finished if finished else 60  # seconds for a minute that was known
            text += f", about {duration(pace * (self.total - finished))} left"
        return f"{text}; {self.name}"

    def _finished(self) -> float:
        return self.spent + self.share * self.costs.get(self.name, 0.0)


def bar(console: Console) -> Bar:
    """A bar that disappears at its end."""
    columns = (TextColumn("{task.description:42.42s}", markup=False), BarColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    return Bar(*columns, *times, console=console, transient=True)


def duration(seconds: float) -> str:
    """
    >>> duration(40), duration(130), duration(9000)
    ('40 s', '2 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
