"""Multi-head attention as a layer: projections, rotary embedding, attention, a decoding cache.

Without cache, the keys and values are those of x, or of a context. With a cache, in which
`position[n]` steps are stored, step t of x has position p = position[n] + t:

    cache k[n,p] = key of x[n,t]        cache v[n,p] = value of x[n,t]
    y[n,t]       = attention of query t to the keys 0 .. p of the cache
"""

from typing import Any

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.layers import initializers
from fcnn.layers.cache import advanced, place, start_of
from fcnn.layers.call import Call, Plan, require_padding
from fcnn.layers.initializers import Initializer
from fcnn.layers.layer import Layer
from fcnn.layers.leaf import with_state
from fcnn.ops.attention.mask import require_band
from fcnn.ops.sharding import of_batch, replicated
from fcnn.ops.validation import named, require, require_counts, require_numbers


def multi_head_attention(
    heads: int,
    *,
    features: int | None = None,
    groups: int | None = None,
    causal: bool = False,
    window: int | None = None,
    softcap: float | None = None,
    rotary: float | None = None,
    rotary_features: int | None = None,
    context: str | None = None,
    bias: bool = True,
    w_init: Initializer = initializers.glorot,
) -> Layer:
    """Multi-head attention of x to itself, or to a context, with its parameters.

    o is `features`, d is o / heads, and j is the number of features of x or of the context.

    Shapes: x (n, t, c) -> y (n, t, o); params: wq (c, heads, d), wk and wv (j, groups, d),
            wo (heads, d, o), bq (heads, d), bk and bv (groups, d), bo (o,).
            Reads: mask (n, t) or lengths (n,), for x with padding; attention_mask (n, h, t, s) or
            1 along any axis; positions (t,) or (n, t) for `rotary`.
            With `context="context"` instead: context (n, s, j), context_mask (n, s),
            context_lengths (n,). Cache: k and v (n, length, groups, d), position (n,).
    Options:
        heads: number of heads; divides o.
        features: o, the width of the output and of all heads together; c if None.
        groups: number of heads of keys and values; divides `heads`; `heads` if None.
        causal: whether a position attends only to itself and to earlier positions.
        window: number of positions that a position attends to in each direction, itself included.
        softcap: bound of the scores: softcap tanh(score / softcap); None for no bound.
        rotary: base of the rotary position embedding of queries and keys, such as 10000.0.
        rotary_features: number of leading features of each head that are rotated; all if None.
        context: name of the input that keys and values are made of; None for x.
        bias: whether the four projections have biases, which start at 0.
        w_init: initializer of the four kernels, each drawn as a matrix.
    Raises: ValueError if `heads` does not divide o, or `groups` does not divide `heads`, or if the
            context is missing.
    Source: Vaswani et al., arXiv:1706.03762; groups: Ainslie et al., arXiv:2305.13245.

    >>> attention = fcnn.layers.multi_head_attention(2, causal=True, rotary=10000.0)
    >>> params, state = attention.init(jax.random.key(0), (5, 4))
    >>> x = jax.random.normal(jax.random.key(1), (1, 5, 4))
    >>> whole, _ = attention.apply(params, state, x)
    >>> cache = attention.init_cache(state, (5, 4), batch_size=1, length=5)
    >>> first, cache = attention.apply(params, cache, x[:, :3])
    >>> rest, cache = attention.apply(params, cache, x[:, 3:])
    >>> bool(jnp.allclose(jnp.concatenate([first, rest], 1), whole, atol=1e-6))
    True
    """
    groups = heads if groups is None else groups
    with named("multi_head_attention"):
        require_counts(heads=heads, groups=groups)
        if not (context is None or isinstance(context, str)):
            raise TypeError(f"context {context!r:.60} is not a name; write context='context'")
        require(heads % groups == 0, f"groups {groups} does not divide {heads} heads")
        require(
            context is None or rotary is None,
            "rotary embedding needs positions of one sequence; leave out rotary or context",
        )
        require(not (context and causal), "a context has no causal order; leave out causal")
        require_band(causal, window, softcap)
        require_numbers(**({} if rotary is None else {"rotary": rotary}))
    attend = {"causal": causal, "window": window, "softcap": softcap}

    def init(key, x, plan):
        source = _source(plan, x, context)
        c, j = x.shape[-1], source.shape[-1]
        o = c if features is None else features
        require(o % heads == 0, f"heads {heads} does not divide {o} features")
        d = o // heads
        draw = lambda key, c, h: w_init(key, (c, h * d)).reshape(c, h, d)
        q, k, v, out = jax.random.split(key, 4)
        weights = {"wq": draw(q, c, heads), "wk": draw(k, j, groups), "wv": draw(v, j, groups)}
        weights |= {"wo": w_init(out, (o, o)).reshape(heads, d, o)}
        biases = {"bq": (heads, d), "bk": (groups, d), "bv": (groups, d), "bo": (o,)}
        zeros = {name: jnp.zeros(size, weights["wq"].dtype) for name, size in biases.items()}
        state = {}
        if plan.cache is not None and context is None:
            require(causal, "steps before the last would change; write causal=True to decode")
            size = (x.shape[0], plan.cache, groups, d)
            empty = jnp.zeros(size, plan.dtype or x.dtype)
            state = {"k": empty, "v": empty} | start_of(x)
        return weights | (zeros if bias else {}), state

    def forward(params, state, x, call):
        source = _source(call, x, context)
        if context is not None:
            c, j = source.shape[2], params["wk"].shape[0]
            require(c == j, f"{context} {source.shape} has {c} features, but wk takes {j}")
        q, k, v = (
            _heads(a, params[f"w{letter}"], params.get(f"b{letter}"))
            for letter, a in (("q", x), ("k", source), ("v", source))
        )
        if rotary is not None:
            turn = {"base": rotary, "features": rotary_features}
            at = place(call, x, state.get("position"))
            q, k = (ops.rotary_embedding(a, at, **turn) for a in (q, k))
        if state:
            z, state = _from_cache(state, q, k, v, x, call, attend)
        else:
            mask, lengths = (_of_keys(call, context, kind) for kind in ("mask", "lengths"))
            require_padding(source, mask, lengths, "" if context is None else f"{context}_")
            mask = _joined(call.inputs.get("attention_mask"), mask)
            z = ops.dot_product_attention(q, k, v, mask, lengths, **attend)
        n, t, h, d = z.shape
        z = jnp.reshape(z, (n, t, h * d), out_sharding=of_batch(z))
        return ops.dense(z, _matrix(params["wo"], 2), params.get("bo")), state

    def multiply_adds(x, y, plan):
        s, j = _source(plan, x, context).shape[1:]
        (t, c), o = x.shape[1:], y.shape[-1]
        d = o // heads
        return t * (c * o + o * o) + 2 * s * j * d * groups + 2 * t * s * o

    names = ("wq", "wk", "wv", "wo", *(("bq", "bk", "bv", "bo") if bias else ()))
    padding = {"mask", "lengths"} if context is None else _padding(context)
    places = {"positions"} if rotary is not None else set()
    return with_state(
        "multi_head_attention",
        forward,
        init,
        parameters=names,
        reads=frozenset({"attention_mask"} | padding | places),
        positions="mixed" if context is None else "each",
        decodes=True,
        multiply_adds=multiply_adds,
    )


