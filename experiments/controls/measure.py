"""Training of each network in each control, and the seconds of a training step."""

from collections.abc import Generator, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import optax

import fcnn
from experiments.framework.curves import moving_mean, steps_to
from experiments.framework.experiment import Log, Part
from experiments.framework.step_times import step_times
from experiments.framework.trained import Trials
from fcnn.data import Images
from fcnn.layers import Layer

RATE = 2e-3
WINDOW = 20  # steps over which training accuracy is averaged
TIMED = ("dense", "conv3")
TIMING = "timing one step"
BATCH = 64


class Run(NamedTuple):
    """One control: a network, how its images are changed, and its learning rate."""

    network: str
    permuted: bool = False
    rate: float = RATE


RUNS = {
    "dense": Run("dense"),
    "conv3": Run("conv3"),
    "dense-wide": Run("dense-wide"),
    "local3": Run("local3"),
    "dense, permuted pixels": Run("dense", permuted=True),
    "conv3, permuted pixels": Run("conv3", permuted=True),
    "dense, rate / 4": Run("dense", rate=RATE / 4),
    "conv3, rate / 4": Run("conv3", rate=RATE / 4),
    "dense, tanh": Run("dense-tanh"),
    "conv3, tanh": Run("conv3-tanh"),
}
SMOKE = ("dense", "local3", "dense, permuted pixels")


class Prepared(NamedTuple):
    train: Images
    test: Images
    nets: dict[str, Layer]
    target: float  # training accuracy
    permutation: np.ndarray  # of the pixels


def permutation(size: tuple[int, ...]) -> np.ndarray:
    """One fixed order of the pixels of an image."""
    return np.random.default_rng(0).permutation(int(np.prod(size)))


def permuted(images: Images, order: np.ndarray) -> Images:
    """All images with their pixels in another order, the same for every image."""
    n, h, w, c = images.x.shape
    return Images(images.x.reshape(n, h * w, c)[:, order].reshape(images.x.shape), images.y)


def parts(config, prepared: Prepared) -> list[Part]:
    shape = prepared.train.x.shape[1:]
    cost = {k: fcnn.summary(net, shape).multiply_adds for k, net in prepared.nets.items()}
    names = SMOKE if config.smoke else RUNS
    runs = [Part(name, RUNS[name], cost[RUNS[name].network]) for name in names]
    return [*runs, Part(TIMING, None, sum(cost.values()) / 50)]


def measure(
    config, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Yield each run with its accuracies by seed, and the seconds of a step by network."""
    train, test, nets, target, order = prepared
    programs: dict[str, Trials] = {}
    for part in todo:
        if part.name == TIMING:
            timed = {name: nets[name] for name in TIMED[: 1 if config.smoke else 2]}
            batch, rounds = Images(train.x[:BATCH], train.y[:BATCH]), 3 if config.smoke else 20
            times, _ = step_times(timed, optax.adam(RATE), batch, log, rounds=rounds)
            yield part.name, {"step_seconds": {name: median(each) for name, each in times.items()}}
            continue
        run: Run = part.payload
        if run.network not in programs:
            options: Any = {"seeds": config.seeds, "log": log, "label": run.network}
            programs[run.network] = Trials(nets[run.network], train, **options)
        seen, unseen = (permuted(i, order) if run.permuted else i for i in (train, test))
        trials = programs[run.network].on(seen, part.name)
        found = trials.train(epochs=config.epochs, rate=run.rate, batch_size=BATCH)
        accuracy = found.train_accuracy_by_step
        cost = fcnn.summary(nets[run.network], train.x.shape[1:])
        yield (
            part.name,
            {
                "test": found.accuracy(unseen).tolist(),
                "train": found.train_accuracy().tolist(),
                "curve": moving_mean(accuracy, WINDOW).mean(0).round(4).tolist(),
                "steps": steps_to(target, accuracy, WINDOW, falling=False),
                "all_steps": accuracy.shape[1],
                "target": target,
                "parameters": cost.parameters,
                "multiply_adds": cost.multiply_adds,
                "image": unseen.x[0, :, :, 0].round(3).tolist(),
            },
        )
