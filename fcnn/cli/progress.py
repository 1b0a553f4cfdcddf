"""A bar on a terminal, and nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
WIDTH = 24


def progress(things: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
    """`things`, one after the other, with a bar that says how far that is, and the next name."""
    shown, started = sys.stderr.isatty() and len(things) > 1, monotonic()
    for done, thing in enumerate(things):
        if shown:
            full = WIDTH * done // len(things)
            bar = "█" * full + "░" * (WIDTH - full)
            minutes, seconds = divmod(round(monotonic() - started), 60)
            line = f"{bar} {done}/{len(things)}  {minutes}:{seconds:02}  {name(thing)}"
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        yield thing
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
