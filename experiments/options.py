"""The options that every experiment has, and how a command line becomes a configuration."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import tyro

C = TypeVar("C")


@dataclass(frozen=True)
class Options:
    """Common to all experiments. None stands for the data set's own default."""

    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10"] = "digits"
    """What to learn. digits come with scikit-learn; the others are read from --data-dir."""

    data_dir: Path | None = None
    """Folder with the original files, or with a subfolder named DATASET. Default: $FCNN_DATA."""

    output_dir: Path = Path("runs")
    """Where runs/NAME/TIME/ is made."""

    seeds: int | None = None
    """How many independent trainings of each network, all in one program."""

    epochs: int | None = None
    """Passes over the training images."""

    smoke: bool = False
    """A run of seconds that exercises everything and judges nothing."""


def parse(kind: type[C], name: str, arguments: list[str], description: str) -> C:
    """The configuration that the command line asks for. Exits with 2, and a message, at misuse."""
    return tyro.cli(
        kind, prog=f"python -m experiments {name}", description=description, args=arguments
    )


def refuse(message: str) -> int:
    """Say what is wrong in one line; the exit code of misuse."""
    print(message, file=sys.stderr)
    return 2
