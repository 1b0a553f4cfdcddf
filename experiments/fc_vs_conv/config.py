"""Options of fc_vs_conv, and their defaults for each data set."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import optax
from tyro.conf import arg
from tyro.extras import literal_type_from_choices

import fcnn
from experiments.framework.options import Options, default_shown
from fcnn.data import Dataset
from fcnn.models.ladder import RUNGS
from fcnn.ops.validation import did_you_mean


@dataclass(frozen=True)
class Config(Options):
    batch_size: int = 64
    """Images per step."""

    learning_rate: float = 2e-3
    """Learning rate of the first step; it decreases to 0 along a cosine."""

    optimizer: Literal["adam", "momentum", "sgd"] = "adam"
    """An optimizer of optax; momentum is SGD with momentum 0.9."""

    networks: Annotated[
        tuple[str, ...] | None, default_shown(" ".join(RUNGS), "NAME [NAME ...]")
    ] = None
    """The networks to train, some of the default."""

    width: Annotated[int | None, default_shown("16", "INT")] = None
    """Channels of the first stage of conv3; the others have about equally many parameters."""

    epochs: Annotated[int | None, default_shown("30 on digits, else 6", "INT")] = None
    """Passes over the training images."""

    shift: Annotated[int | None, default_shown("2 on digits, else 4", "INT")] = None
    """Largest shift of test images, in pixels."""

    frame: Annotated[int | None, default_shown("2 on digits, else 0", "INT")] = None
    """Background added around every image, in pixels, so that a shift cuts off less."""

    sizes: Annotated[
        tuple[int, ...] | None,
        default_shown("50 100 200 400 800 on digits, else 100 1000 10000", "INT [INT ...]"),
    ] = None
    """Numbers of images in the smaller training sets."""

    gradients: Literal["hand", "autodiff"] = "hand"
    """The gradients of every operator: hand-derived, or by autodiff."""

    conv: Annotated[
        str,
        arg(
            constructor=literal_type_from_choices(fcnn.conv.impls),
            help_behavior_hint="(default: auto)",
        ),
    ] = "auto"
    """The implementation of convolution."""


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.adam,
    "momentum": partial(optax.sgd, momentum=0.9),
    "sgd": optax.sgd,
}
LARGE = {"epochs": 6, "shift": 4, "frame": 0, "sizes": (100, 1000, 10000)}
DEFAULTS = {
    "digits": {"epochs": 30, "shift": 2, "frame": 2, "sizes": (50, 100, 200, 400, 800)},
    "mnist": LARGE,
    "fashion_mnist": LARGE,
    "cifar10": LARGE,
}
SMOKE = {"epochs": 1, "networks": ("dense", "conv3"), "sizes": (100,), "shift": 1, "width": 4}


def resolved(config: Config) -> Config:
    """`config` with a default in place of every None: of --smoke, or of the data set."""
    defaults = (
        {"networks": RUNGS, "width": 16}
        | DEFAULTS[config.dataset or "digits"]
        | (SMOKE if config.smoke else {})
    )
    missing = {k: v for k, v in defaults.items() if getattr(config, k) is None}
    return dataclasses.replace(config, **missing)


def check(config: Config, data: Dataset) -> None:
    """Check the options against the data.

    Raises: ValueError for the first option that does not fit.
    """
    n = len(data.train.y)
    minimum = {"epochs": 1, "batch_size": 1, "width": 1, "frame": 0}
    for name, bound in minimum.items():
        if (value := getattr(config, name)) < bound:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} {value} must be at least {bound}")
    if config.batch_size > n:
        raise ValueError(f"--batch-size {config.batch_size} exceeds the {n} training images")
    if not (config.learning_rate > 0 and math.isfinite(config.learning_rate)):
        raise ValueError(f"--learning-rate {config.learning_rate} must be positive and finite")
    side = min(data.shape[:2]) + 2 * (config.frame or 0)
    if not 0 <= (config.shift or 0) < side:
        raise ValueError(
            f"--shift {config.shift} must be from 0 to {side - 1}; images are {side} pixels wide"
        )
    if any(not 1 <= m < n for m in config.sizes or ()):
        raise ValueError(
            f"--sizes {config.sizes}: each must be at least 1 and below the {n} training images"
        )
    networks = config.networks or ()
    if not networks:
        raise ValueError("--networks needs at least one name")
    if len(set(networks)) != len(networks):
        raise ValueError(f"--networks {' '.join(networks)}: a name occurs twice")
    for name in networks:
        if name not in RUNGS:
            near = did_you_mean(name, RUNGS)
            raise ValueError(
                f"--networks: unknown {name!r}; expected some of {', '.join(RUNGS)}{near}"
            )
