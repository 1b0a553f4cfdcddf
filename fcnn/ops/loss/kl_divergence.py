"""KL divergence (relative entropy) between two distributions over the last axis.

    l[n] = sum_k p[n,k] (log p[n,k] - log q[n,k])
    dlog_q[n,k] = -dl[n] p[n,k]
    dp[n,k] = dl[n] (log p[n,k] - log q[n,k] + 1), or 0 where p is 0

Both arguments are saved. A class of probability p = 0 adds 0, even if its log q is -inf. The
operator does not normalize p or q.
"""

import jax.numpy as jnp

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.distributions import (
    L,
    Rows,
    cases_of_distributions,
    inner_product,
    validate_distributions,
)
from fcnn.ops.op import operator


@operator()
def kl_divergence(log_q: Rows, p: Rows) -> L:
    """KL divergence of p from q, sum p (log p - log q), in nats, one value per example.

    The first argument is log q, as log_softmax returns it. Where p is 0, the gradient of p is 0
    instead of -inf.

    Shapes: log_q and p (*n, k) -> loss (*n).
    Units:  nats.
    Raises: ValueError if shapes disagree, or there are no classes; TypeError if an argument does
            not hold floats.
    Cost:   about 5 operations and one logarithm per entry.
    Source: Kullback & Leibler 1951.

    >>> log_q = jnp.log(jnp.array([[0.25, 0.5, 0.25]]))
    >>> fcnn.kl_divergence(log_q, jnp.array([[0.5, 0.5, 0.0]]))  # log(2) / 2
    Array([0.3465736], dtype=float32)
    """
    loss = inner_product(p.astype(accumulation_dtype(p.dtype)), _log_ratio(log_q, p))
    return loss.astype(p.dtype)


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
    zero, log_q, p = (
        p == 0,
        log_q.astype(accumulation_dtype(p.dtype)),
        p.astype(accumulation_dtype(p.dtype)),
    )
    return jnp.log(jnp.where(zero, 1, p)) - jnp.where(zero, 0, log_q)


@kl_divergence.validate
def _validate(log_q, p):
    validate_distributions(log_q=log_q, p=p)


kl_divergence.cases = cases_of_distributions("log_q", "p", kink=True)
kl_divergence.torch_difference = (
    "torch's gradient for p is NaN where p is 0, fcnn's is 0; the test does not compare these "
    "entries"
)
