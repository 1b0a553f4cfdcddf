"""The parts of gradients: formulas, errors, costs, trained networks, and numbers of figures."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options
from experiments.gradients import formulas, networks, operators
from fcnn.data import Images

SIZES = ((4, "float32"), (32, "float32"), (32, "bfloat16"))  # examples and dtype
TRAINED = ("float64", "float32")
DRAWS = 20  # of each formula


@dataclass(frozen=True)
class Config(Options):
    steps: int = 50
    """Training steps of each network."""

    rounds: int = 15
    """Timings of each backward pass."""


def prepare(config: Config) -> tuple[Config, Images]:
    """The training images; no test image is read."""
    for name in ("steps", "rounds"):
        if (value := getattr(config, name)) < 1:
            raise ValueError(f"--{name} {value} must be at least 1")
    if config.epochs is not None:
        raise ValueError(f"--epochs {config.epochs}: networks train for --steps; write --steps 50")
    data = smaller(loaded(config)) if config.smoke else loaded(config)
    return config, data.train


def parts(config: Config, images: Images) -> list[Part]:
    ops, problems, sizes = operators.with_gradient(), operators.PROBLEMS, SIZES
    if config.smoke:
        ops, problems, sizes = ops[:2], problems[6:7], SIZES[:1]
    trained = TRAINED[:1] if config.smoke else TRAINED
    return [
        Part("formulas", (_formulas,)),
        Part("pictures", (_pictures,), cost=0.5),
        *(Part(f"error of {op.name}", (_errors, op), cost=0.5) for op in ops),
        *(Part(f"{p.name}, {n}, {d}", (_cost, p, n, d)) for p in problems for n, d in sizes),
        *(Part(f"network in {dtype}", (_network, dtype), cost=5) for dtype in trained),
    ]


def measure(
    config: Config, images: Images, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        log.note(f"measuring {part.name} …")
        of, *arguments = part.payload
        yield part.name, of(config, images, *arguments)


def _formulas(config, images):
    return {"formulas": formulas.errors(2 if config.smoke else DRAWS)}


def _errors(config, images, op):
    return {"operator": op.name, "errors": operators.errors(op)}


def _cost(config, images, problem, n, dtype):
    found = operators.cost(problem, n, dtype, 2 if config.smoke else config.rounds)
    return {"problem": problem.name, "examples": n, "dtype": dtype, "cost": found}


def _network(config, images, dtype):
    steps = 2 if config.smoke else config.steps
    channels, hidden = ((2,), ()) if config.smoke else ((8, 16), (32,))
    model = fcnn.models.cnn(channels, hidden, dropout=0, batch_norm=True)
    distance = networks.distances(model, images, dtype, config.seeds, steps)
    return {"trained": dtype, "steps": steps, "distance": distance}


def _pictures(config, images):
    """A kernel and its flip, and max pooling of a piece of a digit."""
    w = np.arange(1, 10, dtype=np.float32).reshape(3, 3, 1, 1)
    centre = np.pad(np.ones((1, 1, 1, 1), np.float32), ((0, 0), (2, 2), (2, 2), (0, 0)))
    piece = images.x[:1, 2:6, 2:6, :1]
    dy = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2, 1)
    _, pull = jax.vjp(lambda x: fcnn.max_pool(x, 2), piece)
    numbers = lambda a: np.asarray(a).squeeze().tolist()
    return {
        "kernel": numbers(w),
        "into outputs": numbers(fcnn.conv(jnp.asarray(centre), jnp.asarray(w))),
        "piece": numbers(16 * piece),
        "dy": numbers(dy),
        "dx": numbers(pull(jnp.asarray(dy))[0]),
    }
