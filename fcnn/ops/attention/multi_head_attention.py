"""Multi-head attention: projections to queries, keys and values, attention, output projection.

    q[t,h,d] = bq[h,d] + sum_c x[t,c] wq[c,h,d]        k from the context, v from the values
    z        = dot_product_attention(q, k, v)          p = attention_weights(q, k), if asked for
    y[t,o]   = bo[o] + sum_{h,e} z[t,h,e] wo[h,e,o]

The backward pass applies the gradients of the four dense maps and of attention, from last to first:

    dy -> dz, dwo, dbo     dz, dp -> dq, dk, dv, dmask     dq -> dx, dwq, dbq     dk, dv likewise

z and p share q, k and the mask, so their gradients are summed. The gradients of the context through
k and v are summed where the values are the context. In self-attention the context is x, and this
sum is added to dx. The residuals of the operators are saved. bk adds the same number to all scores
of one query and head, so its gradient is 0 up to rounding.
"""

from jaxtyping import Array, Bool, Float, Integer

from fcnn.ops.attention.attention_weights import attention_weights
from fcnn.ops.attention.dot_product_attention import dot_product_attention
from fcnn.ops.attention.draws import LENGTHS, OFFSET
from fcnn.ops.attention.mask import require_band, require_mask, require_of_examples
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.dense import dense
from fcnn.ops.op import Shape, operator
from fcnn.ops.validation import require, require_flags, require_floats

AUTO = {"block": 128, "impl": "auto"}


