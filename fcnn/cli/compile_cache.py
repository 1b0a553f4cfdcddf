"""Compiled programs on disk, so that a second run of a command need not compile them again.

The programs are in the user's cache folder, $XDG_CACHE_HOME/fcnn or ~/.cache/fcnn, in one folder
for each version of jaxlib and each processor, because code for one processor can crash on another.
The oldest programs are deleted until at most `LIMIT` bytes are left. If the folder cannot be
written, or a program cannot be read, the command prints one line, and compiles as it would without
the cache. The library itself never uses a cache, and a measurement of compilation switches it off.

The settings of JAX have priority over the default folder: nothing is changed if
JAX_COMPILATION_CACHE_DIR or JAX_ENABLE_COMPILATION_CACHE is set.
"""

import os
import platform
import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from fcnn.installation import cache_folder

LIMIT = 10**9  # bytes
LEAST_SECONDS = 0.05  # programs that compile faster are not kept
HELP = "folder for compiled programs, or none (default: a folder in ~/.cache/fcnn)"


def add_option(tool: ArgumentParser) -> None:
    tool.add_argument("--compile-cache", metavar="DIR", help=HELP)


def use(command: str, folder: str | None) -> None:
    """Keep compiled programs in `folder`; None is the default folder, "none" keeps none."""
    settings = "JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"
    if folder == "none" or (folder is None and any(name in os.environ for name in settings)):
        return
    try:
        root = cache_folder() if folder is None else Path(folder)
    except RuntimeError:
        _off(command, "there is no home folder")
        return
    path = root / f"jaxlib-{version('jaxlib')}-{_processor()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
        _shrink(root)
    except OSError as error:
        _off(command, f"{path}: {error.strerror}")
        return
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    _on_refusal(command, path)


@contextmanager
def off() -> Iterator[None]:
    """Compile without the cache, to measure compilation."""
    was = jax.config.values["jax_enable_compilation_cache"]
    _enable(False)
    try:
        yield
    finally:
        _enable(was)


def _processor() -> str:
    """A name for the processor and its instructions."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
        known = [line for line in first if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        known = [platform.processor(), platform.machine()]
    return sha256("\n".join(known).encode()).hexdigest()[:12]


def _shrink(root: Path) -> None:
    """Delete the oldest programs until the others have at most LIMIT bytes."""
    entries = [(file.stat(), file) for file in root.glob("jaxlib-*/*") if file.is_file()]
    size = sum(stat.st_size for stat, _ in entries)
    for stat, file in sorted(entries, key=lambda entry: entry[0].st_mtime):
        if size <= LIMIT:
            return
        file.unlink(missing_ok=True)
        size -= stat.st_size


def _on_refusal(command: str, path: Path) -> None:
    """Switch the cache off when JAX warns that it cannot read or write a program."""
    show = warnings.showwarning

    def shown(message, category, *where, **options):
        if "persistent compilation cache" not in str(message):
            show(message, category, *where, **options)
        elif jax.config.values["jax_enable_compilation_cache"]:
            _enable(False)
            _off(command, f"cannot read or write a program in {path}; delete this folder")

    warnings.showwarning = shown


def _off(command: str, why: str) -> None:
    print(f"{command}: compiles without a cache: {why}", file=sys.stderr)


def _enable(value: bool) -> None:
    jax.config.update("jax_enable_compilation_cache", value)
    reset_cache()  # JAX asks for the setting once
