"""A progress bar, shown only if standard error is a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
WIDTH = 24


def progress(items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
    """Iterate over `items` with a bar that shows the count, the time and the next name."""
    shown, started = sys.stderr.isatty() and len(items) > 1, monotonic()
    for done, item in enumerate(items):
        if shown:
            full = WIDTH * done // len(items)
            bar = "█" * full + "░" * (WIDTH - full)
            minutes, seconds = divmod(round(monotonic() - started), 60)
            line = f"{bar} {done}/{len(items)}  {minutes}:{seconds:02}  {name(item)}"
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
