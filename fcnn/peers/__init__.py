"""The same train steps in fcnn and in its peers, each as that library's documentation writes it.

    load("flax").prepare(job, x, y, seed).run(100)

takes a hundred steps of a job of `jobs.JOBS`: forward, backward and Adam, in one compiled function
where the library compiles. Nothing here is faster or slower than a careful user would write it. The
peers are imported when asked for, and no sooner.
"""

from importlib import import_module
from types import ModuleType

from fcnn.installation import install
from fcnn.peers.jobs import JOBS, Job, Prepared, draw

__all__ = ["JOBS", "LIBRARIES", "Job", "Prepared", "draw", "load"]

LIBRARIES = ("fcnn", "flax", "haiku", "equinox", "keras", "torch")


def load(name: str) -> ModuleType:
    """The module that writes the jobs in library `name`, with its `prepare(job, x, y, seed)`.

    Raises: ValueError for another name; ImportError if the library is not installed.
    """
    if name not in LIBRARIES:
        raise ValueError(f"peers: {name!r} is none of {', '.join(LIBRARIES)}")
    try:
        return import_module(f"fcnn.peers.in_{name}")
    except ModuleNotFoundError as e:
        raise ImportError(f"peers: there is no module {e.name}; {install('peers')}") from None
