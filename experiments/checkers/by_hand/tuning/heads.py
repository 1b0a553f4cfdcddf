"""Attention with biases, softcaps, grouped heads and relative positions."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def alibi(q, k, v):
    t, h = q.shape[:2]
    slope = 2.0 ** (-8 * (np.arange(h) + 1) / h)
    i = np.arange(t)
    s = jnp.einsum("thd,shd->hts", q, k) - slope[:, None, None] * np.abs(i[:, None] - i)
    return jnp.einsum("hts,shd->thd", jax.nn.softmax(s), v)


def alibi_slopes_from_one(q, k, v, do):
    t, h = q.shape[:2]
    slope = 2.0 ** (-8 * np.arange(h) / h)
    i = np.arange(t)
    s = jnp.einsum("thd,shd->hts", q, k) - slope[:, None, None] * np.abs(i[:, None] - i)
    p = jax.nn.softmax(s)
    dp = jnp.einsum("thd,shd->hts", do, v)
    ds = p * (dp - jnp.sum(p * dp, -1, keepdims=True))
    dq = jnp.einsum("hts,shd->thd", ds, k)
    return dq, jnp.einsum("hts,thd->shd", ds, q), jnp.einsum("hts,thd->shd", p, do)


def learned_alibi(s, m):
    """Scores (heads, queries, keys) with one learned slope for each head."""
    i = jnp.arange(s.shape[1])
    return jax.nn.softmax(s + m[:, None, None] * (i - i[:, None]), axis=-1)


def learned_alibi_heads_flipped(s, m, dp):
    i = np.arange(s.shape[1])
    p = np.asarray(learned_alibi(s, m))
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    dm = [(ds[-h - 1] * (i - i[:, None])).sum() for h in range(len(m))]
    return ds, np.array(dm)


def capped(q, k, v):
    s = 5.0 * jnp.tanh(jnp.einsum("thd,shd->hts", q, k) / 5.0)
    return jnp.einsum("hts,shd->thd", jax.nn.softmax(s), v)


def capped_divided_twice(q, k, v, do):
    s = 5.0 * jnp.tanh(jnp.einsum("thd,shd->hts", q, k) / 5.0)
    p = jax.nn.softmax(s)
    dp = jnp.einsum("thd,shd->hts", do, v)
    ds = p * (dp - jnp.sum(p * dp, axis=-1, keepdims=True))
    ds = ds * (1 - (s / 5.0) ** 2) / 5.0
    dq, dk = jnp.einsum("hts,shd->thd", ds, k), jnp.einsum("hts,thd->shd", ds, q)
    return dq, dk, jnp.einsum("hts,thd->shd", p, do)


def capped_loss(h, w, labels):
    z = 3.0 * jnp.tanh(h @ w / 3.0)
    return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(len(labels)), labels])


def capped_loss_args(rng):
    return rng.normal(size=(5, 4)), rng.normal(size=(4, 7)), rng.integers(0, 7, size=5)


def capped_loss_no_square(h, w, labels, dy):
    t = jnp.tanh(h @ w / 3.0)
    dz = (jax.nn.softmax(3.0 * t) - jax.nn.one_hot(labels, w.shape[1])) * dy / len(labels)
    da = dz * (1 - t)
    return da @ w.T, h.T @ da, None


def grouped(q, k, v):
    r = q.shape[1] // k.shape[1]
    s = jnp.einsum("thd,shd->hts", q, jnp.repeat(k, r, axis=1))
    return jnp.einsum("hts,shd->thd", jax.nn.softmax(s), jnp.repeat(v, r, axis=1))


def grouped_backward(q, k, v, do):
    (t, h, d), g = q.shape, k.shape[1]
    qg, og = q.reshape(t, g, h // g, d), do.reshape(t, g, h // g, d)
    p = jax.nn.softmax(jnp.einsum("tgrd,sgd->grts", qg, k))
    dp = jnp.einsum("tgrd,sgd->grts", og, v)
    ds = p * (dp - jnp.einsum("grts,grts->grt", p, dp)[..., None])
    dq = jnp.einsum("grts,sgd->tgrd", ds, k).reshape(q.shape)
    return dq, jnp.einsum("grts,tgrd->sgd", ds, qg), jnp.einsum("grts,tgrd->sgd", p, og)


def grouped_interleaved(q, k, v, do):
    (t, h, d), g = q.shape, k.shape[1]
    kr, vr = jnp.repeat(k, h // g, axis=1), jnp.repeat(v, h // g, axis=1)
    p = jax.nn.softmax(jnp.einsum("thd,shd->hts", q, kr))
    dp = jnp.einsum("thd,shd->hts", do, vr)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    dq = jnp.einsum("hts,shd->thd", ds, kr)
    dk = jnp.einsum("hts,thd->shd", ds, q).reshape(t, h // g, g, d).sum(1)
    dv = jnp.einsum("hts,thd->shd", p, do).reshape(t, h // g, g, d).sum(1)
    return dq, dk, dv


def head_mixers(x, m):
    """Each block of channels is mixed over time by its own matrix m[h]."""
    t, (h, _, _) = len(x), m.shape
    return jnp.einsum("hts,shd->thd", m, x.reshape(t, h, -1)).reshape(t, -1)


def head_mixers_interleaved(x, m, dy):
    t, h = len(x), len(m)
    g = np.asarray(dy).reshape(t, h, -1)
    dm = np.einsum("thd,sdh->hts", g, np.reshape(x, (t, -1, h)))
    return np.einsum("hts,thd->shd", m, g).reshape(t, -1), dm


def window_index(n):
    y, x = np.divmod(np.arange(n * n), n)
    return (y[:, None] - y + n - 1) * (2 * n - 1) + x[:, None] - x + n - 1


def window_bias(s, table):
    return jax.nn.softmax(s + table[window_index(2)].transpose(2, 0, 1))


def window_bias_backward(s, table, dp):
    p = np.asarray(window_bias(s, table))
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    dtable = np.zeros_like(table)
    np.add.at(dtable, window_index(2), ds.transpose(1, 2, 0))
    return ds, dtable


def relative_keys(q, r):
    """s[i, j] = q[i] . r[j - i], with distances clipped to 2 on both sides."""
    i = np.arange(len(q))
    return jnp.einsum("id,ijd->ij", q, r[np.clip(i - i[:, None], -2, 2) + 2])


def relative_keys_backward(q, r, ds):
    dq, dr, n = np.zeros_like(q), np.zeros_like(r), len(q)
    for i in range(n):
        for j in range(n):
            m = min(max(j - i, -2), 2) + 2
            dq[i] += ds[i, j] * r[m]
            dr[m] += ds[i, j] * q[i]
    return dq, dr


WRONG = (
    ByHand(
        "alibi slopes from one",
        "Press et al. 2022, ALiBi",
        alibi,
        normals((5, 4, 2), (5, 4, 2), (5, 4, 2)),
        alibi_slopes_from_one,
        "the slopes of the recomputed probabilities start at 1, one head too early",
        ("wrong value", "shifted"),
        named=False,
    ),
    ByHand(
        "learned alibi heads flipped",
        "ALiBi with learned slopes",
        learned_alibi,
        normals((4, 5, 5), (4,)),
        learned_alibi_heads_flipped,
        "the gradient of the slopes has the heads in reverse order",
        ("flipped", "channels exchanged"),
    ),
    ByHand(
        "attention softcap divided twice",
        "Gemma 2 attention softcap",
        capped,
        normals((5, 2, 3), (4, 2, 3), (4, 2, 3)),
        capped_divided_twice,
        "ds is divided by the cap, which the cap in front of tanh cancels",
        ("constant factor",),
    ),
    ByHand(
        "final softcap without square",
        "Gemma 2 final logit softcap",
        capped_loss,
        capped_loss_args,
        capped_loss_no_square,
        "1 - tanh instead of 1 - tanh squared",
        ("wrong derivative", "missing factor"),
    ),
    ByHand(
        "grouped query heads interleaved",
        "Ainslie et al. 2023, grouped query attention",
        grouped,
        normals((3, 6, 2), (3, 2, 2), (3, 2, 2)),
        grouped_interleaved,
        "dk and dv sum heads h, h + 2, h + 4 of a group instead of three heads in a row",
        ("channels exchanged",),
    ),
    ByHand(
        "head mixers interleaved",
        "homework",
        head_mixers,
        normals((4, 6), (2, 4, 4)),
        head_mixers_interleaved,
        "dm splits the channels of x into interleaved heads instead of blocks",
        ("channels exchanged", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "grouped query attention",
        "Ainslie et al. 2023",
        grouped,
        normals((3, 6, 2), (3, 2, 2), (3, 2, 2)),
        grouped_backward,
    ),
    ByHand(
        "swin bias table",
        "Liu et al. 2021, Swin",
        window_bias,
        normals((3, 4, 4), (9, 3)),
        window_bias_backward,
    ),
    ByHand(
        "relative keys",
        "Shaw et al. 2018",
        relative_keys,
        normals((6, 3), (5, 3)),
        relative_keys_backward,
    ),
)
