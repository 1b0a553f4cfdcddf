"""Training and evaluation of every network, for all claims.

Test images are read for a network only after its training has ended: training receives arrays of
training images alone, and `Prepared.test` is called afterwards.
"""

import math
from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np

import fcnn
from experiments.fc_vs_conv.config import OPTIMIZERS, Config
from experiments.fc_vs_conv.explorer import kept
from experiments.framework.experiment import Log, Part
from experiments.framework.step_times import step_times
from experiments.framework.trained import Trained, Trials
from fcnn.data import Images
from fcnn.layers import Layer

OTHER = 200_000  # multiply-adds that take as long as the rest of a step, roughly
FEW = 4  # training on few images takes 1 / FEW of the steps on all images
TIMING = "timing one step of each network"
EXAMPLES = "test images of the report"


class Prepared(NamedTuple):
    """Training images, a function that reads the test images, the networks, and class names."""

    train: Images
    test: Callable[[], Images]
    nets: dict[str, Layer]
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.train.x.shape[1:]


def parts(config: Config, prepared: Prepared) -> list[Part]:
    """Each network on all training images, then each on few, then test images and the timing."""
    n = len(prepared.train.y)
    adds = {k: fcnn.summary(net, prepared.shape).multiply_adds for k, net in prepared.nets.items()}
    work = {k: each + OTHER for k, each in adds.items()}
    name = lambda net, size: f"{net} on {size:,} images"
    runs = [Part(name(net, n), (net, n), cost) for net, cost in work.items()]
    for net, cost in work.items():
        sizes = sorted(config.sizes or (), reverse=True)
        runs += [Part(name(net, size), (net, size), cost / FEW) for size in sizes]
    timing = Part(TIMING, None, sum(work.values()) / 50)
    return [*runs, Part(EXAMPLES, None, sum(work.values()) / 1000), timing]


def measure(
    config: Config, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Yield each part and its result: accuracies by seed, or seconds by network."""
    with fcnn.gradients(config.gradients), fcnn.implementations(conv=config.conv):
        trials = cache(partial(compiled, config, prepared, log))
        for part in todo:
            if part.name == TIMING:
                yield part.name, time_steps(config, prepared, log)
            elif part.name == EXAMPLES:
                yield part.name, {"shown": kept.examples(prepared.test(), prepared.classes)}
            else:
                name, size = part.payload
                yield part.name, trained(config, prepared, trials(name), name, size)


def compiled(config: Config, prepared: Prepared, log: Log, name: str) -> Trials:
    """The training runs of one network, all on the same compiled program."""
    return Trials(
        prepared.nets[name],
        prepared.train,
        seeds=config.seeds or 0,
        log=log,
        label=name,
        optimizer=OPTIMIZERS[config.optimizer],
        margin=config.shift or 0,
    )


def trained(
    config: Config, prepared: Prepared, trials: Trials, name: str, size: int
) -> dict[str, Any]:
    """Accuracies of a network that is trained on `size` images, and what the report shows of it."""
    n, net = len(prepared.train.y), prepared.nets[name]
    run = trials.train(
        epochs=epochs_on(size, config, n),
        rate=config.learning_rate,
        batch_size=config.batch_size,
        subset=size,
    )
    test, every = prepared.test(), size == n
    found = {"network": name, "images": size, "all": every, "cost": counts(net, prepared.shape)}
    found |= evaluated(run, test, (config.shift or 0) if every else 0)
    params = jax.tree.map(np.asarray, run.first.params)
    return found | ({"shown": kept.network(net, params, test)} if every else {})


def counts(net: Layer, shape: tuple[int, ...]) -> dict[str, int]:
    found = fcnn.summary(net, shape)
    return {k: getattr(found, k) for k in ("parameters", "multiply_adds", "activation_bytes")}


def epochs_on(size: int, config: Config, n: int) -> int:
    """Passes over `size` of the n images: those of the option, or a share FEW of its steps."""
    steps = lambda images: max(1, images // config.batch_size)
    epochs = config.epochs or 0
    return epochs if size == n else math.ceil(epochs * steps(n) / FEW / steps(size))


def evaluated(run: Trained, test: Images, shift: int) -> dict[str, Any]:
    """Accuracies by seed on training images, and on test images shifted by up to `shift` pixels."""
    shifted = {d: run.shifted_accuracy(test, d).tolist() for d in range(1, shift + 1)}
    still = run.accuracy(test).tolist()
    return {"test": still, "train": run.train_accuracy().tolist(), "shifted": {0: still, **shifted}}


def time_steps(config: Config, prepared: Prepared, log: Log) -> dict[str, dict[str, float]]:
    """Seconds of one training step of one seed, and of its compilation, by network."""
    batch = Images(*(a[: config.batch_size] for a in prepared.train))
    rounds = 3 if config.smoke else 20
    optimizer = OPTIMIZERS[config.optimizer](config.learning_rate)
    times, compiling = step_times(prepared.nets, optimizer, batch, log, rounds=rounds)
    return {"step": {k: median(v) for k, v in times.items()}, "compile": compiling}
