"""Output of commands: lines on standard output, and files. Paths are tried before a long run.

try_place("--html", path)             try the path, before the run
show(lines, keep_on=True)             print; compute all lines even if standard output fails
write("fcnn check", [("--html", path, text)])
exit_code("fcnn", run)                run a command; turn errors into one line and an exit code
"""

import errno
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from fcnn.ops.validation import did_you_mean

CLOSED_PIPE = 141  # exit code that a shell reports if SIGPIPE ends a program
UNKNOWN = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)")  # message of argparse
File = tuple[str, Path, Callable[[], str | bytes]]  # option, path, function for the content


class Misuse(ValueError):
    """A user's mistake on the command line; the message is one line."""


class Parser(ArgumentParser):
    """A parser whose error messages name the nearest choice, also in subcommands."""

    def error(self, message: str) -> NoReturn:
        if unknown := UNKNOWN.search(message):
            name, choices = unknown.groups()
            message += did_you_mean(name, re.findall(r"[\w-]+", choices))
        super().error(message)


def add_json(tool: ArgumentParser) -> None:
    """Add --json. Its value is the path, or True if no file name follows."""
    tool.add_argument(
        "--json",
        nargs="?",
        const=True,
        type=_json_file,
        metavar="FILE.json",
        help="print JSON instead of a table, or write it to FILE.json and print the table too",
    )


def _json_file(text: str) -> Path:
    if not text.endswith(".json"):
        raise ArgumentTypeError(f"{text!r} does not end in .json; write each NAME before --json")
    return Path(text)


def try_place(option: str, path: Path) -> None:
    """Check that a file can be written at `path`; nothing there is changed.

    Raises: Misuse if no file can be written there.
    """
    if not path.parent.is_dir():
        raise Misuse(f"{option} {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise Misuse(f"{option} {path}: is a folder; write a file in it, {path / 'NAME'}")
    try:
        if path.is_file():
            path.open("ab").close()
        first = _written_first(path)
        if not path.is_fifo():  # opening a pipe waits for its reader
            first.open("ab").close()
        if first != path:
            first.unlink()
    except OSError as why:
        raise Misuse(f"{option} {path}: {why.strerror}") from None


def write(command: str, files: Iterable[File]) -> bool:
    """Write each file completely or not at all, and return whether all files are written.

    If a file cannot be written, an error is printed, and the remaining files are still written.
    """
    done = True
    for option, path, content in files:
        data = content()
        try:
            write_whole(path, data)
        except OSError as why:
            print(f"{command}: {option} {path}: {why.strerror}", file=sys.stderr)
            done = False
    return done


def write_whole(path: Path, data: str | bytes) -> None:
    """Replace the content of `path` by `data`; a failure leaves a regular file unchanged.

    Raises: OSError, with this path, if it cannot be written.
    """
    first = _written_first(path)
    try:
        first.write_bytes(data.encode() if isinstance(data, str) else data)
        if first != path:
            first.replace(path.resolve())
    except OSError as error:
        if first != path:
            with suppress(OSError):  # of a folder that cannot be written
                first.unlink()
        raise OSError(error.errno, error.strerror, f"{path}") from None


def _written_first(path: Path) -> Path:
    """The path to write first: a file beside `path`, or a device or pipe at `path` itself."""
    if path.exists() and not path.is_file():
        return path
    real = path.resolve()
    return real.with_name(f".{real.name}.part")


def show(lines: Iterable[str], *, keep_on: bool) -> OSError | None:
    """Print each line as soon as it is computed.

    Standard output may fail: `head` stops reading, or a disk is full. With `keep_on` the remaining
    lines are still computed, because files are written from them later, and the error is returned.
    """
    failed = None
    for line in lines:
        try:
            print(line, flush=True)
        except OSError as why:
            if not keep_on:
                raise
            failed = why
    return failed


def exit_code(command: str, run: Callable[[], int]) -> int:
    """The exit code that `run` returns, or the exit code for an error.

    It is CLOSED_PIPE if standard output is closed early, as by `head`, 2 if the disk is full, and
    130 after Ctrl-C.
    """
    try:
        code = run()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        discard_rest()
        return CLOSED_PIPE
    except OSError as full:
        if full.errno != errno.ENOSPC:
            raise
        discard_rest()
        print(f"{command}: standard output: {full.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return 130


def discard_rest() -> None:
    """Drop buffered output: standard output failed, and would fail again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
