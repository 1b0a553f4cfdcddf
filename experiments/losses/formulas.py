"""Gradients of losses with respect to logits: autodiff against formulas, in float64."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import fcnn

SCALES = (1.0, 10.0, 100.0, 1000.0)  # standard deviations of random logits
DRAWS, CLASSES = 500, 10
ROUNDING = 1e-12
CONFIDENT = 0.95  # less than the confidence of wrong outputs
LOSSES = ("squared error", "cross entropy")
ODDS = np.linspace(0, 20, 41)  # log odds of the wrong output in the figure


class Pair(NamedTuple):
    """Outputs y of logits, their loss per example, and its gradient in terms of y and t."""

    output: Callable[..., jax.Array]
    loss: Callable[..., jax.Array]
    gradient: Callable[..., jax.Array]


def _difference(y, t):
    return y - t


def _through_softmax(y, t):
    """(diag(y) - y yᵀ) (y - t)."""
    return y * (y - t - (y * (y - t)).sum(-1, keepdims=True))


PAIRS = {
    "identity, squared error": Pair(lambda z: z, fcnn.squared_error, _difference),
    "sigmoid, squared error": Pair(
        fcnn.sigmoid,
        lambda z, t: fcnn.squared_error(fcnn.sigmoid(z), t),
        lambda y, t: (y - t) * y * (1 - y),
    ),
    "sigmoid, cross entropy": Pair(fcnn.sigmoid, fcnn.sigmoid_cross_entropy, _difference),
    "softmax, squared error": Pair(
        fcnn.softmax, lambda z, t: fcnn.squared_error(fcnn.softmax(z), t), _through_softmax
    ),
    "softmax, cross entropy": Pair(fcnn.softmax, fcnn.soft_cross_entropy, _difference),
}


@contextmanager
def _exact() -> Iterator[None]:
    with jax.enable_x64(True), fcnn.gradients("autodiff"):
        yield


def gradient(pair: Pair, z, t) -> jax.Array:
    """Autodiff's gradient of the loss with respect to the logits. Shapes: (n, k) -> (n, k)."""
    return jax.grad(lambda z: pair.loss(z, t).sum())(z)


def random_logits(draws: int, k: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all SCALES, and random labels as rows of 0 and 1. Shapes: both (4 draws, k)."""
    rng = np.random.default_rng(0)
    z = np.concatenate([scale * rng.normal(size=(draws, k)) for scale in SCALES])
    return z, np.eye(k)[rng.integers(k, size=len(z))]


def _count(*conditions) -> list[int]:
    """Cases in which all conditions hold, and all cases."""
    every = np.logical_and.reduce([np.asarray(each) for each in conditions])
    return [int(every.sum()), every.size]


def _near(a, b, size=1.0):
    """Whether all entries of a case agree. Shapes: (n, ...) -> (n,)."""
    return np.abs(np.asarray(a) - np.asarray(b)).reshape(len(a), -1).max(1) <= ROUNDING * size


def differences(draws: int) -> dict[str, list[int]]:
    """For each pair, the cases in which the gradient is y - t. Targets of identity are any."""
    z, t = random_logits(draws)
    targets = {"identity, squared error": random_logits(draws)[0][::-1].copy()}
    found = {}
    with _exact():
        for name, pair in PAIRS.items():
            target = targets.get(name, t)
            found[name] = _count(_near(gradient(pair, z, target), pair.output(z) - target))
    return found


def jacobians(draws: int) -> list[int]:
    """Cases in which softmax has the Jacobian diag(y) - y yᵀ, and not y - t."""
    z, t = random_logits(draws)
    with _exact():
        y = np.asarray(fcnn.softmax(z))
        jacobian = np.asarray(jax.vmap(jax.jacrev(lambda z: fcnn.softmax(z)))(z))
    formula = y[:, :, None] * np.eye(CLASSES) - y[:, :, None] * y[:, None]
    of_label, off = np.einsum("nk,nkj->nj", t, jacobian), y - t
    largest = np.abs(off).max(1)
    unlike = [np.abs(sign * of_label - off).max(1) > 0.01 * largest for sign in (1, -1)]
    return _count(_near(jacobian, formula), ((y * t).sum(1) >= 0.99) | (unlike[0] & unlike[1]))


def wrong_outputs(odds: np.ndarray, rest: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Logits and targets, by output function, whose first output is wrong with these log odds.

    Shapes: odds (n,), rest (n, k - 1), the other logits of softmax, of which the last is right.
    """
    first = odds + np.log(np.exp(rest).sum(1))
    z = np.concatenate([first[:, None], rest], axis=1)
    right = np.eye(z.shape[1])[[-1] * len(z)]
    return {"softmax": (z, right), "sigmoid": (odds[:, None], np.zeros((len(odds), 1)))}


def _norms(a):
    return np.linalg.norm(np.asarray(a), axis=1)


def vanishing(draws: int) -> list[int]:
    """Wrong outputs of confidence p where the gradient of squared error vanishes with 1 - p."""
    rng = np.random.default_rng(0)
    odds, counts = rng.uniform(3, 20, draws), []  # p from 0.953
    bound = 8**0.5 / (1 + np.exp(odds))  # 2√2 (1 - p)
    with _exact():
        for output, (z, t) in wrong_outputs(odds, rng.normal(size=(draws, CLASSES - 1))).items():
            squared, entropy = (PAIRS[f"{output}, {loss}"] for loss in LOSSES)
            slow, fast = gradient(squared, z, t), gradient(entropy, z, t)
            formula = _near(slow, squared.gradient(squared.output(z), t))
            counts.append(_count(formula, _norms(slow) <= bound, _norms(fast) >= CONFIDENT))
    return np.sum(counts, 0).tolist()


def curves() -> dict[str, list[float]]:
    """Norms of the gradient by log odds of the wrong output; other softmax outputs are equal."""
    with _exact():
        return {
            f"{output}, {loss}": _norms(gradient(PAIRS[f"{output}, {loss}"], z, t)).tolist()
            for output, (z, t) in wrong_outputs(ODDS, np.zeros((len(ODDS), CLASSES - 1))).items()
            for loss in LOSSES
        }


def two_logits(draws: int) -> list[int]:
    """Pairs of logits whose softmax, loss and gradient are those of sigmoid of their difference."""
    z, t = random_logits(draws, k=2)
    one, target = z[:, 1:] - z[:, :1], t[:, 1:]
    size = np.maximum(1, np.abs(one[:, 0]))
    softmax, sigmoid = (PAIRS[f"{output}, cross entropy"] for output in ("softmax", "sigmoid"))
    with _exact():
        slope = gradient(sigmoid, one, target)
        return _count(
            _near(softmax.output(z)[:, 1:], sigmoid.output(one)),
            _near(softmax.loss(z, t)[:, None], sigmoid.loss(one, target)[:, None], size),
            _near(gradient(softmax, z, t), np.concatenate([-slope, slope], axis=1)),
        )
