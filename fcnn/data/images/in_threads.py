"""Results of a function of image files in their order, computed in several threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fcnn.data.images.decode_image import BrokenImage

AHEAD = 64  # results that wait in memory for their turn, at most


def in_threads(f: Callable[[str], Any], names: Iterable[str]) -> Iterator[Any]:
    """f(name), or the BrokenImage that it raises, for each name. Other errors are raised."""

    def attempt(name: str) -> Any:
        try:
            return f(name)
        except BrokenImage as error:
            return error

    pool, waiting = ThreadPoolExecutor(), deque()
    try:
        for name in names:
            waiting.append(pool.submit(attempt, name))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
