"""The libraries that are compared, each imported only when it is measured.

    load("flax").prepare(job, x, y, seed).run(100)

takes a hundred training steps of a job of `fcnn.cli.bench.jobs`. A step is forward pass, backward
pass and Adam, in one compiled function if the library compiles. Each `in_NAME.py` follows the
documentation of library NAME, without further tuning.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from fcnn.installation import install

LIBRARIES = ("fcnn", "flax", "haiku", "equinox", "keras", "torch")


class Prepared(NamedTuple):
    """An initialized network and its training steps.

    run: take k >= 1 steps, wait for the device, and return the loss of the last step. The first
         call compiles.
    """

    run: Callable[[int], float]
    parameters: int  # number of trained parameters
    # Compile a step: the bytes that it allocates besides its arguments and outputs; 0 if unknown.
    memory: Callable[[], int] = lambda: 0


def load(name: str) -> ModuleType:
    """The module in_NAME of library `name`, which has `prepare(job, x, y, seed)`.

    Raises: ValueError for an unknown name; ImportError if the library is not installed.
    """
    if name not in LIBRARIES:
        raise ValueError(f"unknown library {name!r}; expected one of {', '.join(LIBRARIES)}")
    try:
        return import_module(f"experiments.speed.in_{name}")
    except ModuleNotFoundError as e:
        raise ImportError(f"{name} needs the module {e.name}; {install('peers')}") from None
