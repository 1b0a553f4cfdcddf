"""Parts: gradients by depth, relu with half the weights, and training with each remedy."""

from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import optax

from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Options, with_epochs
from experiments.framework.splits import Splits, splits
from experiments.framework.trained import Trials
from experiments.vanishing_gradient.gradients import (
    by_depth,
    compiled,
    few_of,
    gradients,
    halved,
    rms_by_layer,
)
from experiments.vanishing_gradient.networks import ACTIVATIONS, DEPTHS, TRAINED, network
from experiments.vanishing_gradient.pretraining import STEPS, beginning, pretrained

GRADIENTS, HALVED = "gradients by depth", "half the weights"
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # of SGD with momentum
MOMENTUM = partial(optax.sgd, momentum=0.9)
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
    if config.smoke:
        payloads = {GRADIENTS: (("sigmoid",), (SMOKE_DEPTH,)), HALVED: (SMOKE_DEPTH,)}
        names = ("pretraining",)
    else:
        payloads, names = {GRADIENTS: (tuple(ACTIVATIONS), DEPTHS), HALVED: DEPTHS}, REMEDIES
    exact = [Part(name, payload) for name, payload in payloads.items()]
    return [*exact, *(Part(name, REMEDIES[name], 4) for name in names)]


def measure(
    config: Options, prepared: Splits, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Networks that differ in pretraining only share their compiled programs."""
    seeds = config.seeds or 0
    data: dict[str, Any] = {"images": prepared.train, "classes": prepared.classes}
    data |= {"seeds": seeds, "log": log}
    depth = SMOKE_DEPTH if config.smoke else TRAINED

    @cache
    def programs(activation: str, remedy: str) -> tuple[Trials, Callable[..., Any]]:
        model = network(activation, depth, prepared.classes, remedy)
        options = {"seeds": seeds, "log": log, "label": f"{activation}, {remedy}"}
        trials = Trials(model, prepared.train, optimizer=MOMENTUM, **options)
        return trials, compiled(partial(gradients, model), few_of(prepared.train))

    for part in todo:
        if part.name == GRADIENTS:
            yield part.name, by_depth(*part.payload, **data)
        elif part.name == HALVED:
            yield part.name, halved(part.payload, **data)
        else:
            activation, remedy, first_pretrained = part.payload
            trials, slopes = programs(activation, remedy)
            if first_pretrained:
                trials = with_pretraining(config, prepared, activation, trials, part.name)
            begun = trials.seeds.start()
            before = {"gradient": rms_by_layer(slopes(begun.params, begun.state))}
            yield part.name, before | learned(config, prepared, trials)


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
