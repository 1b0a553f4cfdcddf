"""Parts: gradients by depth, relu with half the weights, and training with each remedy."""

from collections.abc import Generator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.seeds import ONCE
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from experiments.vanishing_gradient.networks import (
    ACTIVATIONS,
    DEPTHS,
    TRAINED,
    gradients,
    halved_exactly,
    network,
)
from experiments.vanishing_gradient.pretraining import STEPS, beginning, pretrained
from fcnn.layers import Layer

GRADIENTS, HALVED = "gradients by depth", "half the weights"
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # of SGD with momentum
IMAGES = 500  # training images of a gradient, at most
FEW = 20  # images whose gradient is compared bit by bit
MOST = 5000  # images for pretraining, at most
SMOKE_DEPTH, SMOKE_STEPS = 3, 5


class Remedy(NamedTuple):
    """An activation, what is added to the network, and whether its layers are pretrained."""

    activation: str = "sigmoid"
    remedy: str = "plain"
    pretrained: bool = False


REMEDIES = {
    "plain": Remedy(),
    "batch norm": Remedy(remedy="batch norm"),
    "residual": Remedy(remedy="residual"),
    "pretraining": Remedy(pretrained=True),
    "relu": Remedy("relu"),
    "relu, pretraining": Remedy("relu", pretrained=True),
}


def prepare(config: Options) -> tuple[Options, Splits]:
    config = with_epochs(config, digits=30, others=3)
    return config, splits(config)


def parts(config: Options, prepared: Splits) -> list[Part]:
    depths = (SMOKE_DEPTH,) if config.smoke else DEPTHS
    remedies = ("plain", "pretraining") if config.smoke else REMEDIES
    exact = [Part(GRADIENTS, depths), Part(HALVED, depths, 0.3)]
    return [*exact, *(Part(name, REMEDIES[name], 4) for name in remedies)]


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Networks that differ in pretraining only share one compiled program."""
    depth = SMOKE_DEPTH if config.smoke else TRAINED
    momentum = partial(optax.sgd, momentum=0.9)
    options = {"seeds": config.seeds or 0, "log": log, "optimizer": momentum}

    @cache
    def trials(activation: str, remedy: str) -> Trials:
        model = network(activation, depth, prepared.classes, remedy)
        return Trials(model, prepared.train, label=f"{activation}, {remedy}", **options)

    for part in todo:
        if part.name == GRADIENTS:
            yield part.name, by_depth(config, prepared, part.payload, log)
        elif part.name == HALVED:
            yield part.name, halved(config, prepared, part.payload, log)
        else:
            activation, remedy, first_pretrained = part.payload
            begin = trials(activation, remedy)
            if first_pretrained:
                begin = with_pretraining(config, prepared, activation, begin, part.name)
            model = network(activation, depth, prepared.classes, remedy)
            before = {"gradient": rms_by_layer(model, begin.seeds.start(), prepared)}
            yield part.name, before | learned(config, prepared, begin)


def by_depth(config: Options, prepared: Splits, depths, log: Log) -> dict[str, Any]:
    """RMS of the gradient, for each activation a list by depth, by seed and by layer."""
    found = {name: [] for name in ACTIVATIONS}
    for name in found:
        for depth in depths:
            log.note(f"gradients with {name}, {depth} hidden layers …")
            model = network(name, depth, prepared.classes)
            found[name].append(rms_by_layer(model, started(model, config, prepared), prepared))
    return {"depths": list(depths), "rms": found}


def halved(config: Options, prepared: Splits, depths, log: Log) -> dict[str, Any]:
    """Entries of the gradient that half the weights make smaller by the factor 2 per layer."""
    counts = []
    for depth in depths:
        log.note(f"relu with half the weights, {depth} hidden layers …")
        model = network("relu", depth, prepared.classes)
        params, x = started(model, config, prepared).params, prepared.train.x[:FEW]
        exact = jax.vmap(partial(halved_exactly, model, depth), (0, None))
        equal = np.asarray(jax.jit(exact, compiler_options=ONCE)(params, x))
        counts.append((int(equal.sum()), equal.size))
    return {"depths": list(depths), "counts": counts}


def started(model: Layer, config: Options, prepared: Splits) -> Any:
    """Parameters and state of a network before training, one per seed."""
    init = lambda key: model.init(key, prepared.train.x.shape[1:])
    keys = jax.random.split(jax.random.key(0), config.seeds or 0)
    return Start(*jax.jit(jax.vmap(init), compiler_options=ONCE)(keys))


class Start(NamedTuple):
    """What a network begins with; a `TrainState` has both too."""

    params: Any
    state: Any


def rms_by_layer(model: Layer, start: Any, prepared: Splits) -> list[list[float]]:
    """RMS of the gradient of the weights, by seed and by hidden layer."""
    x, y = (a[:IMAGES] for a in prepared.train)
    of = jax.vmap(lambda params, state: gradients(model, params, state, x, y))
    first, others = jax.jit(of, compiler_options=ONCE)(start.params, start.state)
    rms = lambda a: np.sqrt(np.mean(np.asarray(a, np.float64) ** 2, axis=(-2, -1)))
    return np.concatenate([rms(first)[:, None], rms(others)], axis=1).tolist()


def with_pretraining(
    config: Options, prepared: Splits, activation: str, trials: Trials, label: str
) -> Trials:
    train, validation = (images.x[:MOST] for images in (prepared.train, prepared.validation))
    params, steps = trials.seeds.start().params, SMOKE_STEPS if config.smoke else STEPS
    params = pretrained(activation, params, train, validation, trials.log, steps)
    return beginning(trials, label, params)


def learned(config: Options, prepared: Splits, trials: Trials) -> dict[str, Any]:
    """Results at the rate with the highest accuracy on validation images."""
    rates = RATES[3:4] if config.smoke else RATES
    score = lambda run: run.accuracy(prepared.validation)
    best = chosen(trials, score, epochs=config.epochs or 0, rates=rates)
    return {
        "classes": prepared.classes,
        "rate": best.rate,
        "train": best.run.train_accuracy().tolist(),
        "test": best.run.accuracy(prepared.test).tolist(),
    }
