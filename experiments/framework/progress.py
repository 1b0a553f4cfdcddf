"""Progress of a run: a bar on a terminal, otherwise one line per finished part, flushed at once."""

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from rich.console import Console

from experiments.framework.series import Series, bar, duration

QUIET = 60  # seconds without a line after which a running part prints one
MANY = 100  # parts; a run of more prints a line at most every
SECONDS = 10


class Sized(Protocol):
    """A part of a run, with its cost relative to the others."""

    @property
    def name(self) -> str: ...
    @property
    def cost(self) -> float: ...


class Progress:
    """Shows finished parts, elapsed time, and time left by the costs of the remaining parts.

    In a `series` of experiments, its display is shared, and the times are those of the series.
    """

    def __init__(
        self,
        console: Console,
        parts: Sequence[Sized],
        reused: Sequence[str] = (),
        series: Series | None = None,
    ):
        self.console, self.count, self.done = console, len(parts), len(reused)
        self.left = sum(part.cost for part in parts if part.name not in reused)
        self.spent, self.series = 0.0, series
        self.started = self.printed = perf_counter()
        self.bar = None
        if console.is_terminal:
            self.bar = (series and series.bar) or bar(console)
            self.task = self.bar.add_task("starting", total=self.left or 1)

    def __enter__(self) -> "Progress":
        if self.bar and not self.series:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar and self.series:
            self.bar.remove_task(self.task)
        elif self.bar:
            self.bar.stop()

    def note(self, text: str) -> None:
        """Show a step that has no length, such as a compilation."""
        if self.bar:
            self.bar.update(self.task, description=text)
        elif self.count <= MANY:
            self._line(text)

    def show(self, text: str, share: float = 0.0, cost: float = 0.0) -> None:
        """Show the state of the running part, of which `share` of `cost` is finished."""
        spent = self._spent(self.spent + share * cost)
        if self.bar:
            self.bar.update(self.task, description=text, completed=spent)
        elif perf_counter() - self.printed > QUIET:
            self._line(f"{self._counts(spent)}; running: {text}")

    def finish(self, part: Sized) -> None:
        self.done += 1
        self.spent = self._spent(self.spent + part.cost)
        if self.bar:
            self.bar.update(self.task, completed=self.spent)
            return
        last = self.done == self.count
        if last or self.count <= MANY or perf_counter() - self.printed > SECONDS:
            self._line(f"{self._counts(self.spent)}: {part.name}")

    def _spent(self, spent: float) -> float:
        if self.series and self.left:
            self.series.show(spent / self.left)
        return spent

    def _counts(self, spent: float) -> str:
        counted = f"{self.done} of {self.count} parts"
        if self.series:
            return f"{self.series.counts()}: {counted}"
        elapsed = perf_counter() - self.started
        text = f"{counted}, {duration(elapsed)} elapsed"
        if not spent or self.done == self.count:
            return text
        return f"{text}, about {duration(elapsed * (self.left - spent) / spent)} left"

    def _line(self, text: str) -> None:
        self.printed = perf_counter()
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)