def _padding(context):
    return {context, f"{context}_mask", f"{context}_lengths"}


def _source(given: Plan | Call, x: Any, context: str | None) -> Any:
    """What keys and values are made of: x or the context."""
    require(len(x.shape) == 3, f"x {x.shape} needs 3 axes, (n, t, c)")
    if context is None:
        return x
    if context not in given.inputs:
        shape = f"model.init(key, shape, {context}=(s, features))"
        raise ValueError(f"no {context}; write {shape} and model.apply(..., {context}={context})")
    source = given.inputs[context]
    needed = f"({x.shape[0]}, s, features) for x {x.shape}"
    fits = len(source.shape) == 3 and source.shape[0] == x.shape[0]
    require(fits, f"{context} {source.shape} needs shape {needed}")
    return source


def _of_keys(call, context, kind):
    """The mask or the lengths of what keys and values are made of."""
    return call.inputs.get(kind if context is None else f"{context}_{kind}")


def _heads(x, w, b):
    """x (n, t, c) times w (c, h, d), plus b (h, d) -> (n, t, h, d)."""
    flat = None if b is None else jnp.reshape(b, -1, out_sharding=replicated(b))
    y = ops.dense(x, _matrix(w, 1), flat)
    return jnp.reshape(y, (*x.shape[:2], *w.shape[1:]), out_sharding=of_batch(y))


def _matrix(w, rows):
    """w as a matrix whose rows are its first `rows` axes."""
    size = (-1, w.shape[-1]) if rows == 2 else (w.shape[0], -1)
    return jnp.reshape(w, size, out_sharding=replicated(w))


def _joined(attention_mask, mask):
    """One mask of the scores, of `attention_mask` and a mask of the keys (n, s)."""
    if attention_mask is not None and attention_mask.ndim != 4:
        needs = f"attention_mask {attention_mask.shape} needs 4 axes (n, h, t, s)"
        raise ValueError(f"{needs}, of full length or 1; for padding write mask=mask")
    if mask is None:
        return attention_mask
    keys = mask[:, None, None, :]
    if attention_mask is None:
        return keys
    if attention_mask.dtype == bool:
        return attention_mask & keys
    return jnp.where(keys, attention_mask, -jnp.inf)


def _from_cache(state, q, k, v, x, call, attend):
    """Attention to the keys and values of the cache, and the cache with those of x."""
    if unread := sorted({"mask", "attention_mask"} & call.inputs.keys()):
        raise TypeError(f"a cache does not store {unread[0]}; write lengths")
    new, start = advanced(state, call, x), state["position"]
    t, length = x.shape[1], state["k"].shape[1]
    p = jnp.arange(length, dtype=start.dtype)[None] - start[:, None]  # step of x at each position
    for letter, a in (("k", k), ("v", v)):
        rows = jnp.take_along_axis(a, jnp.clip(p, 0, t - 1)[..., None, None], axis=1)
        written = ((p >= 0) & (p < t))[..., None, None]
        new[letter] = jnp.where(written, rows.astype(state[letter].dtype), state[letter])
    keys, values = (new[letter].astype(q.dtype) for letter in ("k", "v"))
    z = ops.dot_product_attention(q, keys, values, offset=start, **attend)
    at = start[:, None] + jnp.arange(t, dtype=start.dtype)[None]
    return jnp.where((at < length)[..., None, None], z, jnp.nan), new
