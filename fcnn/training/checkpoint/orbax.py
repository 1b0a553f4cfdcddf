"""Arrays on the disk, by Orbax: a flat dict of path → array. Errors become one line.

Orbax writes no arrays without entries. Those are made again from their shape.
"""

import errno
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fcnn.installation import install
from fcnn.training.checkpoint.arrays import Spec, raw
from fcnn.training.checkpoint.receipt import Damaged


def write(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write the arrays into a new folder."""
    checkpoint = require_orbax()
    filled = {path: np.asarray(raw(a)) for path, a in arrays.items() if np.size(raw(a))}
    with _quiet():
        writer = checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler())
        writer.save(folder.absolute(), filled)


def read(folder: Path, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """The arrays with these paths.

    Raises: Damaged if one of them cannot be read, or has another shape or dtype.
    """
    checkpoint = require_orbax()
    filled = {path: 0 for path, spec in specs.items() if 0 not in spec.shape}
    as_numpy = {path: checkpoint.RestoreArgs(restore_type=np.ndarray) for path in filled}
    args = checkpoint.args.PyTreeRestore(item=filled, restore_args=as_numpy, partial_restore=True)
    try:
        with _quiet():
            reader = checkpoint.Checkpointer(checkpoint.PyTreeCheckpointHandler())
            found = reader.restore(folder.absolute(), args=args)
    except Exception as error:  # of TensorStore, with up to 40 kB of specification
        raise Damaged(f"state cannot be read ({type(error).__name__})") from None
    arrays = {}
    for path, spec in specs.items():
        a = found.get(path) if path in filled else np.zeros(spec.shape, spec.stored)
        if a is None or a.shape != spec.shape or a.dtype != spec.stored:
            raise Damaged(f"the array {path} is not {spec}")
        arrays[path] = a
    return arrays


def as_os_error(error: Exception, path: Path) -> OSError:
    """The error of writing a checkpoint, as one line with the path."""
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror or f"{error}", f"{path}")
    text = f"{error}"
    if "RESOURCE_EXHAUSTED" in text or os.strerror(errno.ENOSPC) in text:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{path}")
    for number in (errno.EFBIG, errno.EDQUOT, errno.EACCES, errno.EROFS):
        if os.strerror(number) in text:
            return OSError(number, os.strerror(number), f"{path}")
    first = " ".join(text.split())[:200]
    return OSError(errno.EIO, f"{type(error).__name__}: {first}", f"{path}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what Orbax and TensorStore print about an error that is raised as well.

    Orbax logs the error of each array. Each operation that it abandons then finds its event loop
    closed, which Python prints. That may be after the error was raised, so the hook stays then.
    """
    logger, before = logging.getLogger("absl"), sys.unraisablehook
    was = logger.disabled

    def hook(unraisable: Any) -> None:
        if f"{getattr(unraisable, 'exc_value', None)}" != "Event loop is closed":
            before(unraisable)

    logger.disabled, sys.unraisablehook = True, hook
    try:
        yield
        sys.unraisablehook = before
    finally:
        logger.disabled = was


def require_orbax() -> Any:
    """The module of Orbax.

    Raises: ImportError, with the command that installs it.
    """
    try:
        import orbax.checkpoint
    except ImportError as error:
        if f"{error.name}".startswith("orbax"):
            raise ImportError(f"checkpoints need Orbax; write {install('train')}") from None
        raise
    return orbax.checkpoint
