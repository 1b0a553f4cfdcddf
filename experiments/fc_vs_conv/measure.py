"""Training and evaluation of every network, for all claims."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import fcnn
from experiments.fc_vs_conv.config import Config, make_optimizer
from experiments.framework import interrupt
from experiments.framework.run import Run
from experiments.framework.seeds import Seeds, cosine
from fcnn.bench import seconds
from fcnn.cli import compile_cache
from fcnn.data import Dataset
from fcnn.layers import Layer
from fcnn.training import TrainState, create, shuffled_indices, train_step

STEPS_PER_CALL = 100  # at most; an interrupt takes effect when the current call ends
FEW = 4  # training on few images takes 1 / FEW of the steps on all images
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass
class Measured:
    """Results of one network. Lists have one entry per seed. A missing result is empty or None."""

    parameters: int
    multiply_adds: int
    activation_bytes: int
    test: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    shifted: dict[int, list[float]] = field(default_factory=dict)  # pixels of shift -> accuracies
    few_test: dict[int, list[float]] = field(default_factory=dict)  # training images -> accuracies
    few_train: dict[int, list[float]] = field(default_factory=dict)
    step_seconds: float | None = None
    compile_seconds: float | None = None

    @classmethod
    def of(cls, saved: dict[str, Any]) -> "Measured":
        """Results read from results.json, where the keys of a dict are text."""
        with_int_keys = ("shifted", "few_test", "few_train")
        numbered = {name: {int(k): v for k, v in saved[name].items()} for name in with_int_keys}
        return dataclasses.replace(cls(**saved), **numbered)

    @property
    def gap(self) -> list[float]:
        return [a - b for a, b in zip(self.train, self.test, strict=True)]


def experiment(
    config: Config,
    data: Dataset,
    nets: dict[str, Layer],
    measured: dict[str, Measured],
    run: Run,
    console: Console,
) -> None:
    """Fill `measured`: train each network on all and on few images, and time one step."""
    for name, net in nets.items():
        cost = fcnn.summary(net, data.shape)
        measured[name] = Measured(cost.parameters, cost.multiply_adds, cost.activation_bytes)
    columns = (TextColumn("{task.description:42s}"), BarColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console) as progress:
        runner = Runner(config, data, nets, run, progress)
        for name, m in measured.items():
            runner.on_all(name, m)
        for name, m in measured.items():
            runner.on_few(name, m)
        runner.show("timing one step of each")
        time_steps(config, data, nets, measured)


class Runner:
    """Training and evaluation of networks, with a progress bar and metrics."""

    def __init__(self, config, data: Dataset, nets: dict[str, Layer], run: Run, progress: Progress):
        self.config, self.run, self.progress = config, run, progress
        self.n, tests = len(data.train.y), len(data.test.y)
        x = jax.device_put(np.concatenate([data.train.x, data.test.x]))
        y = jax.device_put(np.concatenate([data.train.y, data.test.y]))
        train = partial(Seeds, optimizer=make_optimizer(config), x=x, y=y)
        self.seeds = {
            name: train(net, margin=config.shift, count=config.seeds) for name, net in nets.items()
        }
        self.tests = np.tile(np.arange(self.n, self.n + tests, dtype=np.int32), (config.seeds, 1))
        self.work = {n: fcnn.summary(net, data.shape).multiply_adds for n, net in nets.items()}
        total = sum(self.work.values()) * (1 + len(config.sizes) / FEW)
        self.bar = progress.add_task("compiling", total=total)

    def on_all(self, name: str, m: Measured) -> None:
        """Train on all training images; evaluate on training, test and shifted test images."""
        score = self.score(name)
        train_state, seen = self.train(name, self.n)
        m.test = score(train_state, self.tests).tolist()
        m.train = score(train_state, seen).tolist()
        m.shifted[0] = m.test
        for d in range(1, self.config.shift + 1):
            shifts = [(d * down, d * right) for down, right in DIRECTIONS]
            each = [score(train_state, self.tests, shift) for shift in shifts]
            m.shifted[d] = np.mean(each, 0).tolist()
        self.run.metric(network=name, **dataclasses.asdict(m))

    def on_few(self, name: str, m: Measured) -> None:
        """Train and evaluate with each smaller number of training images."""
        score = self.score(name)
        for size in sorted(self.config.sizes, reverse=True):
            train_state, seen = self.train(name, size)
            m.few_test[size] = score(train_state, self.tests).tolist()
            m.few_train[size] = score(train_state, seen).tolist()
        self.run.metric(network=name, **dataclasses.asdict(m))

    def score(self, name: str) -> Callable[..., np.ndarray]:
        """`Seeds.accuracy`, with a check for interrupts before each call."""

        def accuracy(*args):
            interrupt.check()
            return self.seeds[name].accuracy(*args)

        return accuracy

    def train(self, name: str, size: int) -> tuple[TrainState, np.ndarray]:
        """Train on `size` images; return the train states, and the image indices of each seed."""
        order = lambda seed: np.random.default_rng([seed, size]).permutation(self.n)[:size]
        seen = np.stack([order(seed) for seed in range(self.config.seeds)]).astype(np.int32)
        blocks = list(schedule(self.config, seen, self.n))
        share = self.work[name] / (1 if size == self.n else FEW) / len(blocks)
        seeds = self.seeds[name]
        train_state = seeds.start()
        for call, (indices, rate) in enumerate(blocks, start=1):
            interrupt.check()
            train_state, metrics = seeds.train(train_state, indices, rate)
            loss, accuracy = (np.asarray(metrics[m]).mean(1) for m in ("loss", "accuracy"))
            if not np.isfinite(loss).all():
                where = f"{name} is {loss.max()} with {size} images"
                raise FloatingPointError(f"the loss of {where}; lower --learning-rate")
            values = {"loss": loss.tolist(), "accuracy": accuracy.tolist()}
            self.run.metric(network=name, images=size, call=call, **values)
            self.show(f"{name} · {size:,} images · loss {loss.mean():.3f}", advance=share)
        return train_state, seen

    def show(self, what: str, advance: float = 0) -> None:
        self.progress.update(self.bar, description=what, advance=advance)


def schedule(config, seen: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the indices and the learning rate of each training call.

    Shapes: indices (seeds, steps, batch), the same in every call.
    """
    per_epoch = max(1, n // config.batch_size)
    calls_per_epoch = math.ceil(per_epoch / STEPS_PER_CALL)
    length = math.ceil(per_epoch / calls_per_epoch)
    calls = config.epochs * calls_per_epoch
    if seen.shape[1] < n:
        calls = math.ceil(calls / FEW)
    indices = [
        images[shuffled_indices(len(images), config.batch_size, calls * length, seed)]
        for seed, images in enumerate(seen)
    ]
    for i, block in enumerate(np.split(np.stack(indices), calls, axis=1)):
        yield block, cosine(i, calls, config.learning_rate)


def time_steps(config, data, nets, measured) -> None:
    """Time one training step of one seed per network; the compilation is timed separately."""
    batch = (data.train.x[: config.batch_size], data.train.y[: config.batch_size])
    batch, optimizer = jax.device_put(batch), make_optimizer(config)
    programs = {}
    for name, net in nets.items():
        interrupt.check()
        train_state = jax.jit(partial(create, net, optimizer, data.shape))(jax.random.key(0))
        step = jax.jit(train_step(net, fcnn.softmax_cross_entropy, optimizer))
        lowered, start = step.lower(train_state, batch), perf_counter()
        with compile_cache.off():
            compiled = lowered.compile()
        measured[name].compile_seconds = perf_counter() - start
        programs[name] = compiled, (train_state, batch)
    for name, times in seconds(programs, rounds=3 if config.smoke else 20).items():
        measured[name].step_seconds = median(times)
