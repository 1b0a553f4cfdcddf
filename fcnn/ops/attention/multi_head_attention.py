"""Multi-head attention: projections to queries, keys and values, attention, output projection.

    q[t,h,d] = bq[h,d] + sum_c x[t,c] wq[c,h,d]        k and v likewise, from the context
    z        = dot_product_attention(q, k, v)
    y[t,o]   = bo[o] + sum_{h,e} z[t,h,e] wo[h,e,o]

The backward pass applies the gradients of the four dense maps and of attention, from last to first:

    dy -> dz, dwo, dbo      dz -> dq, dk, dv, dmask      dq -> dx, dwq, dbq      and dk, dv likewise

The gradients of the context through k and v are summed. In self-attention the context is x, and
this sum is added to dx. The residuals of the five operators are saved. bk adds the same number to
all scores of one query and head, so its gradient is 0 up to rounding.
"""

from jaxtyping import Array, Bool, Float

from fcnn.ops.attention.dot_product_attention import dot_product_attention
from fcnn.ops.attention.mask import require_mask
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.dense import dense
from fcnn.ops.op import Shape, operator
from fcnn.ops.validation import require, require_flags, require_floats

AUTO = {"scale": None, "block": 128, "impl": "auto"}


@operator()
def multi_head_attention(
    x: Float[Array, "n t c"],
    wq: Float[Array, "c h d"],
    wk: Float[Array, "j g d"],
    wv: Float[Array, "j g e"],
    wo: Float[Array, "h e o"],
    bq: Float[Array, "h d"] | None = None,
    bk: Float[Array, "g d"] | None = None,
    bv: Float[Array, "g e"] | None = None,
    bo: Float[Array, " o"] | None = None,
    context: Float[Array, "n s j"] | None = None,
    mask: Bool[Array, "#n #h #t #s"] | Float[Array, "#n #h #t #s"] | None = None,
    *,
    causal: bool = False,
) -> Float[Array, "n t o"]:
    """Multi-head attention of x to itself or to a context; heads may share keys and values.

    Shapes: x (n, t, c), wq (c, h, d), wk (j, g, d), wv (j, g, e), wo (h, e, o), bq (h, d),
            bk (g, d), bv (g, e), bo (o,), context (n, s, j), mask (n, h, t, s) or 1 along any axis
            -> y (n, t, o). The number of heads h is a multiple of the number of groups g. The
            context is x if None. Biases are 0 if None. A boolean mask is True where a query may
            attend. A mask of floats is added to the scores. y is bo for a query that may not attend
            to any key.
    Options:
        causal: whether query t attends to keys 0 .. t only; queries and keys are numbered from 0.
    Units:  y and bo are in units of x times wv times wo; scores are in nats.
    Raises: ValueError if shapes disagree; TypeError if the mask holds neither booleans nor floats,
            or another argument does not hold floats.
    Cost:   n t c h d + n s j g (d + e) + n h t s (d + e) + n t h e o multiply-adds forward, and 2
            to 2.5 times as many backward.
    Source: Vaswani et al. 2017; gradients: the chain rule.

    >>> x, one = jnp.array([4.0, 8.0, 0.0]).reshape(1, 3, 1), jnp.ones((1, 1, 1))
    >>> y = fcnn.multi_head_attention(x, 0 * one, one, one, one, causal=True)  # equal scores
    >>> y.ravel()  # means of x up to each step
    Array([4., 6., 4.], dtype=float32)
    """
    arrays = (x, wq, wk, wv, wo, bq, bk, bv, bo, context, mask)
    return multi_head_attention_fwd(*arrays, causal=causal)[0]


@multi_head_attention.fwd
def multi_head_attention_fwd(x, wq, wk, wv, wo, bq, bk, bv, bo, context, mask, *, causal):
    source = x if context is None else context
    q, saved_q = _to_heads(x, wq, bq)
    k, saved_k = _to_heads(source, wk, bk)
    v, saved_v = _to_heads(source, wv, bv)
    z, saved_z = dot_product_attention.fwd_rule(q, k, v, mask, causal=causal, **AUTO)
    y, saved_y = dense.fwd_rule(_flat(z), wo.reshape(-1, wo.shape[2]), bo)
    return y, (saved_q, saved_k, saved_v, saved_z, saved_y, context, Shape(wo.shape))


@multi_head_attention.bwd
def multi_head_attention_bwd(saved, dy, *, causal):
    saved_q, saved_k, saved_v, saved_z, saved_y, context, shape = saved
    (n, t, _), (h, e, o) = dy.shape, shape
    dz, dwo, dbo = dense.bwd_rule(saved_y, dy)
    options = {"causal": causal, **AUTO}
    dq, dk, dv, dmask = dot_product_attention.bwd_rule(saved_z, dz.reshape(n, t, h, e), **options)
    dx, dwq, dbq = _from_heads(saved_q, dq)
    dsource, dwk, dbk = _from_heads(saved_k, dk)
    dsource_v, dwv, dbv = _from_heads(saved_v, dv)
    dsource = dsource + dsource_v
    dx, dcontext = (dx + dsource, None) if context is None else (dx, dsource)
    dwo = dwo.reshape(h, e, o)
    return dx, dwq, dwk, dwv, dwo, dbq, dbk, dbv, dbo, dcontext, dmask


def _to_heads(x, w, b):
    """x (n, t, c) times w (c, h, d), plus b (h, d) -> (n, t, h, d)."""
    y, saved = dense.fwd_rule(x, w.reshape(w.shape[0], -1), None if b is None else b.reshape(-1))
    return y.reshape(*x.shape[:2], *w.shape[1:]), saved


