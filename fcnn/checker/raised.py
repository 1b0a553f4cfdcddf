"""Errors that the checked function or its gradient raises, as one line that names the culprit."""

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jaxlib
import numpy as np

OWN = Path(__file__).resolve().parents[1]  # fcnn
LIBRARIES = (OWN, *(Path(str(m.__file__)).resolve().parent for m in (jax, jaxlib, np)))


class RaisedError(RuntimeError):
    """An error of the user's code: `what` raised the error that is __cause__.

    sentence: who raised which error, with its whole message in one line.
    file:     the file that raised it, or "" if it is not the user's.
    line:     the line in this file.
    """

    def __init__(self, what: str, cause: Exception, f: Any):
        self.cause = cause
        message = " ".join(str(cause).split())
        self.sentence = f"{what} raises {': '.join(filter(None, (_kind(cause), message)))}"
        self.file, self.line = _place(cause, f)
        place = f" ({_shown(self.file)}, line {self.line})" if self.file else ""
        super().__init__(f"check: {self.sentence}{place}")


@contextmanager
def raising(what: str, f: Any) -> Iterator[None]:
    """Turn an error within f, called `what`, into a RaisedError with the error as its cause."""
    try:
        yield
    except RaisedError:
        raise
    except Exception as wrong:
        raise RaisedError(what, wrong, f) from wrong


def named(what: str, f: Callable) -> Callable:
    """f with its errors turned into a RaisedError."""

    def call(*args):
        with raising(what, f):
            return f(*args)

    return call


def _kind(cause):
    return type(cause).__name__


def _place(cause, f):
    """The file and line of the last call in the file of f, else outside of `LIBRARIES`.

    A call with the wrong number of arguments never enters f. Its place is the definition of f.
    """
    frames = [(Path(s.filename), s.lineno) for s in traceback.extract_tb(cause.__traceback__)]
    of_f, first = _definition(f)
    own = [] if _is_library(of_f) else [frame for frame in frames if frame[0] == of_f]
    others = [frame for frame in frames if frame[0].is_file() and not _is_library(frame[0])]
    nowhere = ("", 0) if _is_library(of_f) else (of_f, first)
    file, line = [nowhere, *(own or others)][-1]
    return str(file), line or 0


def _definition(f):
    """The file and line where f is defined; `OWN` for a function that is not in Python."""
    while isinstance(f, partial):
        f = f.func
    f = getattr(f, "fun", f)  # of a custom_vjp or custom_jvp function
    code = getattr(inspect.unwrap(f), "__code__", None)
    return (OWN, 0) if code is None else (Path(code.co_filename), code.co_firstlineno)


def _is_library(path):
    return any(path.resolve().is_relative_to(root) for root in LIBRARIES)


def _shown(file):
    """The path relative to the working folder, if it is inside."""
    path = Path(file)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
