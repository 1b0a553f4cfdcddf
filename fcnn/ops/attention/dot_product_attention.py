"""Scaled dot-product attention: for each query, a mean of the values weighted by softmax scores.

With queries t, keys s, and a mask that is -inf where query t may not attend to key s,

    a[t,s]   = scale sum_d q[t,d] k[s,d] + mask[t,s]
    top[t]   = max_s a[t,s]                        e[t,s] = exp(a[t,s] - top[t])
    total[t] = sum_s e[t,s]
    p[t,s]   = e[t,s] / total[t]                   0 for a query t without visible keys
    y[t,e]   = sum_s p[t,s] v[s,e]

Softmax has the Jacobian dp[t,s] / da[t,u] = p[t,s] ([s = u] - p[t,u]), so

    dv[s,e] = sum_t p[t,s] dy[t,e]                 dp[t,s] = sum_e dy[t,e] v[s,e]
    da[t,s] = p[t,s] (dp[t,s] - D[t])              D[t]    = sum_s p dp = sum_e y[t,e] dy[t,e]
    dq[t,d] = scale sum_s da[t,s] k[s,d]           dk[s,d] = scale sum_t da[t,s] q[t,d]
    dmask   = da, summed over the axes along which the mask is broadcast; none for a boolean mask

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

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from fcnn.ops.activation.softmax import below
from fcnn.ops.attention.draws import CANCELLING, EXTREMES, boolean_mask
from fcnn.ops.attention.heads import (
    blocks,
    blocks_adjoint,
    broadcast_adjoint,
    by_group,
    by_head,
    mask_blocks_adjoint,
)
from fcnn.ops.attention.mask import added, require_mask
from fcnn.ops.attention.scores import for_product, product, scores
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import (
    require,
    require_counts,
    require_flags,
    require_floats,
    require_numbers,
)

MAX_SCORES = 2**20  # "auto" is "plain" up to this many scores; with more, "blocked" is faster


@operator()
def dot_product_attention(
    q: Float[Array, "n t h d"],
    k: Float[Array, "n s g d"],
    v: Float[Array, "n s g e"],
    mask: Bool[Array, "#n #h #t #s"] | Float[Array, "#n #h #t #s"] | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    block: int = 128,
    impl: str = "auto",
) -> Float[Array, "n t h e"]:
    """Scaled dot-product attention: softmax(scale q kᵀ + mask) v for each head.

    Shapes: q (n, t, h, d), k (n, s, g, d), v (n, s, g, e), mask (n, h, t, s) or 1 along any axis
            -> y (n, t, h, e). The number of heads h is a multiple of g, and head i uses the keys
            and values of group i // (h / g) (grouped-query attention). A boolean mask is True where
            a query may attend. A mask of floats is added to the scores. A query that may not attend
            to any key gives 0, with gradient 0. Masked keys and values must be finite.
    Options:
        causal: whether query t attends to keys 0 .. t only; queries and keys are numbered from 0.
        scale: the factor of q kᵀ; 1 / sqrt(d) if None.
        block: number of keys that "blocked" processes at once.
        impl: "plain" stores all n h t s scores. "blocked" stores n h t `block` scores. "auto" is
            "plain" for up to 2**20 scores, and "blocked" for more scores. Where n is symbolic,
            "auto" counts the scores of one example.
    Units:  y is in units of v; scores and a mask of floats are in nats.
    Raises: ValueError if shapes disagree, d is 0, scale is not finite, block < 1, or impl is
            unknown; TypeError if q, k or v do not hold floats, or if the mask holds neither
            booleans nor floats.
    Cost:   n h t s (d + e) multiply-adds forward, and 2.5 times as many backward. Masked keys cost
            as much as visible keys.
    Source: Vaswani et al. 2017; groups: Ainslie et al. 2023; blocks: Dao et al. 2022.

    >>> q, k = jnp.ones((1, 1, 1, 1)), jnp.array([0.0, 9.0]).reshape(1, 2, 1, 1)
    >>> v = jnp.array([4.0, 8.0]).reshape(1, 2, 1, 1)
    >>> fcnn.dot_product_attention(q, k, v, scale=0.0).item()  # equal weights
    6.0
    >>> fcnn.dot_product_attention(q, k, v, jnp.array([[[[True, False]]]])).item()
    4.0
    """
    options = {"causal": causal, "scale": scale, "block": block, "impl": impl}
    return dot_product_attention_fwd(q, k, v, mask, **options)[0]


@dot_product_attention.fwd
def dot_product_attention_fwd(q, k, v, mask, *, causal, scale, block, impl):
    length = _block_length(q, k, block, impl)
    queries, keys = by_group(q, k.shape[2]), blocks(k, v, mask, q.shape[2], length)

    @jax.checkpoint  # otherwise autodiff saves the scores of every block
    def attend(keys):
        a = scores(queries, keys, k.shape[1], causal, _scale(scale, q))
        top = lax.stop_gradient(a.max(-1, keepdims=True))
        e = jnp.exp(below(a, _finite(top)))
        e_v = for_product(e, v.dtype)
        return (
            top,
            e_v.astype(e.dtype).sum(-1, keepdims=True),
            product(e_v, keys.v, (4,), (2,)),
        )

    def merge(one, two):
        top = jnp.maximum(one[0], two[0])
        c1, c2 = (jnp.exp(part[0] - _finite(top)) for part in (one, two))
        return top, *(c1 * a + c2 * b for a, b in zip(one[1:], two[1:], strict=True))

    top, total, z = attend(jax.tree.map(lambda a: a[0], keys))
    next_keys = jax.tree.map(lambda a: a[1:], keys)
    if len(next_keys.position):
        step = lambda merged, keys: (merge(merged, attend(keys)), None)
        (top, total, z), _ = lax.scan(step, (top, total, z), next_keys)
    total = jnp.where(total > 0, total, jnp.ones_like(total))  # 1 for a query without visible keys
    y = by_head(z / total).astype(q.dtype)
    return y, (q, k, v, mask, _finite(top), total, z if len(next_keys.position) else None)


@dot_product_attention.bwd
def dot_product_attention_bwd(saved, dy, *, causal, scale, block, impl):
    q, k, v, mask, top, total, z = saved
    length = _block_length(q, k, block, impl)
    queries, keys = by_group(q, k.shape[2]), blocks(k, v, mask, q.shape[2], length)
    scale, dtype = _scale(scale, q), q.dtype
    dz = for_product(by_group(dy, k.shape[2]).astype(total.dtype) / total, dtype)
    D_z = None if z is None else (z * dz.astype(z.dtype)).sum(-1, keepdims=True) / total

    @jax.checkpoint
    def step(dq, keys):
        e = jnp.exp(below(scores(queries, keys, k.shape[1], causal, scale), top))
        de = product(dz, keys.v, (4,), (3,))
        D = (e * de).sum(-1, keepdims=True) / total if D_z is None else D_z
        da = e * (de - D)
        da_qk = for_product(da, dtype)
        dq = dq + scale * product(da_qk, keys.k, (4,), (2,))
        dk = scale * product(da_qk, queries, (2, 3), (2, 3))
        dv = product(for_product(e, dtype), dz, (2, 3), (2, 3))
        return dq, (dk, dv, None if added(mask) is None else broadcast_adjoint(da, keys.mask))

    start = jnp.zeros_like(dz, accumulation_dtype(dtype), queries.shape)
    dq, (dk, dv, dmask) = lax.scan(step, start, keys)
    dk, dv = (blocks_adjoint(a, k.shape[1]).astype(dtype) for a in (dk, dv))
    dmask = None if added(mask) is None else mask_blocks_adjoint(dmask, mask.shape).astype(dtype)
    return by_head(dq).astype(dtype), dk, dv, dmask


def _finite(top):
    """top, or 0 for a query without visible keys: its top is -inf, and -inf - -inf is NaN."""
    return jnp.where(jnp.isfinite(top), top, 0)


def _scale(scale, q):
    return 1 / math.sqrt(q.shape[3]) if scale is None else scale


def _block_length(q, k, block, impl):
    """Number of keys in each block."""
    (n, t, h, _), s = q.shape, k.shape[1]
    n = n if isinstance(n, int) else 1  # a symbolic n counts as 1
    plain = impl == "plain" or (impl == "auto" and n * h * t * s <= MAX_SCORES)
    return max(1, s if plain else min(s, block))


dot_product_attention.choose_from("plain", "blocked")


@dot_product_attention.validate
def _validate(q, k, v, mask, *, causal, scale, block, impl):
    require_floats(q=q, k=k, v=v)
    for letter, a in {"q": q, "k": k, "v": v}.items():
        require(a.ndim == 4, f"{letter} {a.shape} needs 4 axes")
    (n, t, h, d), (_, s, g, _) = q.shape, k.shape
    require(k.shape == (n, s, g, d), f"q {q.shape} and k {k.shape} differ in n or d")
    require(v.shape[:3] == (n, s, g), f"k {k.shape} and v {v.shape} differ in n, s or g")
    require(d > 0, f"q {q.shape} has no features")
    require(
        g > 0 and h % g == 0, f"h {h} of q {q.shape} must be a multiple of g {g} of k {k.shape}"
    )
    require_mask(mask, q, (n, h, t, s))
    require_flags(causal=causal)
    require_numbers(**({} if scale is None else {"scale": scale}))
    require(scale is None or math.isfinite(scale), f"scale {scale} must be finite")
    require_counts(block=block)


SMALL = ((1, 2, 2, 2), (1, 5, 1, 2), (1, 5, 1, 1))
dot_product_attention.cases = (
    Case("grouped", (*SMALL, (1, 1, 2, 5)), {"block": 2}),
    Case(
        "causal",
        ((2, 4, 4, 3), (2, 3, 2, 3), (2, 3, 2, 2), boolean_mask((2, 4, 1, 3))),
        {"causal": True, "block": 2, "scale": 1.5},
    ),
    Case("broadcast mask", ((2, 3, 4, 2), (2, 3, 2, 2), (2, 3, 2, 2), (2, 4, 1, 1)), {"block": 2}),
    Case(
        "scores far apart", (lambda rng: 1e3 * rng.standard_normal((1, 2, 2, 2)), *SMALL[1:], None)
    ),
    Case("no keys", ((1, 2, 1, 2), (1, 0, 1, 2), (1, 0, 1, 3), (1, 1, 2, 0))),
    Case("no queries", ((1, 0, 1, 2), (1, 3, 1, 2), (1, 3, 1, 2), None), {"block": 2}),
    Case("no examples", ((0, 2, 1, 2), (0, 3, 1, 2), (0, 3, 1, 2), None), {"block": 2}),
    *(extreme(name, *args, impl="plain") for name, args in (EXTREMES | CANCELLING).items()),
    *(
        extreme(f"{name}, in blocks", *args, impl="blocked", block=2)
        for name, args in EXTREMES.items()
    ),
    extreme("many keys", (1, 1, 1, 4), (1, 65520, 1, 4), (1, 65520, 1, 1), None),
    rejects("q .* and k .* differ in n or d", (1, 2, 2, 3), *SMALL[1:], None),
    rejects("k .* and v .* differ in n, s or g", *SMALL[:2], (1, 4, 1, 1), None),
    rejects("h 2 of q .* must be a multiple of g 3", SMALL[0], (1, 5, 3, 2), (1, 5, 3, 1), None),
    rejects(r"q \(2, 2, 2\) needs 4 axes", (2, 2, 2), *SMALL[1:], None),
    rejects("has no features", (1, 2, 2, 0), (1, 5, 1, 0), SMALL[2], None),
    rejects(r"mask \(1, 3, 2, 5\) must broadcast to", *SMALL, (1, 3, 2, 5)),
    rejects(r"mask \(2, 5\) needs 4 axes", *SMALL, (2, 5)),
    rejects("mask holds int32", *SMALL, ints((1, 1, 2, 5)), kind=TypeError),
    rejects("q holds int32", ints(SMALL[0]), *SMALL[1:], None, kind=TypeError),
    rejects("causal 1 must be True or False", *SMALL, None, causal=1, kind=TypeError),
    rejects("scale 'd' must be a number", *SMALL, None, scale="d", kind=TypeError),
    rejects("block 2.5 must be an integer", *SMALL, None, block=2.5, kind=TypeError),
    rejects("block 0 must be at least 1", *SMALL, None, block=0),
    rejects("unknown impl 'flash'; expected one of", *SMALL, None, impl="flash"),
)
dot_product_attention.torch_difference = (
    "torch gives NaN for a query that may not attend to any key, fcnn gives 0; the test has no "
    "such query"
)