def _from_heads(saved, dy):
    """The gradients of x, w and b from dy (n, t, h, d)."""
    dx, dw, db = dense.bwd_rule(saved, _flat(dy))
    heads = dy.shape[2:]
    return dx, dw.reshape(-1, *heads), None if db is None else db.reshape(heads)


def _flat(a):
    """(n, t, h, d) -> (n, t, h d)."""
    n, t, h, d = a.shape
    return a.reshape(n, t, h * d)


@multi_head_attention.validate
def _validate(x, wq, wk, wv, wo, bq, bk, bv, bo, context, mask, *, causal):
    weights = {"wq": wq, "wk": wk, "wv": wv, "wo": wo}
    biases = {"bq": bq, "bk": bk, "bv": bv, "bo": bo}
    require_floats(x=x, **weights, **biases, context=context)
    for letter, a in {"x": x, "context": x if context is None else context, **weights}.items():
        require(a.ndim == 3, f"{letter} {a.shape} needs 3 axes")
    for letter, a in weights.items():
        require(0 not in a.shape, f"{letter} {a.shape} must not be empty")
    n, t, _ = x.shape
    source_name, source = ("x", x) if context is None else ("context", context)
    (_, h, d), (_, g, _), e = wq.shape, wk.shape, wv.shape[2]
    require(source.shape[0] == n, f"x {x.shape} and context {source.shape} differ in n")
    inputs = ("x", x, "wq"), (source_name, source, "wk"), (source_name, source, "wv")
    for input_name, a, letter in inputs:
        w = weights[letter]
        has = f"{input_name} {a.shape} has {a.shape[2]} features"
        require(a.shape[2] == w.shape[0], f"{has} but {letter} {w.shape} takes {w.shape[0]}")
    require(wk.shape[2] == d, f"wq {wq.shape} and wk {wk.shape} differ in d")
    require(wv.shape[1] == g, f"wk {wk.shape} and wv {wv.shape} differ in groups")
    require(wo.shape[:2] == (h, e), f"wo {wo.shape} needs shape {(h, e, wo.shape[2])}")
    require(h % g == 0, f"{h} heads must be a multiple of {g} groups")
    for (letter, b), w in zip(biases.items(), weights.values(), strict=True):
        needed = w.shape[2:] if letter == "bo" else w.shape[1:]
        shape = needed if b is None else b.shape
        require(shape == needed, f"{letter} {shape} needs shape {needed}")
    require_mask(mask, x, (n, h, t, source.shape[1]))
    require_flags(causal=causal)


X, WEIGHTS, ABSENT = (1, 3, 3), ((3, 2, 2), (3, 1, 2), (3, 1, 1), (2, 1, 2)), (None,) * 4
BIASES, CONTEXT = ((2, 2), (1, 2), (1, 1), (2,)), ((3, 2, 2), (4, 1, 2), (4, 1, 1), (2, 1, 2))
multi_head_attention.cases = (
    Case("self-attention", (X, *WEIGHTS, (2, 2), None, (1, 1), (2,), None, None), {"causal": True}),
    Case("context", (X, *CONTEXT, *BIASES, (1, 4, 4), (1, 1, 3, 4))),
    Case("without biases", ((2, 3, 3), *WEIGHTS, *ABSENT, None, None)),
    Case("no examples", ((0, 3, 3), *WEIGHTS, *BIASES, None, None)),
    *(
        extreme(name, normals(X, size), *WEIGHTS, *ABSENT, None, (1, 1, 3, 3))
        for name, size in (("one key dominates", 20), ("huge", 1e4), ("tiny", 1e-6))
    ),
    rejects(r"x \(3, 3\) needs 3 axes", (3, 3), *WEIGHTS, *ABSENT, None, None),
    rejects("x .* has 4 features but wq .* takes 3", (1, 3, 4), *WEIGHTS, *ABSENT, None, None),
    rejects("context .* has 3 features but wk .* takes 4", X, *CONTEXT, *ABSENT, X, None),
    rejects("x .* and context .* differ in n", X, *WEIGHTS, *ABSENT, (2, 3, 3), None),
    rejects("wq .* and wk .* differ in d", X, (3, 2, 3), *WEIGHTS[1:], *ABSENT, None, None),
    rejects(
        "wk .* and wv .* differ in groups",
        X,
        *WEIGHTS[:2],
        (3, 2, 1),
        WEIGHTS[3],
        *ABSENT,
        None,
        None,
    ),
    rejects(r"wo .* needs shape \(2, 1, 2\)", X, *WEIGHTS[:3], (2, 2, 2), *ABSENT, None, None),
    rejects(
        "3 heads must be a multiple of 2",
        X,
        (3, 3, 2),
        (3, 2, 2),
        (3, 2, 1),
        (3, 1, 2),
        *ABSENT,
        None,
        None,
    ),
    rejects(r"bk \(2,\) needs shape \(1, 2\)", X, *WEIGHTS, None, (2,), None, None, None, None),
    rejects(r"mask .* must broadcast to", X, *WEIGHTS, *ABSENT, None, (1, 2, 3, 4)),
    rejects("wo .* must not be empty", X, *WEIGHTS[:3], (2, 1, 0), *ABSENT, None, None),
    rejects("causal 1 must", X, *WEIGHTS, *ABSENT, None, None, causal=1, kind=TypeError),
    rejects("x holds int32", ints(X), *WEIGHTS, *ABSENT, None, None, kind=TypeError),
)
