"""Five pairs of output and loss, with the formula of each gradient, and autodiff's gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from scipy.special import expit

import fcnn

LOSSES = ("squared error", "cross entropy")
softmax = partial(scipy.special.softmax, axis=-1)


class Pair(NamedTuple):
    """Outputs y of logits in NumPy, their loss per example, and its gradient by y and t."""

    output: Callable[..., Any]
    loss: Callable[..., jax.Array]
    gradient: Callable[..., np.ndarray]


def _difference(y, t):
    return y - t


def _through_sigmoid(y, t):
    return (y - t) * y * (1 - y)


def _through_softmax(y, t):
    """(diag(y) - y yᵀ) (y - t)."""
    return y * (y - t - (y * (y - t)).sum(-1, keepdims=True))


def _squared_sigmoid(z, t):
    return fcnn.squared_error(fcnn.sigmoid(z), t)


def _squared_softmax(z, t):
    return fcnn.squared_error(fcnn.softmax(z), t)


PAIRS = {
    "identity, squared error": Pair(np.asarray, fcnn.squared_error, _difference),
    "sigmoid, squared error": Pair(expit, _squared_sigmoid, _through_sigmoid),
    "sigmoid, cross entropy": Pair(expit, fcnn.sigmoid_cross_entropy, _difference),
    "softmax, squared error": Pair(softmax, _squared_softmax, _through_softmax),
    "softmax, cross entropy": Pair(softmax, fcnn.soft_cross_entropy, _difference),
}


@contextmanager
def exact() -> Iterator[None]:
    """Autodiff in float64, without fcnn's derived gradients."""
    with jax.enable_x64(True), fcnn.gradients("autodiff"):
        yield


def loss_and_gradient(loss: Callable, z, t) -> tuple[np.ndarray, np.ndarray]:
    """Losses and their gradients with respect to the logits. Shapes: (n, k) -> (n,), (n, k)."""
    each, dz = _loss_and_gradient(loss, z, t)
    return np.asarray(each), np.asarray(dz)


@partial(jax.jit, static_argnums=0)
def _loss_and_gradient(loss, z, t):
    each, pull = jax.vjp(lambda z: loss(z, t), z)
    return each, pull(jnp.ones_like(each))[0]


def gradient(pair: Pair, z, t) -> np.ndarray:
    return loss_and_gradient(pair.loss, z, t)[1]
