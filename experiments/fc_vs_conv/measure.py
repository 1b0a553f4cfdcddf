"""Every network of the ladder, trained and scored in every way that the claims ask about."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import jax
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import fcnn
from experiments.fc_vs_conv.config import make_optimizer
from experiments.seeds import Seeds, cosine
from fcnn.bench import seconds
from fcnn.training import create, shuffled_rows, train_step

STEPS_PER_CALL = 100  # at most; an interrupt waits for one call
FEW = 4  # a smaller training set gets 1 / FEW of the steps
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass
class Measured:
    """Of one network. Lists have an entry per seed; what was not reached is empty or None."""

    parameters: int
    multiply_adds: int
    activation_bytes: int
    test: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    shifted: dict[int, list[float]] = field(default_factory=dict)  # by pixels
    few_test: dict[int, list[float]] = field(default_factory=dict)  # by training images
    few_train: dict[int, list[float]] = field(default_factory=dict)
    step_seconds: float | None = None
    compile_seconds: float | None = None

    @classmethod
    def of(cls, saved: dict[str, Any]) -> "Measured":
        """From results.json, where the keys of a dict have become text."""
        by_number = ("shifted", "few_test", "few_train")
        numbered = {name: {int(k): v for k, v in saved[name].items()} for name in by_number}
        return dataclasses.replace(cls(**saved), **numbered)

    @property
    def gap(self) -> list[float]:
        return [a - b for a, b in zip(self.train, self.test, strict=True)]


def experiment(config, data, nets, measured, run, console) -> None:
    """Fill `measured`: each network on all images, then on few, then a step of each timed."""
    n, tests = len(data.train.y), len(data.test.y)
    x = jax.device_put(np.concatenate([data.train.x, data.test.x]))
    y = jax.device_put(np.concatenate([data.train.y, data.test.y]))
    optimizer = make_optimizer(config)
    trainings = {
        name: Seeds(net, optimizer, x, y, config.shift, config.seeds) for name, net in nets.items()
    }
    test_rows = np.tile(np.arange(n, n + tests, dtype=np.int32), (config.seeds, 1))
    for name, net in nets.items():
        cost = fcnn.summary(net, data.shape)
        measured[name] = Measured(cost.parameters, cost.multiply_adds, cost.activation_bytes)
    work = sum(m.multiply_adds for m in measured.values())
    shares = 1 + len(config.sizes) / FEW
    with Progress(
        TextColumn("{task.description:42s}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        bar = progress.add_task("compiling", total=work * shares)

        def train(name, size):
            """The states after training on `size` images, and which images each seed saw."""
            seen = [
                np.random.default_rng([seed, size]).permutation(n)[:size]
                for seed in range(config.seeds)
            ]
            seen = np.stack(seen).astype(np.int32)
            share = measured[name].multiply_adds * (1 if size == n else 1 / FEW)
            blocks = list(schedule(config, seen, n))
            now = trainings[name].start()
            for done, (rows, rate) in enumerate(blocks, start=1):
                now, metrics = trainings[name].train(now, rows, rate)
                loss, right = (np.asarray(m).mean(1) for m in metrics)
                if not np.isfinite(loss).all():
                    where = f"{name} is {loss.max()} with {size} images"
                    raise FloatingPointError(f"the loss of {where}; lower --learning-rate")
                run.metric(
                    network=name,
                    images=size,
                    call=done,
                    loss=loss.tolist(),
                    accuracy=right.tolist(),
                )
                progress.update(
                    bar, description=f"{name} · {size:,} images · loss {loss.mean():.3f}"
                )
                progress.advance(bar, share / len(blocks))
            return now, seen

        for name, m in measured.items():
            score = trainings[name].accuracy
            now, seen = train(name, n)
            m.test, m.train = score(now, test_rows).tolist(), score(now, seen).tolist()
            m.shifted[0] = m.test
            for d in range(1, config.shift + 1):
                each = [score(now, test_rows, (d * down, d * right)) for down, right in DIRECTIONS]
                m.shifted[d] = np.mean(each, 0).tolist()
            run.metric(network=name, **dataclasses.asdict(m))
        for name, m in measured.items():
            score = trainings[name].accuracy
            for size in sorted(config.sizes, reverse=True):
                now, seen = train(name, size)
                m.few_test[size], m.few_train[size] = (
                    score(now, rows).tolist() for rows in (test_rows, seen)
                )
            run.metric(network=name, **dataclasses.asdict(m))
        progress.update(bar, description="timing one step of each")
        time_steps(config, data, nets, measured, optimizer)


def schedule(config, seen: np.ndarray, n: int) -> Iterator[tuple[np.ndarray, float]]:
    """Blocks of (rows (seeds, steps, batch), learning rate); every block has the same shape."""
    per_epoch = max(1, n // config.batch_size)
    calls_per_epoch = math.ceil(per_epoch / STEPS_PER_CALL)
    length = math.ceil(per_epoch / calls_per_epoch)
    calls = config.epochs * calls_per_epoch
    if seen.shape[1] < n:
        calls = math.ceil(calls / FEW)
    rows = [
        own[shuffled_rows(len(own), config.batch_size, calls * length, seed)]
        for seed, own in enumerate(seen)
    ]
    for i, block in enumerate(np.split(np.stack(rows), calls, axis=1)):
        yield block, cosine(i, calls, config.learning_rate)


def time_steps(config, data, nets, measured, optimizer) -> None:
    """One training step of one seed per network: compiled apart, then timed in turn."""
    batch = (data.train.x[: config.batch_size], data.train.y[: config.batch_size])
    batch = jax.device_put(batch)
    programs = {}
    for name, net in nets.items():
        now = create(net, optimizer, data.shape, jax.random.key(0))
        lowered = jax.jit(train_step(net, fcnn.softmax_cross_entropy, optimizer)).lower(now, batch)
        compiled, measured[name].compile_seconds = timed(lowered.compile)
        programs[name] = compiled, (now, batch)
    for name, times in seconds(programs, rounds=3 if config.smoke else 20).items():
        measured[name].step_seconds = median(times)


def timed(f):
    start = perf_counter()
    return f(), perf_counter() - start
