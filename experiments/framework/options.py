"""Options of every experiment."""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from tyro.conf import arg

SEEDS, SMOKE_SEEDS = 5, 2  # defaults of --seeds, without and with --smoke


def default_shown(default: str, metavar: str):
    """The default that --help shows for an option whose value None is replaced later."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Output:
    """Options of all experiments."""

    output_dir: Path = Path("runs")
    """The folder for results; a run writes to NAME/TIME/ in it."""

    smoke: bool = False
    """A run of seconds that tries the code on few examples, and judges no claim."""

    continue_run: Annotated[
        Path | None, arg(name="continue", metavar="RUN", help_behavior_hint="(default: none)")
    ] = None
    """Folder of an earlier run with the same options: its finished parts are not measured again."""


@dataclass(frozen=True)
class Seeded(Output):
    """Options of all experiments that are repeated with several seeds."""

    seeds: Annotated[int | None, default_shown(f"{SEEDS}", "INT")] = None
    """Number of seeds: independent training runs of each network."""

    full: bool = False
    """A longer run, on mnist in place of digits."""


@dataclass(frozen=True)
class Options(Seeded):
    """Options of all experiments with training; each has its own defaults for every data set."""

    dataset: Annotated[
        Literal["digits", "mnist", "fashion_mnist", "cifar10"] | None,
        default_shown("digits; mnist with --full", "{digits,mnist,fashion_mnist,cifar10}"),
    ] = None
    """The data set. digits is part of scikit-learn; the others are read from --data-dir."""

    data_dir: Annotated[Path | None, default_shown("$FCNN_DATA", "DIR")] = None
    """Folder with the original files, also in subfolders, compressed or not."""

    epochs: Annotated[int | None, default_shown("by data set", "INT")] = None
    """Passes over the training images."""

    compile_cache: Annotated[str | None, default_shown("a folder in ~/.cache/fcnn", "DIR")] = None
    """The folder for compiled programs, which a second run reads, or none."""


E = TypeVar("E", bound=Options)
PLACES = ("output_dir", "continue_run", "data_dir", "compile_cache")  # do not change results


def given(config: Any) -> dict[str, Any]:
    """The options that differ from their defaults and change results, before None is replaced."""
    options = {f.name: (getattr(config, f.name), f.default) for f in dataclasses.fields(config)}
    return {k: v for k, (v, default) in options.items() if k not in PLACES and v != default}


def with_defaults(config: Any) -> Any:
    """`config` with the default number of seeds, and the default data set, in place of None.

    Raises: ValueError for fewer than one seed.
    """
    if not isinstance(config, Seeded):
        return config
    seeds = SMOKE_SEEDS if config.smoke else SEEDS
    defaults: dict[str, Any] = {"seeds": seeds}
    if isinstance(config, Options):
        defaults["dataset"] = "mnist" if config.full else "digits"
    missing = {k: v for k, v in defaults.items() if getattr(config, k) is None}
    config = dataclasses.replace(config, **missing)
    if config.seeds is not None and config.seeds < 1:
        raise ValueError(f"--seeds {config.seeds} must be at least 1")
    return config


def with_epochs(config: E, *, digits: int, others: int) -> E:
    """`config` with the default number of epochs of its data set in place of None; 1 with --smoke.

    Raises: ValueError for fewer than one epoch.
    """
    default = 1 if config.smoke else digits if config.dataset == "digits" else others
    epochs = default if config.epochs is None else config.epochs
    if epochs < 1:
        raise ValueError(f"--epochs {epochs} must be at least 1; write --epochs {default}")
    return dataclasses.replace(config, epochs=epochs)


def require_positive(config: Any, *names: str) -> None:
    """Raise ValueError for the first of these options that is below 1; the line shows its default.

    >>> require_positive(Options(epochs=3), "epochs")
    """
    defaults = {f.name: f.default for f in dataclasses.fields(config)}
    for name in names:
        if (value := getattr(config, name)) < 1:
            better = f"--{name} {defaults[name]}"
            raise ValueError(f"--{name} {value} must be at least 1; write {better}")


def refuse(message: str, code: int = 2) -> int:
    """Print an error message of one line, and return the exit code, which is 2 for misuse."""
    print(message, file=sys.stderr, flush=True)
    return code
