"""Entropy: losses between two distributions over the last axis.

With log p = log softmax(z),

    soft cross entropy   l[n] = -sum_k t[n,k] log p[n,k]
                         dz[n,k] = dl[n] (p[n,k] sum_j t[n,j] - t[n,k])
                         dt[n,k] = -dl[n] log p[n,k]

    divergence           l[n] = sum_k p[n,k] (log p[n,k] - log q[n,k])
                         dlog_q[n,k] = -dl[n] p[n,k]
                         dp[n,k] = dl[n] (log p[n,k] - log q[n,k] + 1), or 0 where p is 0

p and log p are saved, each exact by itself, in the dtype that sums are kept in, or log q; and the
other argument. A class of probability 0 adds 0, even where its
logit or its logarithm is -inf. No argument is made to sum to 1.

Shapes: both arguments have one shape, (*n, k).
Units:  nats.
Raises: ValueError if shapes disagree; TypeError for integers.
Cost:   about 5 operations and one exponential or logarithm per entry.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.softmax import extreme_scores, probabilities
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, extreme, ints, operator, rejects
from fcnn.ops.validation import require, require_floats, require_rank

Rows = Float[Array, "*n k"]
L = Float[Array, "*n"]


@operator()
def soft_cross_entropy(logits: Rows, targets: Rows) -> L:
    """Mean surprise at classes drawn from the distributions `targets`, under softmax(logits).

    Source: Bridle 1990; soft targets: Hinton, Vinyals & Dean, arXiv:1503.02531.
    """
    return soft_cross_entropy_fwd(logits, targets)[0]


@soft_cross_entropy.fwd
def soft_cross_entropy_fwd(logits, targets):
    p, log_p = probabilities(logits)
    loss = -weighed(targets.astype(p.dtype), log_p).sum(-1)
    return loss.astype(logits.dtype), (p, log_p, targets)


@soft_cross_entropy.bwd
def soft_cross_entropy_bwd(saved, dl):
    p, log_p, t = saved
    dtype, t, dl = dl.dtype, t.astype(p.dtype), dl[..., None].astype(p.dtype)
    dz = dl * (p * t.sum(-1, keepdims=True) - t)
    return dz.astype(dtype), (-dl * seen(t, log_p)).astype(dtype)


@operator()
def kl_divergence(log_q: Rows, p: Rows) -> L:
    """Divergence of q from p, the extra surprise of who believes q where p is true.

    The first argument is a logarithm, such as log_softmax gives. Where p is 0 its slope, -inf, is
    taken to be 0.

    Source: Kullback & Leibler 1951.
    """
    return (p.astype(accumulation_dtype(p.dtype)) * _log_ratio(log_q, p)).sum(-1).astype(p.dtype)


@kl_divergence.fwd
def kl_divergence_fwd(log_q, p):
    return kl_divergence.forward(log_q, p), (log_q, p)


@kl_divergence.bwd
def kl_divergence_bwd(saved, dl):
    (log_q, p), dl = saved, dl[..., None]
    ratio = _log_ratio(log_q, p)
    dp = dl.astype(ratio.dtype) * (ratio + (p != 0).astype(ratio.dtype))
    return -dl * p, dp.astype(p.dtype)


def _log_ratio(log_q, p):
    """log p - log q, or 0 where p is 0."""
    none, log_q, p = (
        p == 0,
        log_q.astype(accumulation_dtype(p.dtype)),
        p.astype(accumulation_dtype(p.dtype)),
    )
    return jnp.log(jnp.where(none, 1, p)) - jnp.where(none, 0, log_q)


def weighed(p, a):
    """p a, where 0 times infinity is 0."""
    return p * seen(p, a)


def seen(p, a):
    """a, but 0 where it is infinite and p is 0."""
    return jnp.where((p == 0) & jnp.isinf(a), 0, a)


def _validate(name, names, a, b):
    first, second = names
    require_floats(name, **{first: a, second: b})
    require_rank(name, 1, **{first: a})
    same = a.shape == b.shape
    require(same, f"{name}: {first} {a.shape} and {second} {b.shape} need the same shape")
    require(a.shape[-1] > 0, f"{name}: {first} {a.shape} have no classes")


def _probabilities(shape):
    return lambda rng: rng.dirichlet(np.ones(shape[-1]), shape[:-1])


far_apart = lambda rng: 1e3 * rng.standard_normal((3, 4))
one_hot = lambda rng: np.eye(3)
for op, (first, second) in (
    (soft_cross_entropy, ("logits", "targets")),
    (kl_divergence, ("log_q", "p")),
):
    op.validate(partial(_validate, op.name, (first, second)))
    op.cases = (
        Case("rows", ((4, 3), _probabilities((4, 3)))),
        Case("sequences", ((2, 3, 4), _probabilities((2, 3, 4)))),
        Case("far apart", (far_apart, _probabilities((3, 4)))),
        Case("one hot", ((3, 3), one_hot), kink=op is kl_divergence),
        Case("no examples", ((0, 3), (0, 3))),
        *(
            extreme(name, z, _probabilities((3, 7)))
            for name, z in extreme_scores((3, 7)).items()
            if name != "some at -inf"  # the loss is infinite
        ),
        extreme("many", (1, 65520), _probabilities((1, 65520))),
        rejects(rf"{first} \(4, 3\) and {second} \(4,\) need the same", (4, 3), (4,)),
        rejects(f"{second} holds int32", (4, 3), ints((4, 3)), kind=TypeError),
        rejects(f"{first} .* have no classes", (3, 0), (3, 0)),
        rejects("at least 1 axes", (), ()),
    )
kl_divergence.torch_difference = (
    "its gradient for p is NaN where p is 0, here 0: such entries of it are left out"
)
