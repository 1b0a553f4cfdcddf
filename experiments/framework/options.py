"""Options of every experiment, and the parser of command lines."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

C = TypeVar("C")


def default_shown(default: str, metavar: str):
    """The default that --help shows for an option whose value None is replaced later."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Output:
    """Options of all experiments."""

    output_dir: Path = Path("runs")
    """The folder for results; a run writes to NAME/TIME/ in it."""

    smoke: bool = False
    """A run of seconds that executes every part and judges no claim."""


@dataclass(frozen=True)
class Options(Output):
    """Options of all experiments with training; each has its own defaults for every data set."""

    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10"] = "digits"
    """The data set. digits is part of scikit-learn; the others are read from --data-dir."""

    data_dir: Annotated[Path | None, default_shown("$FCNN_DATA", "DIR")] = None
    """Folder with the original files, also in subfolders, compressed or not."""

    seeds: Annotated[int | None, default_shown("by data set", "INT")] = None
    """Number of seeds: independent training runs of each network, in one program."""

    epochs: Annotated[int | None, default_shown("by data set", "INT")] = None
    """Passes over the training images."""

    compile_cache: Annotated[str | None, default_shown("a folder in ~/.cache/fcnn", "DIR")] = None
    """The folder for compiled programs, which a second run reads, or none."""


def parse(kind: type[C], name: str, arguments: list[str], description: str) -> C:
    """The configuration of a command line. A usage error exits with a message and code 2."""
    return tyro.cli(
        kind, prog=f"python -m experiments {name}", description=description, args=arguments
    )


def refuse(message: str) -> int:
    """Print an error message of one line, and return the exit code of a usage error."""
    print(message, file=sys.stderr)
    return 2
