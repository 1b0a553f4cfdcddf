"""Training with each pair of output and loss, and with one or two logits for two classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import optax

import fcnn
from experiments.framework.chosen import Chosen, accuracy_on, chosen
from experiments.framework.curves import moving_mean, steps_to
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.trained import STEPS, Trained, Trials
from experiments.losses.pairs import PAIRS
from fcnn.data import Images
from fcnn.models import mlp

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of the first step of gradient descent
TARGET = 0.95  # training accuracy
HIDDEN = (32,)
LOGITS = {"one logit, sigmoid": 1, "two logits, softmax": 2}  # of the two classes


def of_pair(name: str, config: Options, data: Splits, log: Log) -> dict[str, Any]:
    """Training with a pair of output and loss on all classes."""
    loss = PAIRS[name].loss
    on_labels = lambda z, y: loss(z, fcnn.one_hot(y, classes=data.classes).astype(z.dtype))
    options = {"seeds": config.seeds, "log": log, "label": name, "optimizer": optax.sgd}
    trials = Trials(mlp(HIDDEN, data.classes), data.train, loss=on_labels, **options)
    best = _chosen(trials, accuracy_on(data.validation), config)
    curve = best.run.train_accuracy_by_step
    return _result(best) | {
        "test": best.run.accuracy(data.test).tolist(),
        "accuracy": moving_mean(curve, STEPS).mean(0)[::STEPS].tolist(),
        "steps": steps_to(TARGET, curve, STEPS, falling=False),
        "all_steps": curve.shape[1],
    }


def of_two_classes(name: str, config: Options, data: Splits, log: Log) -> dict[str, Any]:
    """Training on whether labels are odd, with one or two logits."""
    one = LOGITS[name] == 1
    train, validation, test = (odd(each, one) for each in data[:3])
    score = _sign_accuracy if one else accuracy_on
    options = {"seeds": config.seeds, "log": log, "label": name, "optimizer": optax.sgd}
    options["loss"] = _of_one_logit if one else fcnn.softmax_cross_entropy
    trials = Trials(mlp(HIDDEN, LOGITS[name]), train, **options)
    best = _chosen(trials, score(validation), config)
    return _result(best) | {"test": score(test)(best.run).tolist()}


def odd(images: Images, as_float: bool) -> Images:
    """Images with class 1 for an odd label, and 0 for an even one."""
    y = images.y % 2
    return Images(images.x, y.astype(np.float32) if as_float else y)


def _of_one_logit(z, y):
    return fcnn.sigmoid_cross_entropy(z, y[:, None])


def _sign_accuracy(images: Images) -> Callable[[Trained], np.ndarray]:
    """A score: the accuracy of one logit, which predicts class 1 if it is positive."""
    return lambda run: ((run.outputs(images.x)[..., 0] > 0) == images.y).mean(1)


def _chosen(trials, score, config) -> Chosen:
    rates = RATES[2:3] if config.smoke else RATES
    return chosen(trials, score, epochs=config.epochs or 0, rates=rates)


def _result(best: Chosen) -> dict[str, Any]:
    scores = {f"{rate:g}": values for rate, values in best.scores.items()}
    return {"rate": best.rate, "validation": scores}
