"""A progress bar, shown only if standard error is a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TypeVar

from fcnn.checker.status_line import ERASED, since

T = TypeVar("T")
WIDTH = 24


def bar(share: float) -> str:
    """A bar of which `share`, from 0 to 1, is full."""
    full = int(WIDTH * share)
    return "█" * full + "░" * (WIDTH - full)


def progress(items: Sequence[T], name: Callable[[T], str]) -> Iterator[T]:
    """Iterate over `items` with a bar that shows the count, the time and the next name."""
    shown, started = sys.stderr.isatty() and len(items) > 1, monotonic()
    for done, item in enumerate(items):
        if shown:
            line = f"{bar(done / len(items))} {done}/{len(items)}  {since(started)}  {name(item)}"
            print(ERASED + line, end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print(ERASED, end="", file=sys.stderr, flush=True)
