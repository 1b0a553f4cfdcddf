"""Formulas of gradients with respect to logits, compared with autodiff in float64."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from experiments.losses.pairs import LOSSES, PAIRS, exact, gradient, loss_and_gradient, softmax

SCALES = (1.0, 10.0, 100.0, 1000.0)  # standard deviations of random logits
DRAWS, CLASSES = 500, 10
ROUNDING = 1e-12
CONFIDENT = 0.95  # less than the confidence of wrong outputs
ODDS = np.linspace(0, 20, 40)  # log odds of the wrong output in the figure


def random_logits(draws: int, k: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all SCALES, and random labels as rows of 0 and 1. Shapes: both (4 draws, k)."""
    rng = np.random.default_rng(0)
    z = np.concatenate([scale * rng.normal(size=(draws, k)) for scale in SCALES])
    return z, np.eye(k)[rng.integers(k, size=len(z))]


def _count(*conditions) -> list[int]:
    """Cases in which all conditions hold, and all cases."""
    every = np.logical_and.reduce(conditions)
    return [int(every.sum()), every.size]


def _near(a, b, size: Any = 1.0):
    """Whether all entries of a case agree. Shapes: (n, ...) -> (n,)."""
    return np.abs(a - b).reshape(len(a), -1).max(1) <= ROUNDING * size


def differences(draws: int) -> dict[str, list[int]]:
    """For each pair, the cases in which the gradient is y - t. Targets of identity are any."""
    z, t = random_logits(draws)
    targets = {"identity, squared error": random_logits(draws)[0][::-1].copy()}
    found = {}
    with exact():
        for name, pair in PAIRS.items():
            target = targets.get(name, t)
            found[name] = _count(_near(gradient(pair, z, target), pair.output(z) - target))
    return found


def jacobians(draws: int) -> list[int]:
    """Cases in which softmax has the Jacobian diag(y) - y yᵀ, and not y - t."""
    z, t = random_logits(draws)
    with exact():
        jacobian = np.asarray(jax.jit(jax.vmap(jax.jacrev(lambda z: fcnn.softmax(z))))(z))
    y = softmax(z)
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


_norms = partial(np.linalg.norm, axis=1)


def vanishing(draws: int) -> list[int]:
    """Wrong outputs of confidence p where the gradient of squared error vanishes with 1 - p."""
    rng = np.random.default_rng(0)
    n, counts = len(SCALES) * draws, []
    odds = rng.uniform(3, 20, n)  # p from 0.953
    bound = 8**0.5 / (1 + np.exp(odds))  # 2√2 (1 - p)
    with exact():
        for output, (z, t) in wrong_outputs(odds, rng.normal(size=(n, CLASSES - 1))).items():
            squared, entropy = (PAIRS[f"{output}, {loss}"] for loss in LOSSES)
            slow, fast = gradient(squared, z, t), gradient(entropy, z, t)
            formula = _near(slow, squared.gradient(squared.output(z), t))
            counts.append(_count(formula, _norms(slow) <= bound, _norms(fast) >= CONFIDENT))
    return np.sum(counts, 0).tolist()


def curves() -> dict[str, list[float]]:
    """Norms of the gradient by log odds of the wrong output; other softmax outputs are equal."""
    with exact():
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
    with exact():
        y = np.asarray(fcnn.softmax(jnp.asarray(z)))
        y_of_one = np.asarray(fcnn.sigmoid(jnp.asarray(one)))
        loss, dz = loss_and_gradient(fcnn.soft_cross_entropy, z, t)
        loss_of_one, dz_of_one = loss_and_gradient(fcnn.sigmoid_cross_entropy, one, target)
    return _count(
        _near(y[:, 1:], y_of_one),
        _near(loss, loss_of_one, size),
        _near(dz, np.concatenate([-dz_of_one, dz_of_one], axis=1)),
    )
