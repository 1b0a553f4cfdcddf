"""Parts of the experiment: equivariance of `fcnn.conv`, and features of networks under shifts."""

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.framework.experiment import Log, Part
from experiments.framework.features import before_head
from experiments.framework.options import Options, require_positive, with_epochs
from experiments.framework.seeds import shifted
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import DIRECTIONS, Trained, Trials
from experiments.framework.tuned import RATES, tuned
from experiments.shift.equivariance import DTYPES, IMPLS, WINDOWS, equivariance
from fcnn.layers import Layer, conv, dense, flatten, initializers, max_pool, relu, serial
from fcnn.models import ladder

NETWORKS = ("dense", "convolution", "stride", "max pool")
FRAME = 2  # pixels of background, and the largest shift of images
SEEN = 1000  # test images whose features are compared, at most


@dataclass(frozen=True)
class Config(Options):
    width: int = 8
    """Channels of the first convolution."""


def prepare(config: Config) -> tuple[Config, Splits]:
    config = with_epochs(config, digits=30, others=4)
    require_positive(config, "width")
    return config, splits(config, frame=FRAME)


def parts(config: Config, prepared: Splits) -> list[Part]:
    dtypes, networks = (DTYPES[1:2], NETWORKS[-1:]) if config.smoke else (DTYPES, NETWORKS)
    exact = [Part(dtype, WINDOWS[1:2] if config.smoke else WINDOWS) for dtype in dtypes]
    return [*exact, *(Part(name, cost=3.0) for name in networks)]


def measure(
    config: Config, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name in DTYPES:
            yield part.name, {"rows": [equivariance(i, part.name, part.payload) for i in IMPLS]}
        else:
            yield part.name, network_under_shifts(config, prepared, part.name, log)


def network(name: str, shape: tuple[int, ...], classes: int, width: int) -> Layer:
    """Three stages and a head; "max pool" is "conv3" of the ladder, to which "dense" is sized."""
    if name == "dense":
        return ladder(shape, classes, width=width)["dense"]
    layers = []
    for i in range(3):
        smaller = 2 if i < 2 else 1
        layers += [conv(width * 2**i, (3, 3), stride=smaller if name == "stride" else 1), relu()]
        layers += [max_pool(smaller)] if name == "max pool" else []
    return serial(*layers, flatten(), dense(classes, w_init=initializers.lecun))


def network_under_shifts(config: Config, prepared: Splits, name: str, log: Log) -> dict[str, Any]:
    shape = prepared.train.x.shape[1:]
    model = network(name, shape, prepared.classes, config.width)
    trials = Trials(model, prepared.train, seeds=config.seeds or 0, log=log, label=name)
    rates = RATES[:1] if config.smoke else RATES
    rate, run = tuned(trials, prepared.validation, epochs=config.epochs or 0, rates=rates)
    x, y = prepared.test
    predicted: dict[Any, np.ndarray] = {(0, 0): run.outputs(x).argmax(-1)}
    for d, way in itertools.product(range(1, FRAME + 1), DIRECTIONS):
        predicted[d, way] = run.outputs(moved(x, d, way)).argmax(-1)
    correct = lambda d: np.mean([(p == y).mean(1) for (n, _), p in predicted.items() if n == d], 0)
    unchanged = [predicted[1, way] == predicted[0, 0] for way in DIRECTIONS]
    features, x = before_head(model, run, 1), x[:SEEN]
    before = features(x)
    change = [cosine_distance(before, features(moved(x, 1, way))) for way in DIRECTIONS]
    found = {
        "rate": rate,
        "parameters": fcnn.summary(model, shape).parameters,
        "accuracy": {str(d): correct(d).tolist() for d in range(FRAME + 1)},
        "unchanged": np.mean(unchanged, (0, 2)).tolist(),
        "change": np.mean(change, 0).tolist(),
    }
    return found if name == "dense" else found | {"maps": maps(run, x[:1])}


def moved(x: np.ndarray, pixels: int, way: tuple[int, int]) -> np.ndarray:
    """Images moved down and right by `pixels` times `way`."""
    return np.asarray(shifted(jnp.asarray(x), pixels * jnp.asarray(way), FRAME))


def cosine_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean over images of 1 - cos of the angle of features. Shapes: (seeds, n, f) -> (seeds,).

    The distance of zeros to themselves is 0, and to other features 1.
    """
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = (a * b).sum(-1) / np.where(norms > 0, norms, 1)
    return (1 - np.where((a == b).all(-1), 1, cosine)).mean(1)


def maps(run: Trained, x: np.ndarray) -> dict[str, Any]:
    """An image, the map of its most active first feature, and both after a shift of 1 pixel."""
    first = jax.tree.map(lambda a: a[0], run.params["conv1"])
    both = np.concatenate([x, moved(x, 1, (1, 1))])
    y = np.asarray(fcnn.relu(fcnn.conv(jnp.asarray(both), **first, padding="same")))
    y = y[..., y[0].sum((0, 1)).argmax()]
    rows = {"image": both[0, ..., 0], "moved": both[1, ..., 0], "map": y[0], "map of moved": y[1]}
    return {name: a.tolist() for name, a in rows.items()}
