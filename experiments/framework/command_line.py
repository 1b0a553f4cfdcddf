"""Command lines of experiments: read, refused in one line, and written again from options."""

import io
import re
import shlex
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr
from itertools import dropwhile, pairwise, takewhile
from typing import Any, TypeVar

import tyro

from experiments.framework.options import refuse
from fcnn.ops.validation import did_you_mean

C = TypeVar("C")
PROG = "python -m experiments"
CHOICE = re.compile(r"invalid choice '(.*)' for argument '(.*?)'\. Expected one of \((.*)\)")
VALUE = re.compile(r"Error parsing (\S+): (.*)")
KINDS = {"INT": "a whole number", "INT [INT ...]": "whole numbers", "FLOAT": "a number"}


def parse(kind: type[C], name: str, arguments: list[str], description: str) -> C:
    """The configuration of a command line. A usage error exits with one line and code 2."""
    try:
        return parsed(kind, name, arguments, description)
    except ValueError as misuse:
        sys.exit(refuse(f"{PROG} {name}: {misuse}; --help lists the options"))


def parsed(kind: type[C], name: str, arguments: list[str], description: str = "") -> C:
    """The configuration of a command line.

    Raises: ValueError, with one line, for a usage error; SystemExit after --help.
    """
    boxed = io.StringIO()
    try:
        with redirect_stderr(boxed):
            return tyro.cli(kind, prog=f"{PROG} {name}", description=description, args=arguments)
    except SystemExit as end:
        if not end.code:
            raise
    raise ValueError(_one_line(boxed.getvalue()))


def words(options: Mapping[str, Any]) -> list[str]:
    """The words of a command line with these options; those that are None are left out.

    >>> words({"full": True, "learning_rate": 0.1, "sizes": (50, 100), "seeds": None})
    ['--full', '--learning-rate', '0.1', '--sizes', '50', '100']
    """
    return [word for name, value in options.items() for word in _words(name, value)]


def _words(name: str, value: Any) -> list[str]:
    name = name.replace("_", "-")
    if value is None or isinstance(value, bool):
        return [] if value is None else [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", *map(str, value if isinstance(value, list | tuple) else [value])]


def again(name: str, options: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The command that runs an experiment with `options`; `config` has the folder of its data."""
    line = words(options)
    if "data_dir" in config and config.get("dataset") != "digits":
        line += words({"data_dir": config.get("data_dir") or "DIR"})
    return f"{PROG} {shlex.join([name, *line])}"


def _one_line(boxed: str) -> str:
    """The error message in tyro's box of several lines, with the choices or the near name."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", boxed)
    lines = [line.strip(" │|+") for line in plain.splitlines()[1:]]  # also in ASCII
    lines = [line if line.strip("─-╰╯") else "" for line in lines]
    lines = [*dropwhile(lambda line: not line, lines)]
    text = " ".join(takewhile(bool, lines)).rstrip(".")
    if found := CHOICE.fullmatch(text):
        value, option, listed = found.groups()
        known = sorted({*re.findall("'(.*?)'", listed)} - {"None"})
        expected = f"expected one of {', '.join(map(repr, known))}"
        return f"{option}: unknown value {value!r}; {expected}{did_you_mean(value, known)}"
    after = dict(pairwise(lines))
    if found := VALUE.fullmatch(text):
        option, why = found.groups()
        given = " ".join(re.findall("'(.*?)'", why))
        kind = after.get("Argument helptext:", "").removeprefix(option).strip()
        return f"{option} {given}: expected {KINDS.get(kind, kind)}"
    near = [after[line] for line in lines if line.startswith("Perhaps you meant")]
    return f"{text}; did you mean {near[0].split()[0]}?" if near else text
