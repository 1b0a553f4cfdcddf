"""Attention with several heads."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(p, dp):
    return p * (dp - np.sum(p * dp, axis=-1, keepdims=True))


def multi_head(x, params):
    """nanoGPT: causal self-attention, three heads of four channels, without bias."""
    B, T, C = x.shape
    q, k, v = (
        a.reshape(B, T, 3, C // 3).transpose(0, 2, 1, 3)
        for a in jnp.split(x @ params["attn"], 3, axis=-1)
    )
    s = q @ k.swapaxes(-1, -2) / jnp.sqrt(C // 3)
    p = jax.nn.softmax(jnp.where(jnp.tri(T, dtype=bool), s, -jnp.inf), axis=-1)
    return (p @ v).transpose(0, 2, 1, 3).reshape(B, T, C) @ params["proj"]


def multi_head_args(rng):
    params = {"attn": rng.normal(size=(6, 18)) * 0.7, "proj": rng.normal(size=(6, 6))}
    return rng.normal(size=(2, 5, 6)), params


def multi_head_pass(x, params, dy, split_grad):
    B, T, C = x.shape
    z = x @ params["attn"]
    q, k, v = np.moveaxis(z.reshape(B, T, 3, 3, 2), 2, 0)
    s = np.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(2)
    p = softmax(np.where(np.tri(T, dtype=bool), s, -np.inf))
    o = np.einsum("bhij,bjhd->bihd", p, v).reshape(B, T, C)
    do = split_grad(dy @ params["proj"].T)
    dv = np.einsum("bhij,bihd->bjhd", p, do)
    ds = softmax_back(p, np.einsum("bihd,bjhd->bhij", do, v)) / np.sqrt(2)
    dq, dk = np.einsum("bhij,bjhd->bihd", ds, k), np.einsum("bhij,bihd->bjhd", ds, q)
    dz = np.stack([dq, dk, dv], axis=2).reshape(B, T, 3 * C)
    d = {"attn": np.einsum("btc,btd->cd", x, dz), "proj": np.einsum("btc,btd->cd", o, dy)}
    return dz @ params["attn"].T, d


def multi_head_backward(x, params, dy):
    return multi_head_pass(x, params, dy, lambda g: g.reshape(2, 5, 3, 2))


def multi_head_split_last(x, params, dy):
    return multi_head_pass(x, params, dy, lambda g: g.reshape(2, 5, 2, 3).swapaxes(2, 3))


def grouped_heads(q, k, v):
    """Four query heads share two key heads, batch-free (time, head, channel)."""
    k, v = jnp.repeat(k, 2, axis=1), jnp.repeat(v, 2, axis=1)
    p = jax.nn.softmax(jnp.einsum("ihd,jhd->hij", q, k), axis=-1)
    return jnp.einsum("hij,jhd->ihd", p, v)


def grouped_args(rng):
    return rng.normal(size=(4, 4, 3)), rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2, 3))


def grouped_each(q, k, v, dy):
    kr, vr = np.repeat(k, 2, axis=1), np.repeat(v, 2, axis=1)
    p = softmax(np.einsum("ihd,jhd->hij", q, kr))
    ds = softmax_back(p, np.einsum("ihd,jhd->hij", dy, vr))
    dk = np.einsum("hij,ihd->jhd", ds, q)
    return np.einsum("hij,jhd->ihd", ds, kr), dk, np.einsum("hij,ihd->jhd", p, dy)


def grouped_backward(q, k, v, dy):
    dq, dk, dv = grouped_each(q, k, v, dy)
    return dq, dk[:, 0::2] + dk[:, 1::2], dv.reshape(5, 2, 2, 3).sum(axis=2)


def grouped_as_tiled(q, k, v, dy):
    dq, dk, dv = grouped_each(q, k, v, dy)
    return dq, dk[:, :2] + dk[:, 2:], dv.reshape(5, 2, 2, 3).sum(axis=2)


def grouped_mean(q, k, v, dy):
    dq, dk, dv = grouped_each(q, k, v, dy)
    return dq, dk.reshape(5, 2, 2, 3).mean(axis=2), dv.reshape(5, 2, 2, 3).mean(axis=2)


def alibi(q, k, v, slopes):
    """Learned slopes; heads first."""
    T = q.shape[1]
    far = jnp.abs(jnp.arange(T)[:, None] - jnp.arange(T))
    s = jnp.einsum("hid,hjd->hij", q, k) - slopes[:, None, None] * far
    return jnp.einsum("hij,hjd->hid", jax.nn.softmax(s, axis=-1), v)


def alibi_args(rng):
    return *(rng.normal(size=(4, 4, 3)) for _ in range(3)), rng.uniform(0.1, 1, size=4)


def alibi_parts(q, k, v, slopes, dy):
    far = np.abs(np.arange(4)[:, None] - np.arange(4))
    p = softmax(q @ k.swapaxes(1, 2) - slopes[:, None, None] * far)
    ds = softmax_back(p, dy @ v.swapaxes(1, 2))
    return far, ds, ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy


def alibi_over_heads(q, k, v, slopes, dy):
    far, ds, dq, dk, dv = alibi_parts(q, k, v, slopes, dy)
    return dq, dk, dv, -(ds * far).sum(axis=0).sum(axis=0)


def alibi_backward(q, k, v, slopes, dy):
    far, ds, dq, dk, dv = alibi_parts(q, k, v, slopes, dy)
    return dq, dk, dv, -np.tensordot(ds, far, axes=2)


def linear_attention(q, k, v):
    """Katharopoulos et al.: feature map elu + 1, causal, heads in axis 1."""
    f, g = jax.nn.elu(q) + 1, jax.nn.elu(k) + 1
    a = jnp.tril(jnp.einsum("bhid,bhjd->bhij", f, g))
    return a @ v / a.sum(axis=-1, keepdims=True)


linear_args = lambda rng: tuple(rng.normal(size=(2, 2, 5, 3)) for _ in range(3))


def linear_attention_sums(q, k, v, dy):
    """Running sums from the left for dq and from the right for dk and dv."""
    f, g = np.where(q > 0, q + 1, np.exp(q)), np.where(k > 0, k + 1, np.exp(k))
    kv = np.cumsum(g[..., :, None] * v[..., None, :], axis=2)
    z = np.sum(f * np.cumsum(g, axis=2), axis=-1, keepdims=True)
    y = np.einsum("bhid,bhide->bhie", f, kv) / z
    do = dy / z
    dz = -np.sum(do * y, axis=-1, keepdims=True)
    df = np.einsum("bhide,bhie->bhid", kv, do) + dz * np.cumsum(g, axis=2)
    right = lambda a: np.flip(np.cumsum(np.flip(a, 2), axis=2), 2)
    back = right(f[..., :, None] * do[..., None, :])
    dg = np.einsum("bhjde,bhje->bhjd", back, v) + right(dz * f)
    dv = np.einsum("bhjde,bhjd->bhje", back, g)
    return df * np.where(q > 0, 1, f), dg * np.where(k > 0, 1, g), dv


NANO = "nanoGPT, llm.c"

WRONG = (
    ByHand(
        "heads split as last axis",
        NANO,
        multi_head,
        multi_head_args,
        multi_head_split_last,
        "The gradient is split into (channel, head) where the output joined (head, channel).",
        ("channels exchanged", "transposed"),
    ),
    ByHand(
        "grouped heads as tiled",
        "grouped-query attention ports",
        grouped_heads,
        grouped_args,
        grouped_as_tiled,
        "dk adds heads h and h + 2, as if the keys were tiled and not repeated.",
        ("channels exchanged", "wrong axis"),
    ),
    ByHand(
        "grouped heads averaged",
        "grouped-query attention ports",
        grouped_heads,
        grouped_args,
        grouped_mean,
        "dk and dv are averaged over the heads of a group.",
        ("mean for sum", "constant factor"),
    ),
    ByHand(
        "alibi slopes summed over heads",
        "ALiBi with learned slopes",
        alibi,
        alibi_args,
        alibi_over_heads,
        "The gradient of the slopes keeps the key axis in place of the head axis.",
        ("wrong axis",),
    ),
)
RIGHT = (
    ByHand("causal heads", NANO, multi_head, multi_head_args, multi_head_backward),
    ByHand("grouped heads", "llama", grouped_heads, grouped_args, grouped_backward),
    ByHand("alibi with learned slopes", "ALiBi", alibi, alibi_args, alibi_backward),
    ByHand(
        "linear attention by sums",
        "Transformers are RNNs",
        linear_attention,
        linear_args,
        linear_attention_sums,
    ),
)
