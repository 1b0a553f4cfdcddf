"""Mutants of losses: means for sums, wrong signs or factors, missing terms, 1 / probability."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot, sigmoid, softmax

from experiments.checkers.build import ints, one_sum, problem
from fcnn import (
    focal,
    hinge,
    huber,
    kl_divergence,
    l2_penalty,
    mean_squared_error,
    nll,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)

of = partial(problem, "loss")
factor = partial(of, "constant factor")
mean = partial(of, "mean for sum")
sum_ = partial(of, "sum for mean")
slope = partial(of, "wrong derivative")
total = partial(of, "missing sum term")
product = partial(of, "missing factor")
exchanged = partial(of, "arguments exchanged")
infinite = partial(of, "not finite")

ROWS = ((7, 5), ints((7,), 5))
WEIGHTED = (*ROWS, lambda rng: rng.uniform(0.5, 2, 5))
PAIR = ((7, 5), (7, 5))
YES_OR_NO = ((7, 5), lambda rng: rng.uniform(size=(7, 5)))
MILLION = ((1000, 1000), ints((1000,), 1000))
FAR_APART = (lambda rng: 1e4 * rng.standard_normal((7, 5)), ints((7,), 5))
CERTAIN = (lambda rng: 1e3 * rng.standard_normal((7, 5)), YES_OR_NO[1])
SHARES = ((7, 5), lambda rng: rng.dirichlet(np.ones(5), 7))

cross_entropy = softmax_cross_entropy
smoothed = partial(softmax_cross_entropy, label_smoothing=0.2)
decay = partial(l2_penalty, rate=0.3)
summed = lambda logits, labels: cross_entropy(logits, labels).sum()
averaged = lambda logits, labels: cross_entropy(logits, labels).mean()


def t_of(logits, labels):
    return one_hot(labels, logits.shape[-1], dtype=logits.dtype)


def p_minus_t(logits, labels):
    return softmax(logits) - t_of(logits, labels)


def through_p(logits, labels, dl):
    """dlogits, computed as dp = -dl t / p and then through softmax."""
    p = softmax(logits)
    dp = -dl[:, None] * t_of(logits, labels) / p
    return p * (dp - (p * dp).sum(-1, keepdims=True))


def through_sigmoid(logits, targets, dl):
    p = sigmoid(logits)
    return dl[:, None] * (p - targets) / (p * (1 - p)) * (p * (1 - p))


def without_modulation(logits, targets, dl):
    """dz of focal, with s(-z)^gamma treated as a constant."""
    p, t = sigmoid(logits), targets
    return dl[:, None] * (0.75 * (1 - t) * p**3 - 0.25 * t * (1 - p) ** 3)


def unweighted(logits, labels, dl):
    return dl[:, None] * p_minus_t(logits, labels)


def noisy(g):
    return g + 1e-4 * np.random.standard_normal(g.shape).astype(g.dtype)


MUTANTS = (
    mean(
        "cross entropy: averaged over examples", cross_entropy, ROWS, dlogits=lambda g: g / len(g)
    ),
    mean("summed cross entropy: averaged", summed, ROWS, dlogits=lambda g: g / len(g)),
    mean(
        "mean_squared_error: averaged over examples too",
        mean_squared_error,
        PAIR,
        dy=lambda g: g / len(g),
    ),
    sum_(
        "averaged cross entropy: not divided",
        averaged,
        ROWS,
        dlogits=lambda logits, labels, dl: dl * p_minus_t(logits, labels),
    ),
    sum_(
        "mean_squared_error: not divided",
        mean_squared_error,
        PAIR,
        dy=lambda y, targets, dl: 2 * dl[:, None] * (y - targets),
    ),
    factor("cross entropy: t - p", cross_entropy, ROWS, dlogits=lambda g: -g),
    factor("mean_squared_error: 2 forgotten", mean_squared_error, PAIR, dy=lambda g: g / 2),
    factor("squared_error: 2, not 2 / 2", squared_error, PAIR, dy=lambda g: 2 * g),
    factor("squared_error dtargets: sign", squared_error, PAIR, dtargets=lambda dy: dy),
    factor("nll: sign", nll, ROWS, dlog_p=lambda g: -g),
    factor("kl_divergence dlog_q: sign", kl_divergence, SHARES, dlog_q=lambda g: -g),
    factor("l2_penalty: rate forgotten", decay, PAIR[:1], dw=lambda w, dl: dl * w),
    slope(
        "cross entropy: p",
        cross_entropy,
        ROWS,
        dlogits=lambda logits, dl: dl[:, None] * softmax(logits),
    ),
    slope("cross entropy, smoothed: hard labels", smoothed, ROWS, dlogits=unweighted),
    slope(
        "sigmoid_cross_entropy: through the sigmoid twice",
        sigmoid_cross_entropy,
        YES_OR_NO,
        dlogits=lambda logits, g: g * sigmoid(logits) * sigmoid(-logits),
    ),
    slope("focal: modulation taken as constant", focal, YES_OR_NO, dlogits=without_modulation),
    slope("huber: not clipped", huber, PAIR, dy=lambda y, targets, dl: dl[:, None] * (y - targets)),
    total(
        "cross entropy: -t",
        cross_entropy,
        ROWS,
        dlogits=lambda logits, labels, dl: -dl[:, None] * t_of(logits, labels),
    ),
    total(
        "hinge: the label's own entry",
        hinge,
        ROWS,
        dlogits=lambda g, logits, labels: g * (1 - t_of(logits, labels)),
    ),
    product("cross entropy: dl forgotten", cross_entropy, ROWS, dlogits=p_minus_t),
    product(
        "weighted cross entropy: weights forgotten", cross_entropy, WEIGHTED, dlogits=unweighted
    ),
    exchanged(
        "squared_error: dy for dtargets",
        squared_error,
        PAIR,
        dy=lambda dtargets: dtargets,
        dtargets=lambda dy: dy,
    ),
    exchanged(
        "kl_divergence: dlog_q for dp",
        kl_divergence,
        SHARES,
        dlog_q=lambda dp: dp,
        dp=lambda dlog_q: dlog_q,
    ),
    infinite("cross entropy: through 1 / p", cross_entropy, FAR_APART, dlogits=through_p),
    infinite(
        "sigmoid_cross_entropy: through 1 / p",
        sigmoid_cross_entropy,
        CERTAIN,
        dlogits=through_sigmoid,
    ),
    of("shifted", "nll: labels from 1", nll, ROWS, dlog_p=lambda g: jnp.roll(g, 1, 1)),
    of(
        "not reduced",
        "cross entropy dweights: of each example",
        cross_entropy,
        WEIGHTED,
        dweights=lambda logits, labels, dl: (
            -dl[:, None] * t_of(logits, labels) * jax.nn.log_softmax(logits)
        ),
    ),
    of(
        "reduced too far",
        "cross entropy dweights: over classes too",
        cross_entropy,
        WEIGHTED,
        dweights=one_sum,
    ),
    of("stopped", "squared_error dtargets: none", squared_error, PAIR, dtargets=None),
    of(
        "single entry",
        "cross entropy: one 0 of 10⁶",
        cross_entropy,
        MILLION,
        dlogits=lambda g: g.at[314, 159].set(0),
    ),
    of(
        "single entry",
        "mean_squared_error: the first",
        mean_squared_error,
        PAIR,
        dy=lambda g: g.at[0, 0].multiply(1.1),
    ),
    of("not deterministic", "cross entropy: noise added", cross_entropy, ROWS, dlogits=noisy),
)
