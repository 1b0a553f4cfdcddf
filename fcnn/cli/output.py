"""What commands leave: lines on standard output, and files, tried before a long run.

try_place("--html", path)          before the run
show(lines, keep_on=True)          though nobody reads on, the files are still to be written
write("--html", path, text)        whole, or not at all
"""

import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from fcnn.ops.validation import did_you_mean

UNKNOWN = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)")  # as argparse writes it
File = tuple[str, Path, Callable[[], str | bytes]]  # option, path, what gives the content


class Misuse(ValueError):
    """What the user asked for makes no sense; the message is one line."""


class Parser(ArgumentParser):
    """It and its subcommands name the nearest choice to one that there is not."""

    def error(self, message: str) -> NoReturn:
        if unknown := UNKNOWN.search(message):
            name, choices = unknown.groups()
            message += did_you_mean(name, re.findall(r"[\w-]+", choices))
        super().error(message)


def add_json(tool: ArgumentParser) -> None:
    """--json alone is True, with a file its path."""
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
        raise ArgumentTypeError(f"{text!r} does not end in .json; write names before --json")
    return Path(text)


def try_place(option: str, path: Path) -> None:
    """Misuse, in one line, unless a file can be written at `path`. Nothing there is changed."""
    if not path.parent.is_dir():
        raise Misuse(f"{option} {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise Misuse(f"{option} {path}: is a folder; write a file in it, {path / 'NAME'}")
    try:
        if path.is_file():
            path.open("ab").close()
        first = _written_first(path)
        if not path.is_fifo():  # opening one waits for its reader
            first.open("ab").close()
        if first != path:
            first.unlink()
    except OSError as why:
        raise Misuse(f"{option} {path}: {why.strerror}") from None


def write(tool: str, files: Iterable[File]) -> bool:
    """Write each file whole, or not at all, in place of what is there. Whether all are written.

    A file that cannot be written gets a line on standard error, and the others are still written.
    """
    done = True
    for option, path, content in files:
        data = content()
        first = _written_first(path)
        try:
            first.write_bytes(data.encode() if isinstance(data, str) else data)
            if first != path:
                first.replace(path.resolve())
        except OSError as why:
            if first != path:
                first.unlink(missing_ok=True)
            print(f"{tool}: {option} {path}: {why.strerror}", file=sys.stderr)
            done = False
    return done


def _written_first(path: Path) -> Path:
    """A file beside `path`; `path` itself where that is a device or a pipe."""
    if path.exists() and not path.is_file():
        return path
    real = path.resolve()
    return real.with_name(f".{real.name}.part")


def show(lines: Iterable[str], *, keep_on: bool) -> OSError | None:
    """Print each line as it comes.

    Standard output may fail: `head` stops reading, a disk is full. With `keep_on` the other lines
    are still computed, for the files that are to be written, and the failure is returned.
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


def discard_rest() -> None:
    """Standard output has failed: what is still buffered would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
