"""The options that every experiment has, and how a command line becomes a configuration."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

C = TypeVar("C")


def otherwise(default: str, metavar: str):
    """How --help shows an option that is None unless given."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Output:
    """Common to all experiments."""

    output_dir: Path = Path("runs")
    """Where runs/NAME/TIME/ is made."""

    smoke: bool = False
    """A run of seconds that exercises everything and judges nothing."""


@dataclass(frozen=True)
class Options(Output):
    """Common to all experiments that learn; each fills in the None's for its data sets."""

    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10"] = "digits"
    """What to learn. digits come with scikit-learn; the others are read from --data-dir."""

    data_dir: Annotated[Path | None, otherwise("$FCNN_DATA", "DIR")] = None
    """Folder that holds the original files, itself or in subfolders, packed or not."""

    seeds: Annotated[int | None, otherwise("by data set", "INT")] = None
    """How many independent trainings of each network, all in one program."""

    epochs: Annotated[int | None, otherwise("by data set", "INT")] = None
    """Passes over the training images."""


def parse(kind: type[C], name: str, arguments: list[str], description: str) -> C:
    """The configuration that the command line asks for. Exits with 2, and a message, at misuse."""
    return tyro.cli(
        kind, prog=f"python -m experiments {name}", description=description, args=arguments
    )


def refuse(message: str) -> int:
    """Say what is wrong in one line; the exit code of misuse."""
    print(message, file=sys.stderr)
    return 2
