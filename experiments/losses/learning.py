"""Training with each pair of output and loss, and with one or two logits for two classes."""

from copy import copy
from typing import Any

import jax
import numpy as np
import optax

import fcnn
from experiments.framework.chosen import Chosen, accuracy_on, chosen
from experiments.framework.curves import moving_mean, steps_to
from experiments.framework.experiment import Log
from experiments.framework.options import Options
from experiments.framework.splits import Splits
from experiments.framework.trained import STEPS, Trials
from experiments.losses.pairs import PAIRS
from fcnn.data import Images
from fcnn.models import mlp

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of the first step of gradient descent
TARGET = 0.95  # training accuracy
HIDDEN = (32,)
ONE, TWO = "one logit, sigmoid", "two logits, softmax"  # of the two classes


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


def of_two_classes(config: Options, data: Splits, log: Log) -> dict[str, Any]:
    """Training on whether labels are odd, with two logits and with one, which starts as theirs.

    The logit is z = z2 - z1, the difference of the two. Its weights start as the difference of
    theirs, and change at twice the rate, since both of theirs change.
    """
    train, validation, test = (odd(each) for each in data[:3])
    options = {"seeds": config.seeds, "log": log}
    two = Trials(mlp(HIDDEN, 2), train, label=TWO, optimizer=optax.sgd, **options)
    best = _chosen(two, accuracy_on(validation), config)
    one = Trials(
        mlp(HIDDEN, 1),
        Images(train.x, train.y.astype(np.float32)),
        label=ONE,
        loss=lambda z, y: fcnn.sigmoid_cross_entropy(z, y[:, None]),
        optimizer=twice_in_head,
        **options,
    )
    run = as_difference(one, two).train(epochs=config.epochs or 0, rate=best.rate)
    predicted = {
        ONE: run.outputs(test.x)[..., 0] > 0,
        TWO: best.run.outputs(test.x).argmax(-1) == 1,
    }
    accuracy = {name: (each == test.y).mean(1).tolist() for name, each in predicted.items()}
    equal = predicted[ONE] == predicted[TWO]
    return _result(best) | {"test": accuracy, "equal": [int(equal.sum()), equal.size]}


def odd(images: Images) -> Images:
    """Images with class 1 for an odd label, and 0 for an even one."""
    return Images(images.x, images.y % 2)


def twice_in_head(learning_rate: Any) -> optax.GradientTransformation:
    """Gradient descent, with twice the rate in the last layer."""
    head = lambda params: {name: name == [*params][-1] for name in params}
    return optax.chain(optax.sgd(learning_rate), optax.masked(optax.scale(2.0), head))


def as_difference(one: Trials, two: Trials) -> Trials:
    """`one`, of one logit, starting as the difference of both logits of `two`."""
    body, head = two.seeds.start().params, [*two.seeds.start().params][-1]
    difference = jax.tree.map(lambda a: a[..., 1:] - a[..., :1], body[head])
    begun, trials = one.seeds.start, copy(one)
    trials.seeds = copy(one.seeds)
    trials.seeds.start = lambda: begun()._replace(params=body | {head: difference})
    return trials


def _chosen(trials, score, config) -> Chosen:
    rates = RATES[2:3] if config.smoke else RATES
    return chosen(trials, score, epochs=config.epochs or 0, rates=rates)


def _result(best: Chosen) -> dict[str, Any]:
    scores = {f"{rate:g}": values for rate, values in best.scores.items()}
    return {"rate": best.rate, "validation": scores}
