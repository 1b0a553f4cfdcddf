"""The parts of linearity, and digits by networks of several depths at equal parameters.

Test images are read for a network only after its training has ended.
"""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded
from experiments.framework.options import Options
from experiments.framework.trained import Trials
from experiments.linearity import curve, maps, regions, xor
from fcnn.data import Dataset, Images, split
from fcnn.layers import Layer, identity, relu
from fcnn.models import mlp

REGRESSION, LINEAR = "softmax regression", "linear, depth 4"
DEPTHS = {REGRESSION: 0, LINEAR: 4, "relu, depth 1": 1, "relu, depth 2": 2, "relu, depth 4": 4}
RELU = [name for name in DEPTHS if name.startswith("relu")]
WIDEST = 128  # units of the network with one hidden layer
RATES = (2e-3, 1e-2)
XOR_SEEDS, LINES = 100, 100


@dataclass(frozen=True)
class Config(Options):
    pass


class Prepared(NamedTuple):
    train: Images
    validation: Images
    data: Dataset

    def identity(self) -> str:
        digest = hashlib.sha256(self.train.x.tobytes() + self.train.y.tobytes()).hexdigest()
        return f"{len(self.train.y):,} training images, sha256 {digest[:16]}"

    def network(self, name: str) -> Layer:
        """All networks with hidden layers have about as many parameters."""
        inputs, classes, depth = self.train.x[0].size, len(self.data.classes), DEPTHS[name]
        budget = (inputs + 1) * WIDEST + (WIDEST + 1) * classes
        units = regions.width(depth, budget, inputs, classes) if depth > 1 else WIDEST
        return mlp((units,) * depth, classes, activation=identity if name == LINEAR else relu)


def prepare(config: Config) -> tuple[Config, Prepared]:
    if config.epochs is None:
        epochs = 1 if config.smoke else 30 if config.dataset == "digits" else 6
        config = replace(config, epochs=epochs)
    if (config.epochs or 0) < 1:
        raise ValueError(f"--epochs {config.epochs} must be at least 1")
    data = loaded(config)
    return config, Prepared(*split(data.train, 0.1), data)


def parts(config: Config, prepared: Prepared) -> list[Part]:
    depths = maps.DEPTHS[:1] if config.smoke else maps.DEPTHS
    names = [REGRESSION, RELU[0]] if config.smoke else DEPTHS
    return [
        *(Part(f"Jacobians, depth {depth}", (_maps, depth)) for depth in depths),
        Part("XOR", (_xor, None)),
        Part("curves", (_curves, None), cost=2),
        Part("sawtooth", (_sawtooth, None), cost=0.2),
        *(Part(name, (_network, name), cost=3) for name in names),
    ]


def measure(
    config: Config, prepared: Prepared, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        log.note(f"measuring {part.name} …")
        of, argument = part.payload
        yield part.name, of(config, prepared, log, argument)


def _maps(config, prepared, log, depth):
    return maps.of_depth(depth, prepared.train.x[: 4 if config.smoke else 32], config.seeds)


def _xor(config, prepared, log, _):
    hidden = xor.HIDDEN[:2] if config.smoke else xor.HIDDEN
    by_hand = (np.asarray(xor.by_hand(xor.POINTS)) == xor.XOR).sum()
    return {
        "separable": xor.separable(),
        "certificate": xor.certificate(),
        "by hand": int(by_hand),
        "trained": [
            {"hidden": n, "correct": xor.correct(n, 10 if config.smoke else XOR_SEEDS)}
            for n in hidden
        ],
    }


def _curves(config, prepared, log, _):
    by_units = lambda n: [curve.constructed(seed, n) for seed in range(config.seeds)]
    trained = curve.trained(config.seeds, 10 if config.smoke else 2000)
    return {
        "constructed": [{"units": n, "errors": by_units(n)} for n in curve.UNITS],
        "trained": [{"units": n, "errors": errors} for n, errors in trained.items()],
    }


def _sawtooth(config, prepared, log, _):
    depths = list(regions.SAWTOOTHS)[: 1 if config.smoke else None]
    return [{"depth": depth, "regions": regions.sawtooth(depth)} for depth in depths]


def _network(config, prepared, log, name):
    net = prepared.network(name)
    trials = Trials(net, prepared.train, seeds=config.seeds, log=log, label=name)
    rates = RATES[:1] if config.smoke else RATES
    runs = {rate: trials.train(epochs=config.epochs, rate=rate) for rate in rates}
    valid = {rate: run.accuracy(prepared.validation) for rate, run in runs.items()}
    rate = max(rates, key=lambda rate: valid[rate].mean())
    summary = fcnn.summary(net, prepared.data.shape)
    hidden = [row.output[0] for row in summary.rows if row.parameters][:-1]
    test = prepared.data.test
    states = {"drawn": trials.seeds.start(), "trained": runs[rate].train_state}
    lines = 3 if config.smoke else LINES
    return {
        "network": name,
        "parameters": summary.parameters,
        "units": sum(hidden),
        "rate": rate,
        "test": runs[rate].accuracy(test).tolist(),
        "regions": {
            kind: [
                _regions(jax.tree.map(lambda a, i=i: a[i], s.params), test.x, lines)
                for i in range(config.seeds)
            ]
            for kind, s in states.items()
            if name in RELU
        },
    }


def _regions(params, x, lines):
    """Mean number of regions between two images, over `lines` pairs of images."""
    layers = [(np.asarray(p["w"]), np.asarray(p["b"])) for p in params.values()][:-1]
    flat = x.reshape(len(x), -1)
    pairs = np.random.default_rng(0).choice(len(flat), (lines, 2), replace=False)
    return float(np.mean([regions.along(layers, flat[a], flat[b]) for a, b in pairs]))
