"""Training and evaluation of every network, for all claims.

Test images are read for a network only after its training has ended: training receives arrays of
training images alone, and `Prepared.test` is called afterwards.
"""

import hashlib
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np

import fcnn
from experiments.fc_vs_conv.config import Config, make_optimizer
from experiments.fc_vs_conv.explorer import kept
from experiments.framework import interrupt
from experiments.framework.experiment import Log, Part
from experiments.framework.seeds import Arrays, Seeds, cosine
from experiments.framework.step_times import step_times
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import TrainState, shuffled_indices

STEPS_PER_CALL = 100  # at most; an interrupt takes effect when the current call ends
FEW = 4  # training on few images takes 1 / FEW of the steps on all images
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))
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

    def identity(self) -> str:
        """The number of training images, and a hash of them."""
        digest = hashlib.sha256(self.train.x.tobytes() + self.train.y.tobytes()).hexdigest()
        return f"{len(self.train.y):,} training images, sha256 {digest[:16]}"


def parts(config: Config, prepared: Prepared) -> list[Part]:
    """Each network on all training images, then each on few, then test images and the timing."""
    n = len(prepared.train.y)
    work = {k: fcnn.summary(net, prepared.shape).multiply_adds for k, net in prepared.nets.items()}
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
        trainer = Trainer(config, prepared.train, prepared.nets, log)
        costs = {name: _cost(net, prepared.shape) for name, net in prepared.nets.items()}
        for part in todo:
            if part.name == TIMING:
                yield part.name, time_steps(config, prepared, log)
                continue
            if part.name == EXAMPLES:
                yield part.name, {"shown": kept.examples(prepared.test(), prepared.classes)}
                continue
            network, size = part.payload
            train_state, seen = trainer.train(network, size)
            every = size == len(prepared.train.y)
            shift = (config.shift or 0) if every else 0
            test, net = prepared.test(), prepared.nets[network]
            found = trainer.evaluate(network, train_state, seen, test, shift)
            first = jax.tree.map(lambda a: np.asarray(a)[0], train_state.params)
            shown = {"shown": kept.network(net, first, test)} if every else {}
            names = {"network": network, "images": size, "all": every}
            yield part.name, names | found | shown | {"cost": costs[network]}


def _cost(net: Layer, shape: tuple[int, ...]) -> dict[str, int]:
    found = fcnn.summary(net, shape)
    return {k: getattr(found, k) for k in ("parameters", "multiply_adds", "activation_bytes")}


class Trainer:
    """Training of all networks with all seeds. It has the training images only."""

    def __init__(self, config: Config, train: Images, nets: dict[str, Layer], log: Log):
        self.config, self.nets, self.log = config, nets, log
        self.n = len(train.y)
        self.data: Arrays = jax.device_put((train.x, train.y))
        self.seeds: dict[str, Seeds] = {}

    def train(self, name: str, size: int) -> tuple[TrainState, np.ndarray]:
        """Train on `size` images; return the train states, and the image indices of each seed."""
        order = lambda seed: np.random.default_rng([seed, size]).permutation(self.n)[:size]
        seen = np.stack([order(seed) for seed in range(self.config.seeds or 0)]).astype(np.int32)
        blocks = list(schedule(self.config, seen, self.n))
        seeds = self._compiled(name)
        train_state = seeds.start()
        for call, (indices, rate) in enumerate(blocks, start=1):
            interrupt.check()
            train_state, metrics = seeds.train(train_state, indices, rate)
            loss, accuracy = (np.asarray(metrics[m]).mean(1) for m in ("loss", "accuracy"))
            if not np.isfinite(loss).all():
                where = f"{name} is {loss.max()} with {size} images"
                raise FloatingPointError(f"the loss of {where}; lower --learning-rate")
            values = {"loss": loss.tolist(), "accuracy": accuracy.tolist()}
            self.log.metric(network=name, images=size, call=call, **values)
            text = f"{name} · {size:,} images · loss {loss.mean():.3f}"
            self.log.show(text, call / len(blocks))
        return train_state, seen

    def evaluate(
        self, name: str, train_state: TrainState, seen: np.ndarray, test: Images, shift: int
    ) -> dict[str, Any]:
        """Accuracies on training images, and on test images that are shifted by up to `shift`."""
        tested: Arrays = jax.device_put((test.x, test.y))
        every = np.tile(np.arange(len(test.y), dtype=np.int32), (len(seen), 1))

        def score(data, indices, shift=(0, 0)):
            interrupt.check()
            return self.seeds[name].accuracy(train_state, data, indices, shift)

        shifted = {0: score(tested, every).tolist()}
        for d in range(1, shift + 1):
            each = [score(tested, every, (d * down, d * right)) for down, right in DIRECTIONS]
            shifted[d] = np.mean(each, 0).tolist()
        return {"test": shifted[0], "train": score(self.data, seen).tolist(), "shifted": shifted}

    def _compiled(self, name: str) -> Seeds:
        if name not in self.seeds:
            self.log.note(f"compiling {name} …")
            optimizer, c = make_optimizer(self.config), self.config
            self.seeds[name] = Seeds(
                self.nets[name], optimizer, self.data, c.shift or 0, c.seeds or 0
            )
        return self.seeds[name]


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


def time_steps(config: Config, prepared: Prepared, log: Log) -> dict[str, dict[str, float]]:
    """Seconds of one training step of one seed, and of its compilation, by network."""
    batch = Images(*(a[: config.batch_size] for a in prepared.train))
    rounds = 3 if config.smoke else 20
    times, compiling = step_times(prepared.nets, make_optimizer(config), batch, log, rounds=rounds)
    return {"step": {k: median(v) for k, v in times.items()}, "compile": compiling}
