"""The parts of linearity, and digits by networks of several depths at equal parameters.

Test images are read for a network only after its training has ended.
"""

from collections.abc import Generator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options, with_epochs
from experiments.framework.sized import nearest
from experiments.framework.trained import Trials
from experiments.framework.tuned import tuned
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


class Prepared(NamedTuple):
    train: Images
    validation: Images
    data: Dataset

    def network(self, name: str) -> Layer:
        """All networks with hidden layers have about as many parameters."""
        depth, classes = DEPTHS[name], len(self.data.classes)
        activation = identity if name == LINEAR else relu
        units = _units(depth, self.data.shape, classes) if depth > 1 else WIDEST
        return mlp((units,) * depth, classes, activation=activation)


@cache
def _units(depth, shape, classes):
    """Units per layer at which a network has about the parameters of the one with depth 1."""
    of = lambda depth, units: mlp((units,) * depth, classes)
    parameters = lambda net: fcnn.summary(net, shape).parameters
    return nearest(partial(of, depth), parameters, parameters(of(1, WIDEST)))


def prepare(config: Options) -> tuple[Options, Prepared]:
    config = with_epochs(config, digits=30, others=6)
    data = smaller(loaded(config)) if config.smoke else loaded(config)
    return config, Prepared(*split(data.train, 0.1), data)


def parts(config: Options, prepared: Prepared) -> list[Part]:
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
    config: Options, prepared: Prepared, todo: Sequence[Part], log: Log
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
    units = (32, 128) if config.smoke else curve.UNITS
    trained = curve.trained(config.seeds, 10 if config.smoke else 2000)
    return {
        "constructed": [{"units": n, "errors": by_units(n)} for n in units],
        "trained": [{"units": n, "errors": errors} for n, errors in trained.items()],
    }


def _sawtooth(config, prepared, log, _):
    depths = list(regions.SAWTOOTHS)[: 1 if config.smoke else None]
    return [{"depth": depth, "regions": regions.sawtooth(depth)} for depth in depths]


def _network(config, prepared, log, name):
    net = prepared.network(name)
    trials = Trials(net, prepared.train, seeds=config.seeds, log=log, label=name)
    rates = RATES[:1] if config.smoke else RATES
    rate, run = tuned(trials, prepared.validation, epochs=config.epochs, rates=rates)
    summary = fcnn.summary(net, prepared.data.shape)
    hidden = [row.output[0] for row in summary.rows if row.parameters][:-1]
    test = prepared.data.test
    states = {"drawn": trials.seeds.start(), "trained": run.train_state}
    lines = 3 if config.smoke else LINES
    return {
        "network": name,
        "parameters": summary.parameters,
        "units": sum(hidden),
        "rate": rate,
        "test": run.accuracy(test).tolist(),
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
