"""What is trained, from a configuration: model, loss, optimizer, metrics and augmentation.

The configuration is a flat dict, which checkpoints keep. So `fcnn evaluate` and `fcnn predict` make
the same model again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax

import fcnn
from fcnn import training
from fcnn.cli.output import Misuse
from fcnn.cli.train.call import written
from fcnn.cli.train.pixels import standardized
from fcnn.data import augment
from fcnn.layers import Layer, precision
from fcnn.ops.validation import did_you_mean


@dataclass(frozen=True)
class Recipe:
    """Arguments of `fit`."""

    model: Layer
    loss: Any
    test_loss: Any  # without label smoothing
    optimizer: optax.GradientTransformation
    metrics: Mapping[str, Any]
    augment: Any


def recipe(config: Mapping[str, Any], layer: Layer, steps_per_epoch: int) -> Recipe:
    """The recipe of a configuration.

    Options:
        layer: the model that the configuration names.
        steps_per_epoch: of training, for the schedule "plateau".
    Raises: ValueError, in one line, for an option that makes no sense.
    """
    classify, smoothing = config["classes"] is not None, config["label smoothing"]
    model = layer
    if config["precision"] != "float32":
        model = precision(model, compute=jnp.dtype(config["precision"]))
    if config["mean"] is not None:
        model = standardized(model, config["mean"], config["deviation"])
    return Recipe(
        model=model,
        loss=training.smoothed_cross_entropy(smoothing) if classify else fcnn.squared_error,
        test_loss=fcnn.softmax_cross_entropy if classify else fcnn.squared_error,
        optimizer=_optimizer(config, steps_per_epoch),
        metrics={"accuracy": training.accuracy} if classify else {},
        augment=_augmentation(config["augment"], config["classes"]),
    )


def _optimizer(config, steps_per_epoch):
    rate = config["learning rate"]
    plateau = config["schedule"] == "plateau"
    if not plateau:
        steps = config.get("steps") or max(1, config["warm-up"] or 0)
        rate = training.schedule(config["schedule"], rate, steps=steps, warm_up=config["warm-up"])
    return training.optimizer(
        config["optimizer"],
        rate,
        weight_decay=config["weight decay"],
        decay_all=config["decay all"],
        clip=config["clip"],
        average=config["average"],
        loss_scale=config["precision"] == "float16",
        plateau=steps_per_epoch if plateau else None,
    )


def _augmentation(texts, classes):
    """The composition of augmentations, such as "shift(2)"; None for none."""
    if not texts:
        return None
    known = [name for name in augment.__all__ if name[0].islower() and name != "compose"]
    made = []
    for text in texts:
        call = written(text)
        if call.name == "mixup" and classes is not None and len(call.args) < 2:
            call = call._replace(options={"classes": len(classes), **call.options})
        if call.name not in known:
            near = did_you_mean(call.name, known)
            raise Misuse(f"--augment: unknown {call.name!r}; expected {', '.join(known)}{near}")
        try:
            made.append(getattr(augment, call.name)(*call.args, **call.options))
        except TypeError as error:
            raise Misuse(f"--augment {text}: {error}") from None
    return augment.compose(*made)