@operator()
def multi_head_attention(
    x: Float[Array, "n t c"],
    wq: Float[Array, "c h d"],
    wk: Float[Array, "j g d"],
    wv: Float[Array, "m g e"],
    wo: Float[Array, "h e o"],
    bq: Float[Array, "h d"] | None = None,
    bk: Float[Array, "g d"] | None = None,
    bv: Float[Array, "g e"] | None = None,
    bo: Float[Array, " o"] | None = None,
    context: Float[Array, "n s j"] | None = None,
    values: Float[Array, "n s m"] | None = None,
    mask: Bool[Array, "#n #h #t #s"] | Float[Array, "#n #h #t #s"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    offset: Integer[Array, " n"] | None = None,
    *,
    causal: bool = False,
    window: int | None = None,
    softcap: float | None = None,
    weights: bool = False,
) -> Float[Array, "n t o"] | tuple[Float[Array, "n t o"], Float[Array, "n h t s"]]:
    """Multi-head attention of x to itself or to a context; heads may share keys and values.

    Shapes: x (n, t, c), wq (c, h, d), wk (j, g, d), wv (m, g, e), wo (h, e, o), bq (h, d),
            bk (g, d), bv (g, e), bo (o,), context (n, s, j), values (n, s, m), mask (n, h, t, s)
            or 1 along any axis, lengths (n,), offset (n,) -> y (n, t, o); with `weights`, y and
            p (n, h, t, s). The number of heads h is a multiple of the number of groups g. Keys are
            made of the context, which is x if None; values of `values`, which are the context if
            None. Biases are 0 if None. mask, lengths and offset are as in `dot_product_attention`.
            y is bo for a query that may not attend to any key.
    Options:
        causal: whether a query attends only to keys up to its own position.
        window: a query at position p attends only to keys with |key - p| < window.
        softcap: bound of the scores, softcap tanh(score / softcap), before the mask; None for none.
        weights: whether to return the weights p of `attention_weights` too.
    Units:  y and bo are in units of x times wv times wo; scores are in nats.
    Raises: ValueError if shapes disagree, softcap is not positive, or window < 1; TypeError if the
            mask holds neither booleans nor floats, lengths or offset do not hold integers, or
            another argument does not hold floats.
    Cost:   n t c h d + n s g (j d + m e) + n h t s (d + e) + n t h e o multiply-adds forward, and 2
            to 2.5 times as many backward. `weights` adds n h t s d forward.
    Source: Vaswani et al. 2017; gradients: the chain rule.

    >>> x, one = jnp.array([4.0, 8.0, 0.0]).reshape(1, 3, 1), jnp.ones((1, 1, 1))
    >>> y = fcnn.multi_head_attention(x, 0 * one, one, one, one, causal=True)  # equal scores
    >>> y.ravel()  # means of x up to each step
    Array([4., 6., 4.], dtype=float32)
    """
    arrays = (x, wq, wk, wv, wo, bq, bk, bv, bo, context, values, mask, lengths, offset)
    options = {"causal": causal, "window": window, "softcap": softcap, "weights": weights}
    return multi_head_attention_fwd(*arrays, **options)[0]


@multi_head_attention.fwd
def multi_head_attention_fwd(
    x, wq, wk, wv, wo, bq, bk, bv, bo, context, values, mask, lengths, offset, *, weights, **band
):
    of_k = x if context is None else context
    q, saved_q = _to_heads(x, wq, bq)
    k, saved_k = _to_heads(of_k, wk, bk)
    v, saved_v = _to_heads(of_k if values is None else values, wv, bv)
    hidden, band = (mask, lengths, offset), band | {"scale": None}
    z, saved_z = dot_product_attention.fwd_rule(q, k, v, *hidden, **band, **AUTO)
    y, saved_y = dense.fwd_rule(_flat(z), wo.reshape(-1, wo.shape[2]), bo)
    out, saved_p = y, None
    if weights:
        p, saved_p = attention_weights.fwd_rule(q, k, *hidden, **band)
        out = y, p
    saved = (saved_q, saved_k, saved_v, saved_z, saved_p, saved_y, context, values, Shape(wo.shape))
    return out, saved


@multi_head_attention.bwd
def multi_head_attention_bwd(saved, dout, *, weights, **band):
    saved_q, saved_k, saved_v, saved_z, saved_p, saved_y, context, values, shape = saved
    dy, dp = dout if weights else (dout, None)
    (n, t, _), (h, e, o), band = dy.shape, shape, band | {"scale": None}
    dz, dwo, dbo = dense.bwd_rule(saved_y, dy)
    dz = dz.reshape(n, t, h, e)
    dq, dk, dv, dmask, *_ = dot_product_attention.bwd_rule(saved_z, dz, **band, **AUTO)
    if weights:
        through_p = attention_weights.bwd_rule(saved_p, dp, **band)
        dq, dk, dmask = (
            a if b is None else a + b for a, b in zip((dq, dk, dmask), through_p[:3], strict=True)
        )
    dx, dwq, dbq = _from_heads(saved_q, dq)
    dcontext, dwk, dbk = _from_heads(saved_k, dk)
    dvalues, dwv, dbv = _from_heads(saved_v, dv)
    if values is None:
        dcontext, dvalues = dcontext + dvalues, None
    if context is None:
        dx, dcontext = dx + dcontext, None
    dwo = dwo.reshape(h, e, o)
    return dx, dwq, dwk, dwv, dwo, dbq, dbk, dbv, dbo, dcontext, dvalues, dmask, None, None


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
def _validate(
    x,
    wq,
    wk,
    wv,
    wo,
    bq,
    bk,
    bv,
    bo,
    context,
    values,
    mask,
    lengths,
    offset,
    *,
    causal,
    window,
    softcap,
    weights,
):
    kernels = {"wq": wq, "wk": wk, "wv": wv, "wo": wo}
    biases = {"bq": bq, "bk": bk, "bv": bv, "bo": bo}
    require_floats(x=x, **kernels, **biases, context=context, values=values)
    given = {"x": x, "context": context, "values": values}
    given = {letter: a for letter, a in given.items() if a is not None}
    for letter, a in (given | kernels).items():
        require(a.ndim == 3, f"{letter} {a.shape} needs 3 axes")
    for letter, a in kernels.items():
        require(0 not in a.shape, f"{letter} {a.shape} must not be empty")
    of_k = "x" if context is None else "context"
    of_v = of_k if values is None else "values"
    n, t, _ = x.shape
    (_, h, d), (_, g, _), e, s = wq.shape, wk.shape, wv.shape[2], given[of_k].shape[1]
    for letter, a in given.items():
        require(a.shape[0] == n, f"x {x.shape} and {letter} {a.shape} differ in n")
    one, two = given[of_k].shape, given[of_v].shape
    require(two[1] == s, f"{of_k} {one} and {of_v} {two} differ in s")
    for letter, of in (("wq", "x"), ("wk", of_k), ("wv", of_v)):
        a, w = given[of], kernels[letter]
        has = f"{of} {a.shape} has {a.shape[2]} features"
        require(a.shape[2] == w.shape[0], f"{has} but {letter} {w.shape} takes {w.shape[0]}")
    require(wk.shape[2] == d, f"wq {wq.shape} and wk {wk.shape} differ in d")
    require(wv.shape[1] == g, f"wk {wk.shape} and wv {wv.shape} differ in groups")
    require(wo.shape[:2] == (h, e), f"wo {wo.shape} needs shape {(h, e, wo.shape[2])}")
    require(h % g == 0, f"{h} heads must be a multiple of {g} groups")
    for (letter, b), w in zip(biases.items(), kernels.values(), strict=True):
        needed = w.shape[2:] if letter == "bo" else w.shape[1:]
        shape = needed if b is None else b.shape
        require(shape == needed, f"{letter} {shape} needs shape {needed}")
    require_mask(mask, x, (n, h, t, s))
    require_of_examples(n, lengths=lengths, offset=offset)
    require_band(causal, window, softcap)
    require_flags(weights=weights)


X, WEIGHTS, ABSENT = (1, 3, 3), ((3, 2, 2), (3, 1, 2), (3, 1, 1), (2, 1, 2)), (None,) * 4
BIASES, CONTEXT = ((2, 2), (1, 2), (1, 1), (2,)), ((3, 2, 2), (4, 1, 2), (4, 1, 1), (2, 1, 2))
SELF = (None,) * 5  # context, values, mask, lengths, offset
multi_head_attention.cases = (
    Case("self-attention", (X, *WEIGHTS, (2, 2), None, (1, 1), (2,), *SELF), {"causal": True}),
    Case("context", (X, *CONTEXT, *BIASES, (1, 4, 4), None, (1, 1, 3, 4), None, None)),
    Case("without biases", ((2, 3, 3), *WEIGHTS, *ABSENT, *SELF)),
    Case(
        "values and weights",
        (
            (3, 2, 3),
            *(*CONTEXT[:2], (5, 1, 1), CONTEXT[3], *BIASES),
            *((3, 4, 4), (3, 4, 5), (3, 2, 1, 4), LENGTHS, OFFSET),
        ),
        {"causal": True, "window": 3, "softcap": 0.7, "weights": True},
    ),
    Case("weights", (X, *WEIGHTS, *ABSENT, *SELF), {"weights": True}),
    Case("no examples", ((0, 3, 3), *WEIGHTS, *BIASES, *SELF)),
    *(
        extreme(name, normals(X, size), *WEIGHTS, *ABSENT, None, None, (1, 1, 3, 3), None, None)
        for name, size in (("one key dominates", 20), ("huge", 1e4), ("tiny", 1e-6))
    ),
    rejects(r"x \(3, 3\) needs 3 axes", (3, 3), *WEIGHTS, *ABSENT, *SELF),
    rejects("x .* has 4 features but wq .* takes 3", (1, 3, 4), *WEIGHTS, *ABSENT, *SELF),
    rejects("context .* has 3 features but wk .* takes 4", X, *CONTEXT, *ABSENT, X, *SELF[1:]),
    rejects("x .* and context .* differ in n", X, *WEIGHTS, *ABSENT, (2, 3, 3), *SELF[1:]),
    rejects("x .* and values .* differ in s", X, *WEIGHTS, *ABSENT, None, (1, 4, 3), *SELF[2:]),
    rejects("values .* has 5 features but wv", X, *WEIGHTS, *ABSENT, X, (1, 3, 5), *SELF[2:]),
    rejects("wq .* and wk .* differ in d", X, (3, 2, 3), *WEIGHTS[1:], *ABSENT, *SELF),
    rejects(
        "wk .* and wv .* differ in groups",
        *(X, *WEIGHTS[:2], (3, 2, 1), WEIGHTS[3], *ABSENT, *SELF),
    ),
    rejects(r"wo .* needs shape \(2, 1, 2\)", X, *WEIGHTS[:3], (2, 2, 2), *ABSENT, *SELF),
    rejects(
        "3 heads must be a multiple of 2",
        *(X, (3, 3, 2), (3, 2, 2), (3, 2, 1), (3, 1, 2), *ABSENT, *SELF),
    ),
    rejects(r"bk \(2,\) needs shape \(1, 2\)", X, *WEIGHTS, None, (2,), None, None, *SELF),
    rejects(
        r"mask .* must broadcast to", X, *WEIGHTS, *ABSENT, None, None, (1, 2, 3, 4), None, None
    ),
    rejects("wo .* must not be empty", X, *WEIGHTS[:3], (2, 1, 0), *ABSENT, *SELF),
    rejects("causal 1 must", X, *WEIGHTS, *ABSENT, *SELF, causal=1, kind=TypeError),
    rejects("weights 1 must", X, *WEIGHTS, *ABSENT, *SELF, weights=1, kind=TypeError),
    rejects("window 0 must", X, *WEIGHTS, *ABSENT, *SELF, window=0),
    rejects("x holds int32", ints(X), *WEIGHTS, *ABSENT, *SELF, kind=TypeError),
)
