"""Attention: every query reads all values, each weighted by how well its key fits.

With queries t, keys s, and a mask that is -inf where t may not look,

    a[t,s]   = scale sum_d q[t,d] k[s,d] + mask[t,s]
    top[t]   = max_s a[t,s]                        e[t,s] = exp(a[t,s] - top[t])
    total[t] = sum_s e[t,s]
    p[t,s]   = e[t,s] / total[t]                   0 in a row that may look nowhere
    y[t,e]   = sum_s p[t,s] v[s,e]

Softmax has the Jacobian dp[t,s] / da[t,u] = p[t,s] ([s = u] - p[t,u]), so

    dv[s,e] = sum_t p[t,s] dy[t,e]                 dp[t,s] = sum_e dy[t,e] v[s,e]
    da[t,s] = p[t,s] (dp[t,s] - D[t])              D[t]    = sum_s p dp = sum_e y[t,e] dy[t,e]
    dq[t,d] = scale sum_s da[t,s] k[s,d]           dk[s,d] = scale sum_t da[t,s] q[t,d]
    dmask   = da, summed over the axes that the mask repeats; none for a mask of True and False

All of these are linear in dy, so that e serves for p where dz = dy / total does for dy:

    dv[s,e] = sum_t e[t,s] dz[t,e]                 de[t,s] = sum_e dz[t,e] v[s,e]
    da[t,s] = e[t,s] (de[t,s] - D[t] / total[t])

The arguments are saved, top and total: e is cheaper to compute again than to keep. top and total
stay apart, since log total is lost in L = top + log total where the scores are large: at |a| = 1e9
a float32 L is a multiple of 64, and exp(a - L) may be any multiple of p.

So the keys can come in blocks. What was read in two of them is put together by

    top = max(top1, top2)      c_i = exp(top_i - top)      (total, z) = sum_i c_i (total, z)_i

with z = sum_s e v; in the end y = z / total. "plain" takes all keys as one block. "blocked" loops
over many, and backward again, so that it never holds t s numbers. It needs D before, so it saves z
too: y is rounded once more, in half precision to few digits, and D must cancel with dp where one
key dominates. "plain" sums D = sum_s e de from that same de. total sums the e that v is multiplied
by, as short as v, so that y is a mean of values whatever e.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from fcnn.ops.activation.softmax import below
from fcnn.ops.attention.heads import by_group, by_head, cut, joined, joined_mask, summed
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import (
    require,
    require_counts,
    require_flags,
    require_floats,
    require_numbers,
)

SCORES = 2**20  # that "auto" holds at once; with more, "blocked" is faster too


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
    """Means of the values, weighted by the softmax of how well each query fits each key.

    Shapes: h is a multiple of g, and head i reads k and v of group i // (h / g). The mask
            (n or 1, h or 1, t or 1, s or 1) is True where a query may look, or is added to the
            scores. `causal` lets query t see keys 0 .. t, both counted from the start.
    Units:  y is in units of v; scores and an added mask are in nats. scale is 1 / sqrt(d) unless
            given.
    Raises: ValueError if shapes disagree; TypeError for integers. A query that may look nowhere
            gives 0, with gradient 0. What is hidden must be finite all the same.
    Cost:   n h t s (d + e) multiply-adds, 2.5 times that for the gradients; hidden keys cost the
            same. "plain" holds n h t s numbers, "blocked" n h t `block`. "auto" is "plain" up to a
            million scores; those of one example where n is symbolic.
    Source: Vaswani et al. 2017; groups: Ainslie et al. 2023; blocks: Dao et al. 2022.
    """
    how = {"causal": causal, "scale": scale, "block": block, "impl": impl}
    return dot_product_attention_fwd(q, k, v, mask, **how)[0]


@dot_product_attention.fwd
def dot_product_attention_fwd(q, k, v, mask, *, causal, scale, block, impl):
    rows, keys = by_group(q, k.shape[2]), cut(k, v, mask, q.shape[2], _length(q, k, block, impl))

    @jax.checkpoint  # else autodiff keeps the scores of every block
    def read(keys):
        a = _scores(rows, keys, k.shape[1], causal, _scale(scale, q))
        top = lax.stop_gradient(a.max(-1, keepdims=True))
        e = jnp.exp(below(a, _finite(top)))
        short = _short(e, v.dtype)
        return top, short.astype(e.dtype).sum(-1, keepdims=True), _sum(short, keys.v, (4,), (2,))

    def join(one, two):
        top = jnp.maximum(one[0], two[0])
        c1, c2 = (jnp.exp(part[0] - _finite(top)) for part in (one, two))
        return top, *(c1 * a + c2 * b for a, b in zip(one[1:], two[1:], strict=True))

    top, total, z = read(jax.tree.map(lambda a: a[0], keys))
    others = jax.tree.map(lambda a: a[1:], keys)
    if len(others.cell):
        step = lambda seen, keys: (join(seen, read(keys)), None)
        (top, total, z), _ = lax.scan(step, (top, total, z), others)
    some = jnp.where(total > 0, total, jnp.ones_like(total))
    y = by_head(z / some).astype(q.dtype)
    return y, (q, k, v, mask, _finite(top), some, z if len(others.cell) else None)


@dot_product_attention.bwd
def dot_product_attention_bwd(saved, dy, *, causal, scale, block, impl):
    q, k, v, mask, top, total, z = saved
    rows, keys = by_group(q, k.shape[2]), cut(k, v, mask, q.shape[2], _length(q, k, block, impl))
    scale, dtype = _scale(scale, q), q.dtype
    dz = _short(by_group(dy, k.shape[2]).astype(total.dtype) / total, dtype)
    by_z = None if z is None else (z * dz.astype(z.dtype)).sum(-1, keepdims=True) / total

    @jax.checkpoint
    def read(dq, keys):
        e = jnp.exp(below(_scores(rows, keys, k.shape[1], causal, scale), top))
        de = _sum(dz, keys.v, (4,), (3,))
        D = (e * de).sum(-1, keepdims=True) / total if by_z is None else by_z
        da = e * (de - D)
        short = _short(da, dtype)
        dq = dq + scale * _sum(short, keys.k, (4,), (2,))
        dk = scale * _sum(short, rows, (2, 3), (2, 3))
        dv = _sum(_short(e, dtype), dz, (2, 3), (2, 3))
        return dq, (dk, dv, None if added(mask) is None else summed(da, keys.mask))

    start = jnp.zeros_like(dz, accumulation_dtype(dtype), rows.shape)
    dq, (dk, dv, dmask) = lax.scan(read, start, keys)
    dk, dv = (joined(a, k.shape[1]).astype(dtype) for a in (dk, dv))
    dmask = None if added(mask) is None else joined_mask(dmask, mask.shape).astype(dtype)
    return by_head(dq).astype(dtype), dk, dv, dmask


def _short(a, dtype):
    """a in bfloat16 if that is the dtype, as products are faster then; float16 has no room for a.

    Its range is a billionth of float32's, and what the products are summed to may fit.
    """
    return a.astype(dtype) if dtype == jnp.bfloat16 else a


def _scores(rows, keys, s, causal, scale):
    """a for some keys, (n, g, r, t, l); -inf for those that may not be seen."""
    a = scale * _sum(rows, keys.k, (4,), (3,))
    cell = keys.cell.reshape(1, 1, 1, 1, -1)
    seen = cell < s
    if causal:
        seen = seen & (cell <= lax.broadcasted_iota(cell.dtype, (1, 1, 1, rows.shape[3], 1), 3))
    if added(keys.mask) is not None:
        a = a + keys.mask.astype(a.dtype)
    elif keys.mask is not None:
        seen = seen & keys.mask
    return jnp.where(seen, a, -jnp.inf)


def _sum(a, b, over_a, over_b):
    """Sum a * b over these axes, for each n and g; no shorter than float32, or than a."""
    dims = ((over_a, over_b), ((0, 1), (0, 1)))
    return lax.dot_general(
        a, b.astype(a.dtype), dims, preferred_element_type=accumulation_dtype(a.dtype)
    )


def added(mask: Array | None) -> Array | None:
    """The mask if it is added to the scores, None if it is one of True and False."""
    return None if mask is None or mask.dtype == bool else mask


def _finite(top):
    """top, or 0 where there was nothing to see: -inf - -inf is NaN."""
    return jnp.where(jnp.isfinite(top), top, 0)


def _scale(scale, q):
    return 1 / math.sqrt(q.shape[3]) if scale is None else scale


def _length(q, k, block, impl):
    """How many keys are read at once."""
    (n, t, h, _), s = q.shape, k.shape[1]
    n = n if isinstance(n, int) else 1  # symbolic: decided by one example
    plain = impl == "plain" or (impl == "auto" and n * h * t * s <= SCORES)
    return max(1, s if plain else min(s, block))


dot_product_attention.choose_from("plain", "blocked")


@dot_product_attention.validate
def _validate(q, k, v, mask, *, causal, scale, block, impl):
    name = "dot_product_attention"
    require_floats(name, q=q, k=k, v=v)
    for letter, a in {"q": q, "k": k, "v": v}.items():
        require(a.ndim == 4, f"{name}: {letter} {a.shape} needs 4 axes")
    (n, t, h, d), (_, s, g, _) = q.shape, k.shape
    require(k.shape == (n, s, g, d), f"{name}: q {q.shape} and k {k.shape} differ in n or d")
    require(v.shape[:3] == (n, s, g), f"{name}: k {k.shape} and v {v.shape} differ in n, s or g")
    require(d > 0, f"{name}: q {q.shape} has no features")
    require(g > 0 and h % g == 0, f"{name}: h {h} must be a multiple of the g {g} of k {k.shape}")
    require_mask(name, mask, q, (n, h, t, s))
    require_flags(name, causal=causal)
    require_numbers(name, **({} if scale is None else {"scale": scale}))
    require(scale is None or math.isfinite(scale), f"{name}: scale {scale} must be finite")
    require_counts(name, block=block)


def require_mask(name: str, mask: Array | None, q: Array, scores: tuple) -> None:
    """Raise unless `mask` is of booleans, or floats as q is, and can be repeated to the scores'
    shape, (n, h, t, s)."""
    if mask is not None:
        if jnp.issubdtype(mask.dtype, jnp.integer):
            raise TypeError(f"{name}: mask holds {mask.dtype}; write mask.astype(bool)")
        require_floats(name, q=q, mask=added(mask))
        require(mask.ndim == 4, f"{name}: mask {mask.shape} needs 4 axes, (n, h, t, s) or 1 each")
        fits = all(m in (1, size) for m, size in zip(mask.shape, scores, strict=True))
        require(fits, f"{name}: mask {mask.shape} needs 1 or its entry of {scores} along each axis")


def _looks(shape):
    """A mask of True and False: mostly True, and the first query of all looks nowhere."""

    def draw(rng):
        mask = rng.random(shape) < 0.7
        mask[..., 0, :] = False
        return mask

    return draw


def _whole(shape, size=1.0):
    """Small whole numbers times a power of 2, so that scores are exact in every dtype."""
    return lambda rng: size * rng.integers(-3, 4, shape)


def _extremes():
    """Arguments by name: scores and masks at their limits.

    And those where dp - D all but cancels. The sums of "blocked" round D otherwise than dp. There
    it is up to four times as far off as autodiff is, both far more than one rounding.
    """
    q, k, v, m = (1, 3, 2, 4), (1, 5, 1, 4), (1, 5, 1, 2), (1, 1, 3, 5)
    full = lambda value: lambda rng: np.full(m, value)
    some = lambda value: lambda rng: np.where(np.indices(m)[-1] % 2, value, 0.0)
    mild = _whole(q), _whole(k), v
    cancelling = {
        "far from 0": (_whole(q), lambda rng: 64 + _whole(k)(rng), v, full(0.0)),
        "one key dominates": (lambda rng: 4 + _whole(q)(rng), _whole(k), v, full(0.0)),
    }
    nothing = lambda rng: np.where(np.indices(m)[2] == 1, -np.inf, 0)
    others = {
        "huge scores": (_whole(q, 2.0**14), _whole(k, 2.0**14), v, full(0.0)),
        "one query sees nothing": (*mild, nothing),
    }
    for value in (-1e9, -np.inf, -1.7e308):
        others[f"some masked by {value:g}"] = (*mild, some(value))
    for value in (-1e9, -1.7e308):
        others[f"all masked by {value:g}"] = (normals(q, 0), k, v, full(value))
    return others, cancelling


EXTREMES, CANCELLING = _extremes()
SMALL = ((1, 2, 2, 2), (1, 5, 1, 2), (1, 5, 1, 1))
dot_product_attention.cases = (
    Case("grouped", (*SMALL, (1, 1, 2, 5)), {"block": 2}),
    Case(
        "causal",
        ((2, 4, 4, 3), (2, 3, 2, 3), (2, 3, 2, 2), _looks((2, 4, 1, 3))),
        {"causal": True, "block": 2, "scale": 1.5},
    ),
    Case("wide mask", ((2, 3, 4, 2), (2, 3, 2, 2), (2, 3, 2, 2), (2, 4, 1, 1)), {"block": 2}),
    Case("far apart", (lambda rng: 1e3 * rng.standard_normal((1, 2, 2, 2)), *SMALL[1:], None)),
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
    rejects("h 2 must be a multiple of the g 3", SMALL[0], (1, 5, 3, 2), (1, 5, 3, 1), None),
    rejects(r"q \(2, 2, 2\) needs 4 axes", (2, 2, 2), *SMALL[1:], None),
    rejects("has no features", (1, 2, 2, 0), (1, 5, 1, 0), SMALL[2], None),
    rejects(r"mask \(1, 3, 2, 5\) needs 1 or its entry", *SMALL, (1, 3, 2, 5)),
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
    "gives NaN where a query may look nowhere, here 0: such rows are left out"
)
