"""Validation of the parts of training: models, optimizers, functions. Messages show a call."""

from inspect import get_annotations
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.data.augment import Augmentation
from fcnn.layers import Layer
from fcnn.ops.returned import described


def require_layer(model: Any) -> None:
    """TypeError unless `model` is a layer."""
    if not isinstance(model, Layer):
        write = f"{getattr(model, '__name__', 'fcnn.models.mlp')}()"
        if isinstance(model, list | tuple):
            write = "fcnn.layers.serial(...)"
        raise TypeError(f"model {shown(model)} is not a layer; write {write}")


def require_optimizer(optimizer: Any) -> None:
    """TypeError unless `optimizer` is an optimizer of optax."""
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        what = f"optimizer {shown(optimizer)} is not an optimizer of optax"
        raise TypeError(f"{what}; write optax.adam(1e-3)")


def require_loss(loss: Any) -> None:
    """TypeError unless `loss` is a function."""
    if not callable(loss):
        write = "write fcnn.softmax_cross_entropy"
        raise TypeError(f"loss {shown(loss)} is not a function of (outputs, y); {write}")


def require_augmentation(augment: Any) -> None:
    """TypeError unless `augment` is None or a function, which is not itself a maker of one."""
    if augment is None:
        return
    if not callable(augment):
        write = "write fcnn.data.augment.shift(2)"
        raise TypeError(f"augment {shown(augment)} is not a function of (key, batch); {write}")
    if get_annotations(augment).get("return") == Augmentation:
        name = augment.__name__
        raise TypeError(f"augment is {name} itself; write {name}(...)")


def require_per_example(value: Any, y: Any) -> None:
    """Raise TypeError unless a loss has one float per example, position or entry of the outputs.

    Options:
        y: outputs of the model, an array or a pytree, whose first array then counts.
    """
    outputs = jax.tree.leaves(y)[0].shape
    per = ", or one per ".join(["example", *["position"] * (len(outputs) > 2)])
    what = f"loss: returns {described(value)} for outputs {outputs}"
    shape = getattr(value, "shape", None)
    if shape == ():
        raise TypeError(f"{what}; it must be one number per {per}: leave out .mean() or .sum()")
    if not isinstance(value, jax.Array) or not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(f"{what}; it must be an array of floats, one per {per}")
    if shape != outputs[: value.ndim]:
        advice = "do labels or targets have another shape than outputs?"
        raise TypeError(f"{what}; it must be {outputs[:1]}, one number per {per}: {advice}")


def shown(value: Any) -> str:
    """`value` in one line of at most 60 characters."""
    line = " ".join(f"{value!r}".split())
    return line if len(line) <= 60 else f"{line[:60]}…"
