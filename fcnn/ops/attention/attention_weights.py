"""Attention weights: for each query, the softmax of its scores over the keys.

With the scores a and the products m of `scores.py`, and softmax over s as in
`dot_product_attention.py`,

    p[t,s] = e[t,s] / total[t]                          0 for a query t without visible keys

    da[t,s] = p[t,s] (dp[t,s] - sum_u p[t,u] dp[t,u])   dmask = da, summed over broadcast axes
    dm[t,s] = da[t,s] (1 - (c[t,s] / softcap)^2)        da itself without softcap
    dq[t,d] = scale sum_s dm[t,s] k[s,d]                dk[s,d] = scale sum_t dm[t,s] q[t,d]

The division moves from p to dp, as on that page: with dz = dp / total,

    da[t,s] = e[t,s] (dz[t,s] - sum_u e[t,u] dz[t,u] / total[t])

The weights of a query sum to 1, so a number that is subtracted from all dz[t,s] of a query has no
effect. dz at the largest weight is subtracted: where one key dominates, its dz and the sum are
almost equal, and their difference would have few correct digits.

The arguments, e and total are saved. Only a softcap needs the scores again.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

from fcnn.ops.activation.softmax import below
from fcnn.ops.attention.draws import EXTREMES, LENGTHS, OFFSET, boolean_mask
from fcnn.ops.attention.heads import (
    blocks,
    blocks_adjoint,
    broadcast_adjoint,
    by_group,
    by_head,
    mask_blocks_adjoint,
)
from fcnn.ops.attention.mask import added, require_scores
from fcnn.ops.attention.scores import (
    Scoring,
    finite,
    for_product,
    product,
    scale_of,
    scores,
    through_softcap,
)
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.op import operator


@operator()
def attention_weights(
    q: Float[Array, "n t h d"],
    k: Float[Array, "n s g d"],
    mask: Bool[Array, "#n #h #t #s"] | Float[Array, "#n #h #t #s"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    offset: Integer[Array, " n"] | None = None,
    *,
    causal: bool = False,
    window: int | None = None,
    softcap: float | None = None,
    scale: float | None = None,
) -> Float[Array, "n h t s"]:
    """Weights of scaled dot-product attention: softmax(scale q kᵀ + mask) over the keys.

    Shapes: q (n, t, h, d), k (n, s, g, d), mask (n, h, t, s) or 1 along any axis, lengths (n,),
            offset (n,) -> p (n, h, t, s). h is a multiple of g; masks, lengths and offset are as in
            `dot_product_attention`. The weights of a query sum to 1, or are 0 for a query that may
            not attend to any key.
    Options:
        causal: whether a query attends only to keys up to its own position.
        window: a query at position p attends only to keys with |key - p| < window.
        softcap: bound of the scores, softcap tanh(score / softcap), before the mask; None for none.
        scale: the factor of q kᵀ; 1 / sqrt(d) if None.
    Units:  p is a share between 0 and 1; scores and a mask of floats are in nats.
    Raises: ValueError if shapes disagree, d is 0, scale is not finite, softcap is not positive, or
            window < 1; TypeError if q or k do not hold floats, if lengths or offset do not hold
            integers, or if the mask holds neither booleans nor floats.
    Cost:   n h t s d multiply-adds forward, twice as many backward; n h t s numbers are saved.
    Source: Vaswani et al. 2017.

    >>> q, k = jnp.ones((1, 2, 1, 1)), jnp.zeros((1, 2, 1, 1))
    >>> fcnn.attention_weights(q, k, causal=True)[0, 0]
    Array([[1. , 0. ],
           [0.5, 0.5]], dtype=float32)
    """
    options = {"causal": causal, "window": window, "softcap": softcap, "scale": scale}
    return attention_weights_fwd(q, k, mask, lengths, offset, **options)[0]


@attention_weights.fwd
def attention_weights_fwd(q, k, mask, lengths, offset, *, causal, window, softcap, scale):
    how = Scoring(scale_of(scale, q), softcap, causal, window, lengths, offset)
    queries, keys = _in_one_block(q, k, mask, lengths)
    a, _ = scores(queries, keys, k.shape[1], how)
    top = finite(lax.stop_gradient(a.max(-1, keepdims=True)))
    e = jnp.exp(below(a, top))
    total = e.sum(-1, keepdims=True)
    total = jnp.where(total > 0, total, jnp.ones_like(total))
    n, g, r, t, s = e.shape
    p = (e / total).reshape(n, g * r, t, s)[..., : k.shape[1]].astype(q.dtype)
    return p, (q, k, mask, lengths, offset, e, total)


@attention_weights.bwd
def attention_weights_bwd(saved, dp, *, causal, window, softcap, scale):
    q, k, mask, lengths, offset, e, total = saved
    scale = scale_of(scale, q)
    how = Scoring(scale, softcap, causal, window, lengths, offset)
    queries, keys = _in_one_block(q, k, mask, lengths)
    _, c = scores(queries, keys, k.shape[1], how)
    absent = e.shape[-1] - k.shape[1]  # 1 if there are no keys, where the block has one
    dp = jnp.pad(dp.astype(e.dtype), (*((0, 0),) * 3, (0, absent))).reshape(e.shape)
    dz = dp / total
    dz = dz - jnp.take_along_axis(dz, lax.argmax(e, 4, jnp.int32)[..., None], -1)
    da = e * (dz - (e * dz).sum(-1, keepdims=True) / total)
    dm = for_product(through_softcap(da, c, how), q.dtype)
    dq = scale * product(dm, keys.k, (4,), (2,))
    dk = scale * product(dm, queries, (2, 3), (2, 3))
    dmask = None
    if added(mask) is not None:
        dmask = mask_blocks_adjoint(broadcast_adjoint(da, keys.mask)[None], mask.shape)
        dmask = dmask.astype(q.dtype)
    dk = blocks_adjoint(dk[None], k.shape[1])
    return by_head(dq).astype(q.dtype), dk.astype(q.dtype), dmask, None, None


def _in_one_block(q, k, mask, lengths):
    """Queries by group, and all keys."""
    keys = blocks(k, k, mask, q.shape[2], lengths, max(1, k.shape[1]))
    return by_group(q, k.shape[2]), jax.tree.map(lambda a: a[0], keys)


@attention_weights.validate
def _validate(q, k, mask, lengths, offset, *, causal, window, softcap, scale):
    require_scores(q, k, mask, lengths, offset, causal, window, softcap, scale)


SMALL, PLAIN = ((1, 2, 2, 2), (1, 5, 1, 2)), (None, None, None)
attention_weights.cases = (
    Case("grouped", (*SMALL, (1, 1, 2, 5), None, None)),
    Case(
        "causal",
        ((2, 4, 4, 3), (2, 3, 2, 3), boolean_mask((2, 4, 1, 3)), None, None),
        {"causal": True, "scale": 1.5},
    ),
    Case(
        "lengths, offset, window, softcap",
        ((3, 2, 2, 2), (3, 5, 1, 2), (3, 1, 1, 5), LENGTHS, OFFSET),
        {"causal": True, "window": 3, "softcap": 0.7},
    ),
    Case("no keys", ((1, 2, 1, 2), (1, 0, 1, 2), (1, 1, 2, 0), None, None)),
    Case("no examples", ((0, 2, 1, 2), (0, 3, 1, 2), *PLAIN)),
    *(extreme(name, q, k, mask, None, None) for name, (q, k, _, mask) in EXTREMES.items()),
    rejects("q .* and k .* differ in n or d", (1, 2, 2, 3), SMALL[1], *PLAIN),
    rejects(r"q \(2, 2, 2\) needs 4 axes", (2, 2, 2), SMALL[1], *PLAIN),
    rejects(r"mask \(1, 3, 2, 5\) must broadcast to", *SMALL, (1, 3, 2, 5), None, None),
    rejects("q holds int32", ints(SMALL[0]), SMALL[1], *PLAIN, kind=TypeError),
    rejects("softcap 'c' must be a number", *SMALL, *PLAIN, softcap="c", kind=TypeError),
)
attention_weights.torch_difference = (
    "torch has no function of its own; the test compares with the weights of its multi-head "
    "attention"
)
