"""Options of the experiment, and its work in parts."""

import dataclasses
import secrets
from dataclasses import dataclass
from typing import Annotated

from experiments.framework.experiment import Part
from experiments.framework.options import Output, default_shown
from fcnn.training.checkpoint.orbax import require_orbax

BLOCK = 40  # damaged files of one part
FEW = 12  # with --smoke: two of each kind
OTHERS = (  # names of functions of `stops.py` and `refusals.py`
    "sigterm",
    "sigint",
    "clock set back",
    "two commands",
    "full disk",
    "read-only folder",
    "nan in the data",
)


@dataclass(frozen=True)
class Config(Output):
    runs: Annotated[int | None, default_shown("5; 1 with --smoke", "INT")] = None
    """Number of runs that are killed, each at all five moments."""

    damages: Annotated[int | None, default_shown("240; 12 with --smoke", "INT")] = None
    """Number of files that are damaged, one after the other."""

    jobs: int = 2
    """Number of training processes at a time."""

    seed: int | None = None
    """Seed of moments and of damages. By default it is drawn anew, and kept with the results."""


def prepare(config: Config) -> tuple[Config, None]:
    try:
        require_orbax()
    except ImportError as missing:
        raise ValueError(f"{missing}") from None
    runs, damages = (1, FEW) if config.smoke else (5, 6 * BLOCK)
    resolved = dataclasses.replace(
        config,
        runs=runs if config.runs is None else config.runs,
        damages=damages if config.damages is None else config.damages,
        seed=secrets.randbelow(10**6) if config.seed is None else config.seed,
    )
    for name in ("runs", "damages", "jobs"):
        if (value := getattr(resolved, name)) < 1:
            raise ValueError(f"--{name} {value} must be at least 1")
    return resolved, None


def parts(config: Config, prepared: None) -> list[Part]:
    """The run without faults, then blocks of damages, then what is run in child processes."""
    damages = config.damages or 0
    blocks = [min(BLOCK, damages - first) for first in range(0, damages, BLOCK)]
    return [
        Part("reference", ("reference",)),
        *(Part(f"damages {i}", ("damages", i, count)) for i, count in enumerate(blocks, 1)),
        *(Part(f"kills {i}", ("kills", i), 6.0) for i in range(1, 1 + (config.runs or 0))),
        *(Part(name, ("other", name), 2.0) for name in OTHERS),
    ]
