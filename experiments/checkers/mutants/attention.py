"""Mutants of attention: no 1 / sqrt(d), no sum of softmax, dq for dk, unsummed groups."""

from functools import partial
from math import sqrt

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.build import correct_backward, one_sum, problem
from fcnn import dot_product_attention, multi_head_attention, rotary_embedding

of = partial(problem, "attention")
factor = partial(of, "constant factor")
total = partial(of, "missing sum term")
exchanged = partial(of, "arguments exchanged")
transposed = partial(of, "transposed")
unreduced = partial(of, "not reduced")
too_far = partial(of, "reduced too far")
mean = partial(of, "mean for sum")
product = partial(of, "missing factor")

QKV = ((4, 5, 3, 6), (4, 7, 3, 6), (4, 7, 3, 8))
SELF = ((4, 5, 3, 6), (4, 5, 3, 6), (4, 5, 3, 6))
GROUPED = ((3, 5, 6, 7), (3, 4, 2, 7), (3, 4, 2, 8))
MASKED = (*QKV, (1, 1, 5, 7))
HEADS = ((3, 5, 6), (6, 4, 7), (6, 4, 7), (6, 4, 7), (4, 7, 8), (4, 7), (8,))

attention = dot_product_attention
causal = partial(dot_product_attention, causal=True)
heads = lambda x, wq, wk, wv, wo, bv, bo: multi_head_attention(x, wq, wk, wv, wo, bv=bv, bo=bo)
steep = partial(dot_product_attention, scale=1.5)


def p_of(q, k, mask: jax.Array | float = 0):
    return jax.nn.softmax(jnp.einsum("nthd,nshd->nhts", q, k) / sqrt(q.shape[-1]) + mask, -1)


def dp_of(v, dy):
    return jnp.einsum("nthe,nshe->nhts", dy, v)


def da_of(q, k, v, dy, mask: jax.Array | float = 0):
    p, dp = p_of(q, k, mask), dp_of(v, dy)
    return p * (dp - (p * dp).sum(-1, keepdims=True))


def dq_of(da, k):
    return jnp.einsum("nhts,nshd->nthd", da, k) / sqrt(k.shape[-1])


def dk_of(da, q):
    return jnp.einsum("nhts,nthd->nshd", da, q) / sqrt(q.shape[-1])


def dv_of(p, dy):
    return jnp.einsum("nhts,nthe->nshe", p, dy)


def visible_keys(rng):
    """A random mask that hides all keys from the first query."""
    return (rng.random((1, 1, 5, 7)) < 0.7) & (np.arange(5) > 0)[:, None]


def hidden(mask):
    return jnp.where(mask, 0, -jnp.inf)


def each_head(q, k, v, dy):
    """dk of every query head, not summed over the query heads that share a key head."""
    per_head = lambda a: jnp.repeat(a, 3, 2)
    return correct_backward(attention)(q, per_head(k), per_head(v), dy)[1]


MUTANTS = (
    factor("attention dq: without scale", attention, QKV, dq=lambda g: g * sqrt(6)),
    factor("attention dk: without scale", attention, QKV, dk=lambda g: g * sqrt(6)),
    factor("attention dk: scaled twice", steep, QKV, dk=lambda g: g * 1.5),
    total(
        "attention dq: p dp",
        attention,
        QKV,
        dq=lambda q, k, v, dy: dq_of(p_of(q, k) * dp_of(v, dy), k),
    ),
    total(
        "attention dk: p dp",
        attention,
        QKV,
        dk=lambda q, k, v, dy: dk_of(p_of(q, k) * dp_of(v, dy), q),
    ),
    total(
        "attention dmask: p dp",
        attention,
        (*QKV, (4, 3, 5, 7)),
        dmask=lambda q, k, v, mask, dy: p_of(q, k, mask) * dp_of(v, dy),
    ),
    exchanged("attention: dq for dk", attention, SELF, dq=lambda dk: dk, dk=lambda dq: dq),
    exchanged("attention: dk for dv", attention, SELF, dk=lambda dv: dv, dv=lambda dk: dk),
    exchanged("causal attention: dq for dk", causal, SELF, dq=lambda dk: dk, dk=lambda dq: dq),
    exchanged(
        "multi_head_attention: dwq for dwk", heads, HEADS, dwq=lambda dwk: dwk, dwk=lambda dwq: dwq
    ),
    transposed(
        "attention dv: p for pᵀ",
        attention,
        SELF,
        dv=lambda q, k, dy: dv_of(p_of(q, k).swapaxes(2, 3), dy),
    ),
    transposed(
        "attention dq: daᵀ for da",
        attention,
        SELF,
        dq=lambda q, k, v, dy: dq_of(da_of(q, k, v, dy).swapaxes(2, 3), k),
    ),
    unreduced("attention dmask: of each head", attention, MASKED, dmask=da_of),
    unreduced("grouped attention dk: of each head", attention, GROUPED, dk=each_head),
    unreduced("multi_head_attention dbo: dy", heads, HEADS, dbo=lambda dy: dy),
    too_far("attention dmask: over keys too", attention, MASKED, dmask=one_sum),
    too_far("multi_head_attention dbo: over features too", heads, HEADS, dbo=one_sum),
    mean("grouped attention dk: averaged over heads", attention, GROUPED, dk=lambda g: g / 3),
    mean("grouped attention dv: averaged over heads", attention, GROUPED, dv=lambda g: g / 3),
    mean(
        "attention dmask: averaged over examples", attention, MASKED, dmask=lambda g, q: g / len(q)
    ),
    product(
        "attention dv: p forgotten", attention, QKV, dv=lambda v, dy: v * 0 + dy.sum(1)[:, None]
    ),
    product(
        "attention dq: k forgotten",
        attention,
        QKV,
        dq=lambda q, k, v, dy: dq_of(da_of(q, k, v, dy), jnp.ones_like(k)),
    ),
    of(
        "transposed",
        "rotary_embedding dx: turned on, not back",
        rotary_embedding,
        ((3, 5, 4, 6),),
        dx=lambda dy: rotary_embedding(dy),
    ),
    of(
        "not finite",
        "masked attention dk: a row of -inf",
        attention,
        (*QKV, visible_keys),
        dk=lambda q, k, v, mask, dy: dk_of(da_of(q, k, v, dy, hidden(mask)), q),
    ),
    of(
        "not finite",
        "masked attention dv: a row of -inf",
        attention,
        (*QKV, visible_keys),
        dv=lambda q, k, mask, dy: dv_of(p_of(q, k, hidden(mask)), dy),
    ),
    of("stopped", "attention dmask: none", attention, MASKED, dmask=None),
    of("stopped", "attention dk: zeros", attention, QKV, dk=lambda k: jnp.zeros_like(k)),
    of("single entry", "attention dv: one 0", attention, QKV, dv=lambda g: g.at[1, 2, 0, 5].set(0)),
    of(
        "single entry",
        "attention dq: the last",
        attention,
        QKV,
        dq=lambda g: g.at[-1, -1, -1, -1].multiply(1.1),
    ),
)
