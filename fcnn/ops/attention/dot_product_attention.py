"""Scaled dot-product attention: for each query, a mean of the values weighted by softmax scores.

With queries t, keys s, and a mask that is -inf where query t may not attend to key s,

    a[t,s]   = scale sum_d q[t,d] k[s,d] + mask[t,s]        softcap: `scores.py`
    top[t]   = max_s a[t,s]                        e[t,s] = exp(a[t,s] - top[t])
    total[t] = sum_s e[t,s]
    p[t,s]   = e[t,s] / total[t]                   0 for a query t without visible keys
    y[t,e]   = sum_s p[t,s] v[s,e]

Softmax has the Jacobian dp[t,s] / da[t,u] = p[t,s] ([s = u] - p[t,u]), so

    dv[s,e] = sum_t p[t,s] dy[t,e]                 dp[t,s] = sum_e dy[t,e] v[s,e]
    da[t,s] = p[t,s] (dp[t,s] - D[t])              D[t]    = sum_s p dp = sum_e y[t,e] dy[t,e]
    dq[t,d] = scale sum_s da[t,s] k[s,d]           dk[s,d] = scale sum_t da[t,s] q[t,d]
    dmask   = da, summed over the axes along which the mask is broadcast; none for a boolean mask

With softcap, dq and dk contain the gradient of the products, dm (`scores.py`), instead of da. Keys
at or beyond lengths[n] are replaced by 0, so that they have no effect even if they are NaN.

These gradients are linear in dy, and p = e / total. So the division moves from p to dy: with
dz = dy / total,

    dv[s,e] = sum_t e[t,s] dz[t,e]                 de[t,s] = sum_e dz[t,e] v[s,e]
    da[t,s] = e[t,s] (de[t,s] - D[t] / total[t])

The arguments, top and total are saved, and e is not: recomputing e is cheaper than storing it. top
and total are saved separately. A sum L = top + log total would lose log total where the scores are
large: at |a| = 1e9 a float32 L is a multiple of 64, and exp(a - L) is far from p.

The keys can be processed in blocks, as in FlashAttention. The results of two blocks are merged by

    top = max(top1, top2)      c_i = exp(top_i - top)      (total, z) = sum_i c_i (total, z)_i

with z = sum_s e v. At the end y = z / total. "plain" has all keys in one block. "blocked" loops
over the blocks, forward and backward, and never stores all t s scores. The backward pass needs D
before the loop, so z is saved too. D is computed from z, not from y, because y is rounded to the
dtype of q, which may have few digits. Where one key dominates, D must be accurate enough to cancel
dp. "plain" computes D = sum_s e de. total is the sum of the same rounded e that multiply v. So the
weights in y sum to 1, however e is rounded.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

from fcnn.ops.activation.softmax import below
from fcnn.ops.attention.draws import CANCELLING, EXTREMES, LENGTHS, OFFSET, boolean_mask
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
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_counts, require_floats

MAX_SCORES = 2**20  # "auto" is "plain" up to this many scores; with more, "blocked" is faster


@operator()
def dot_product_attention(
    q: Float[Array, "n t h d"],
    k: Float[Array, "n s g d"],
    v: Float[Array, "n s g e"],
    mask: Bool[Array, "#n #h #t #s"] | Float[Array, "#n #h #t #s"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    offset: Integer[Array, " n"] | None = None,
    *,
    causal: bool = False,
    window: int | None = None,
    softcap: float | None = None,
    scale: float | None = None,
    block: int = 128,
    impl: str = "auto",
) -> Float[Array, "n t h e"]:
    """Scaled dot-product attention: softmax(scale q kᵀ + mask) v for each head.

    Shapes: q (n, t, h, d), k (n, s, g, d), v (n, s, g, e), mask (n, h, t, s) or 1 along any axis,
            lengths (n,), offset (n,) -> y (n, t, h, e). The number of heads h is a multiple of g,
            and head i uses the keys and values of group i // (h / g) (grouped-query attention). A
            boolean mask is True where a query may attend. A mask of floats is added to the scores.
            lengths[n] is the number of keys of example n; later keys have no effect. Query t has
            position offset[n] + t among the keys, or t if offset is None. A query that may not
            attend to any key gives 0, with gradient 0. Other masked keys and values must be finite.
    Options:
        causal: whether a query attends only to keys up to its own position. offset = s - t aligns
            the last query with the last key.
        window: a query at position p attends only to keys with |key - p| < window; with `causal`,
            to the last `window` keys; None for no limit.
        softcap: bound of the scores, softcap tanh(score / softcap), before the mask; None for none.
        scale: the factor of q kᵀ; 1 / sqrt(d) if None.
        block: number of keys that "blocked" processes at once.
        impl: "plain" stores all n h t s scores. "blocked" stores n h t `block` scores. "auto" is
            "plain" for up to 2**20 scores, and "blocked" for more scores. Where n is symbolic,
            "auto" counts the scores of one example.
    Units:  y is in units of v; scores and a mask of floats are in nats.
    Raises: ValueError if shapes disagree, d is 0, scale is not finite, softcap is not positive,
            block or window < 1, or impl is unknown; TypeError if q, k or v do not hold floats, if
            lengths or offset do not hold integers, or if the mask holds neither booleans nor
            floats.
    Cost:   n h t s (d + e) multiply-adds forward, and 2.5 times as many backward. Masked keys cost
            as much as visible keys.
    Source: Vaswani et al. 2017; groups: Ainslie et al. 2023; blocks: Dao et al. 2022; window:
            Beltagy et al. 2020; softcap: Gemma Team 2024.

    >>> q, k = jnp.ones((1, 1, 1, 1)), jnp.array([0.0, 9.0]).reshape(1, 2, 1, 1)
    >>> v = jnp.array([4.0, 8.0]).reshape(1, 2, 1, 1)
    >>> fcnn.dot_product_attention(q, k, v, scale=0.0).item()  # equal weights
    6.0
    >>> fcnn.dot_product_attention(q, k, v, jnp.array([[[[True, False]]]])).item()
    4.0
    """
    options = {"causal": causal, "window": window, "softcap": softcap, "scale": scale}
    options |= {"block": block, "impl": impl}
    return dot_product_attention_fwd(q, k, v, mask, lengths, offset, **options)[0]


@dot_product_attention.fwd
def dot_product_attention_fwd(
    q, k, v, mask, lengths, offset, *, causal, window, softcap, scale, block, impl
):
    how = Scoring(scale_of(scale, q), softcap, causal, window, lengths, offset)
    length = _block_length(q, k, block, impl)
    queries, keys = by_group(q, k.shape[2]), blocks(k, v, mask, q.shape[2], lengths, length)

    @jax.checkpoint  # otherwise autodiff saves the scores of every block
    def attend(keys):
        a, _ = scores(queries, keys, k.shape[1], how)
        top = lax.stop_gradient(a.max(-1, keepdims=True))
        e = jnp.exp(below(a, finite(top)))
        e_v = for_product(e, v.dtype)
        return (
            top,
            e_v.astype(e.dtype).sum(-1, keepdims=True),
            product(e_v, keys.v, (4,), (2,)),
        )

    def merge(one, two):
        top = jnp.maximum(one[0], two[0])
        c1, c2 = (jnp.exp(part[0] - finite(top)) for part in (one, two))
        return top, *(c1 * a + c2 * b for a, b in zip(one[1:], two[1:], strict=True))

    top, total, z = attend(jax.tree.map(lambda a: a[0], keys))
    next_keys = jax.tree.map(lambda a: a[1:], keys)
    if len(next_keys.position):
        step = lambda merged, keys: (merge(merged, attend(keys)), None)
        (top, total, z), _ = lax.scan(step, (top, total, z), next_keys)
    total = jnp.where(total > 0, total, jnp.ones_like(total))  # 1 for a query without visible keys
    y = by_head(z / total).astype(q.dtype)
    z = z if len(next_keys.position) else None
    return y, (q, k, v, mask, lengths, offset, finite(top), total, z)


@dot_product_attention.bwd
def dot_product_attention_bwd(saved, dy, *, causal, window, softcap, scale, block, impl):
    q, k, v, mask, lengths, offset, top, total, z = saved
    scale, dtype = scale_of(scale, q), q.dtype
    how = Scoring(scale, softcap, causal, window, lengths, offset)
    length = _block_length(q, k, block, impl)
    queries, keys = by_group(q, k.shape[2]), blocks(k, v, mask, q.shape[2], lengths, length)
    dz = for_product(by_group(dy, k.shape[2]).astype(total.dtype) / total, dtype)
    D_z = None if z is None else (z * dz.astype(z.dtype)).sum(-1, keepdims=True) / total

    @jax.checkpoint
    def step(dq, keys):
        a, c = scores(queries, keys, k.shape[1], how)
        e = jnp.exp(below(a, top))
        de = product(dz, keys.v, (4,), (3,))
        D = (e * de).sum(-1, keepdims=True) / total if D_z is None else D_z
        da = e * (de - D)
        dm = for_product(through_softcap(da, c, how), dtype)
        dq = dq + scale * product(dm, keys.k, (4,), (2,))
        dk = scale * product(dm, queries, (2, 3), (2, 3))
        dv = product(for_product(e, dtype), dz, (2, 3), (2, 3))
        return dq, (dk, dv, None if added(mask) is None else broadcast_adjoint(da, keys.mask))

    start = jnp.zeros_like(dz, accumulation_dtype(dtype), queries.shape)
    dq, (dk, dv, dmask) = lax.scan(step, start, keys)
    dk, dv = (blocks_adjoint(a, k.shape[1]).astype(dtype) for a in (dk, dv))
    dmask = None if added(mask) is None else mask_blocks_adjoint(dmask, mask.shape).astype(dtype)
    return by_head(dq).astype(dtype), dk, dv, dmask, None, None


def _block_length(q, k, block, impl):
    """Number of keys in each block."""
    (n, t, h, _), s = q.shape, k.shape[1]
    n = n if isinstance(n, int) else 1  # a symbolic n counts as 1
    plain = impl == "plain" or (impl == "auto" and n * h * t * s <= MAX_SCORES)
    return max(1, s if plain else min(s, block))


dot_product_attention.choose_from("plain", "blocked")


@dot_product_attention.validate
def _validate(q, k, v, mask, lengths, offset, *, causal, window, softcap, scale, block, impl):
    require_scores(q, k, mask, lengths, offset, causal, window, softcap, scale)
    n, s, g, _ = k.shape
    require_floats(q=q, k=k, v=v)
    require(v.ndim == 4, f"v {v.shape} needs 4 axes")
    require(v.shape[:3] == (n, s, g), f"k {k.shape} and v {v.shape} differ in n, s or g")
    require_counts(block=block)


SMALL = ((1, 2, 2, 2), (1, 5, 1, 2), (1, 5, 1, 1))
PLAIN, EVERY_KEY = (None, None, None), (None, None)  # mask, lengths, offset; lengths, offset
dot_product_attention.cases = (
    Case("grouped", (*SMALL, (1, 1, 2, 5), *EVERY_KEY), {"block": 2}),
    Case(
        "causal",
        ((2, 4, 4, 3), (2, 3, 2, 3), (2, 3, 2, 2), boolean_mask((2, 4, 1, 3)), *EVERY_KEY),
        {"causal": True, "block": 2, "scale": 1.5},
    ),
    Case(
        "broadcast mask",
        ((2, 3, 4, 2), (2, 3, 2, 2), (2, 3, 2, 2), (2, 4, 1, 1), *EVERY_KEY),
        {"block": 2},
    ),
    Case(
        "lengths, offset, window, softcap",
        ((3, 2, 2, 2), (3, 5, 1, 2), (3, 5, 1, 1), (3, 1, 1, 5), LENGTHS, OFFSET),
        {"causal": True, "window": 3, "softcap": 0.7, "block": 2},
    ),
    Case("window", ((1, 4, 1, 2), (1, 5, 1, 2), (1, 5, 1, 1), *PLAIN), {"window": 2, "block": 2}),
    Case(
        "scores far apart",
        (lambda rng: 1e3 * rng.standard_normal((1, 2, 2, 2)), *SMALL[1:], *PLAIN),
    ),
    Case("no keys", ((1, 2, 1, 2), (1, 0, 1, 2), (1, 0, 1, 3), (1, 1, 2, 0), *EVERY_KEY)),
    Case("no queries", ((1, 0, 1, 2), (1, 3, 1, 2), (1, 3, 1, 2), *PLAIN), {"block": 2}),
    Case("no examples", ((0, 2, 1, 2), (0, 3, 1, 2), (0, 3, 1, 2), *PLAIN), {"block": 2}),
    *(
        extreme(name, *args, *EVERY_KEY, impl="plain")
        for name, args in (EXTREMES | CANCELLING).items()
    ),
    *(
        extreme(f"{name}, in blocks", *args, *EVERY_KEY, impl="blocked", block=2)
        for name, args in EXTREMES.items()
    ),
    extreme("scores beyond softcap", *EXTREMES["huge scores"], *EVERY_KEY, softcap=30.0),
    extreme("many keys", (1, 1, 1, 4), (1, 65520, 1, 4), (1, 65520, 1, 1), *PLAIN),
    rejects("q .* and k .* differ in n or d", (1, 2, 2, 3), *SMALL[1:], *PLAIN),
    rejects("k .* and v .* differ in n, s or g", *SMALL[:2], (1, 4, 1, 1), *PLAIN),
    rejects("h 2 of q .* must be a multiple of g 3", SMALL[0], (1, 5, 3, 2), (1, 5, 3, 1), *PLAIN),
    rejects(r"q \(2, 2, 2\) needs 4 axes", (2, 2, 2), *SMALL[1:], *PLAIN),
    rejects("has no features", (1, 2, 2, 0), (1, 5, 1, 0), SMALL[2], *PLAIN),
    rejects(r"mask \(1, 3, 2, 5\) must broadcast to", *SMALL, (1, 3, 2, 5), *EVERY_KEY),
    rejects(r"mask \(2, 5\) needs 4 axes", *SMALL, (2, 5), *EVERY_KEY),
    rejects("mask holds int32", *SMALL, ints((1, 1, 2, 5)), *EVERY_KEY, kind=TypeError),
    rejects("q holds int32", ints(SMALL[0]), *SMALL[1:], *PLAIN, kind=TypeError),
    rejects("lengths holds float64, not integers", *SMALL, None, (1,), None, kind=TypeError),
    rejects(r"offset \(2,\) needs shape \(1,\), one per", *SMALL, None, None, ints((2,))),
    rejects("causal 1 must be True or False", *SMALL, *PLAIN, causal=1, kind=TypeError),
    rejects("window 0 must be at least 1", *SMALL, *PLAIN, window=0),
    rejects("softcap 0 must be positive and finite", *SMALL, *PLAIN, softcap=0),
    rejects("scale 'd' must be a number", *SMALL, *PLAIN, scale="d", kind=TypeError),
    rejects("block 2.5 must be an integer", *SMALL, *PLAIN, block=2.5, kind=TypeError),
    rejects("block 0 must be at least 1", *SMALL, *PLAIN, block=0),
    rejects("unknown impl 'flash'; expected one of", *SMALL, *PLAIN, impl="flash"),
)
dot_product_attention.torch_difference = (
    "torch gives NaN for a query that may not attend to any key, fcnn gives 0; the test has no "
    "such query"
)
