"""Binary cross-entropy and the focal loss: a logit and a target of 0 or 1 for every entry.

With targets t, s(z) = 1 / (1 + exp(-z)) the probability of 1, and f(z) the loss where t = 1,

    l[n] = sum_k a t f(z) + b (1 - t) f(-z)              over all axes but the first
    dz   = dl (a t f'(z) - b (1 - t) f'(-z))
    dt   = dl (a f(z) - b f(-z))

    sigmoid cross entropy   f(z) = -log s(z) = log(1 + exp(-z))           a = b = 1
                            f'(z) = -s(-z)

    focal                   f(z) = -s(-z)^gamma log s(z)                  a = alpha, b = 1 - alpha
                            f'(z) = -s(-z)^gamma (s(-z) - gamma s(z) log s(z))

where s(-z) = 1 - s(z). The terms of l, and the terms of f' in parentheses, are never negative, so
they do not cancel. z and t are saved. Where an infinite logit predicts its target with certainty,
the entry adds 0. f is not evaluated there: it may be infinite, and 0 times infinity is NaN.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import EXTREMES
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.distributions import safe_product
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

Y = Float[Array, "n ..."]
L = Float[Array, " n"]


@operator()
def sigmoid_cross_entropy(logits: Y, targets: Y) -> L:
    """Binary cross-entropy between `targets` and sigmoid(logits), in nats, summed per example.

    Targets are 0, 1 or any probability between.

    Shapes: logits and targets (n, ...) -> loss (n,).
    Units:  nats.
    Raises: ValueError if shapes disagree; TypeError if an argument does not hold floats.
    Cost:   about 10 operations and two exponentials per entry.
    Source: Cox 1958.

    >>> logits = jnp.log(jnp.array([[1.0, 3.0]]))  # probabilities 1/2 and 3/4
    >>> fcnn.sigmoid_cross_entropy(logits, jnp.array([[1.0, 0.0]]))  # log 2 + log 4
    Array([2.0794415], dtype=float32)
    """
    return _loss(logits, targets, _log_loss)


@operator()
def focal(logits: Y, targets: Y, *, alpha: float = 0.25, gamma: float = 2.0) -> L:
    """Focal loss: binary cross-entropy with less weight on well predicted entries, per example.

    Targets are 0, 1 or any probability between.

    Shapes: logits and targets (n, ...) -> loss (n,).
    Options:
        alpha: the weight of targets of 1; 0.25 by default. Targets of 0 have weight 1 - alpha.
        gamma: the loss of an entry is multiplied by (probability of the wrong class)^gamma; 2.0 by
            default.
    Units:  nats.
    Raises: ValueError if shapes disagree, or unless 0 <= alpha <= 1 and 0 <= gamma < inf; TypeError
            if an argument does not hold floats, or an option is not a number.
    Cost:   about 20 operations and four exponentials per entry.
    Source: Lin et al., arXiv:1708.02002.

    >>> logits, targets = jnp.zeros((1, 1)), jnp.ones((1, 1))  # probability 1/2
    >>> fcnn.focal(logits, targets)  # 1/4 (1/2)^2 log 2
    Array([0.0433217], dtype=float32)
    """
    return _loss(logits, targets, partial(_focal_loss, gamma=gamma), alpha, 1 - alpha)


@sigmoid_cross_entropy.fwd
def sigmoid_cross_entropy_fwd(logits, targets):
    return sigmoid_cross_entropy.forward(logits, targets), (logits, targets)


@sigmoid_cross_entropy.bwd
def sigmoid_cross_entropy_bwd(saved, dl):
    return _loss_bwd(saved, dl, _log_loss, _log_loss_slope)


@focal.fwd
def focal_fwd(logits, targets, **options):
    return focal.forward(logits, targets, **options), (logits, targets)


@focal.bwd
def focal_bwd(saved, dl, *, alpha, gamma):
    f, df = (partial(each, gamma=gamma) for each in (_focal_loss, _focal_loss_slope))
    return _loss_bwd(saved, dl, f, df, alpha, 1 - alpha)


def _loss(z, t, f, a=1.0, b=1.0):
    wide, t = z.astype(accumulation_dtype(z.dtype)), t.astype(accumulation_dtype(z.dtype))
    each = a * t * _where_needed(f, t, wide) + b * (1 - t) * _where_needed(f, 1 - t, -wide)
    return each.sum(range(1, z.ndim)).astype(z.dtype)


def _loss_bwd(saved, dl, f, df, a=1.0, b=1.0):
    dtype, (z, t, dl) = dl.dtype, (a.astype(accumulation_dtype(dl.dtype)) for a in (*saved, dl))
    dl = dl.reshape((-1,) + (1,) * (z.ndim - 1))
    dz = a * t * df(z) - b * (1 - t) * df(-z)
    dt = a * _where_needed(f, t, z) - b * _where_needed(f, 1 - t, -z)
    return (dl * dz).astype(dtype), (dl * dt).astype(dtype)


def _where_needed(f, t, z):
    """f(z), but 0 where z is infinite and t is 0."""
    skipped = (t == 0) & jnp.isinf(z)
    return jnp.where(skipped, 0, f(jnp.where(skipped, 0, z)))


def _log_loss(z):
    return jax.nn.softplus(-z)


def _log_loss_slope(z):
    return -jax.nn.sigmoid(-z)


def _focal_loss(z, gamma):
    return _focus(z, gamma) * jax.nn.softplus(-z)


def _focal_loss_slope(z, gamma):
    s, rest = jax.nn.sigmoid(z), jax.nn.sigmoid(-z)
    return -_focus(z, gamma) * (rest + gamma * safe_product(s, jax.nn.softplus(-z)))


def _focus(z, gamma):
    """s(-z)^gamma, computed from its logarithm."""
    return jnp.exp(-safe_product(gamma, jax.nn.softplus(z)))


def _validate(logits, targets):
    require_floats(logits=logits, targets=targets)
    require_rank(1, logits=logits)
    same = logits.shape == targets.shape
    require(same, f"logits {logits.shape} and targets {targets.shape} need the same shape")


sigmoid_cross_entropy.validate(_validate)


@focal.validate
def _validate_focal(logits, targets, *, alpha, gamma):
    _validate(logits, targets)
    require_numbers(alpha=alpha, gamma=gamma)
    require(0 <= alpha <= 1, f"alpha {alpha} must lie in [0, 1]")
    require(0 <= gamma < math.inf, f"gamma {gamma} must be at least 0 and finite")


def _binary(shape):
    return lambda rng: rng.integers(0, 2, shape).astype(float)


def _in_rows(draw):
    return lambda rng: draw(rng).reshape(3, 2)


far_apart = lambda rng: 1e3 * rng.standard_normal((3, 4))
for op in (sigmoid_cross_entropy, focal):
    op.cases = (
        Case("rows", ((4, 3), _binary((4, 3)))),
        Case("images", ((2, 3, 2, 2), _binary((2, 3, 2, 2)))),
        Case("fractions", ((5,), lambda rng: rng.random(5))),
        Case("far apart", (far_apart, _binary((3, 4)))),
        Case("no examples", ((0, 3), (0, 3))),
        *(extreme(name, _in_rows(z), _binary((3, 2))) for name, z in EXTREMES.items()),
        extreme(
            "infinite",
            lambda rng: np.array([[-np.inf, np.inf, 0]]),
            lambda rng: np.array([[0.0, 1, 1]]),
        ),
        extreme("many", (1, 65520), _binary((1, 65520))),
        rejects(r"logits \(4, 3\) and targets \(4,\) need the same", (4, 3), (4,)),
        rejects("targets holds int32", (4, 3), ints((4, 3)), kind=TypeError),
        rejects("at least 1 axis", (), ()),
    )
focal.cases += (
    Case("gamma 0.5", ((4, 3), _binary((4, 3))), {"alpha": 0.5, "gamma": 0.5}),
    Case("gamma 0", ((4, 3), _binary((4, 3))), {"gamma": 0}),
    rejects("alpha 1.5 must lie", (4, 3), (4, 3), alpha=1.5),
    rejects("gamma -1 must be at least 0", (4, 3), (4, 3), gamma=-1),
    rejects("gamma 'two' must be a number", (4, 3), (4, 3), gamma="two", kind=TypeError),
)
focal.torch_difference = "torch has none; the test compares with torchvision's formula"
