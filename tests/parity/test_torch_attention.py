"""Attention, embedding and one_hot against torch.

torch has the axis of heads before the axis of the sequence, so `theirs` exchanges the two axes.
torch's MATH backend is used: not all fused kernels support float64, masks and gradients. A query
that may not attend to any key gives NaN in torch and 0 in fcnn, so the masks leave each query at
least one key.
"""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree
from torch.nn.attention import SDPBackend, sdpa_kernel

import fcnn


def theirs(q, k, v, mask=None, **options):
    heads_first = (a.transpose(1, 2) for a in (q, k, v))
    with sdpa_kernel(SDPBackend.MATH):
        y = F.scaled_dot_product_attention(*heads_first, attn_mask=mask, enable_gqa=True, **options)
    return y.transpose(1, 2)


@pytest.mark.parametrize("impl", ["plain", "blocked"])
@pytest.mark.parametrize("seed", range(20))
def test_attention(seed, impl):
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 6, 7)
    q, k, v = (rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e)))
    shape = [a if rng.random() < 0.6 else 1 for a in (n, g * r, t, s)]
    visible = rng.random(shape) < 0.6
    visible[..., 0] = True
    mask = [None, visible, rng.standard_normal(shape)][seed % 3]
    options = {"scale": [None, 0.7][seed % 2]}
    ours = lambda *a: fcnn.dot_product_attention(*a, **options, impl=impl, block=2)
    agree(ours, lambda *a: theirs(*a, **options), (q, k, v, mask))
    # with `causal`, query i sees keys 0 to i in both libraries
    ours = lambda *a: fcnn.dot_product_attention(*a, **options, causal=True, impl=impl, block=2)
    agree(ours, lambda *a: theirs(*a, **options, is_causal=True), (q, k, v))


@pytest.mark.parametrize("impl", ["plain", "blocked"])
@pytest.mark.parametrize("seed", range(20))
def test_window_softcap_lengths_and_offset(seed, impl):
    """Against the definition in torch: a mask of the visible keys, and tanh of the scores."""
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 6, 7)
    q, k, v = (rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e)))
    lengths, offset = rng.integers(1, s + 1, n), rng.integers(0, s, n)
    window, softcap, causal = int(rng.integers(1, s + 1)), rng.uniform(0.5, 3), bool(seed % 2)
    position, key = offset[:, None] + np.arange(t), np.arange(s)
    distance = key - position[..., None]
    visible = (abs(distance) < window) & (key < lengths[:, None, None])
    visible &= (distance <= 0) | (not causal)
    visible = torch.from_numpy(visible)[:, None]

    def by_torch(q, k, v):
        k, v = (a.repeat_interleave(r, 2) for a in (k, v))
        a = torch.einsum("nthd,nshd->nhts", q, k) / d**0.5
        e = torch.exp(softcap * torch.tanh(a / softcap)) * visible
        p = e / e.sum(-1, keepdim=True).clamp(min=1e-30)  # 0 for a query without keys
        return torch.einsum("nhts,nshe->nthe", p, v), p

    options = {"causal": causal, "window": window, "softcap": softcap}
    given = {"lengths": lengths, "offset": offset}

    def ours(q, k, v):
        y = fcnn.dot_product_attention(q, k, v, **given, **options, impl=impl, block=2)
        return y, fcnn.attention_weights(q, k, **given, **options)

    agree(ours, by_torch, (q, k, v))


@pytest.mark.parametrize("seed", range(20))
def test_multi_head_attention(seed):
    """torch's kernels have shape (features out, features in). Half of the seeds compare weights.

    In torch, the heads of q, k and v have one width, and q, k and v have one number of heads.
    """
    rng = np.random.default_rng(seed)
    n, t, s, h, d, j, m = rng.integers(1, 5, 7)
    c, asked = h * d, seed % 4 > 1
    self_attention = seed % 2
    s, j = (t, c) if self_attention else (s, j)
    draw = rng.standard_normal
    m = m if seed % 3 else j  # the features of the values
    x, context = draw((n, t, c)), None if self_attention else draw((n, s, j))
    values = draw((n, s, m)) if seed % 3 else None
    weights = draw((c, h, d)), draw((j, h, d)), draw((m, h, d)), draw((h, d, c))
    biases = draw((h, d)), draw((h, d)), draw((h, d)), draw(c)
    visible = rng.random((n, h, t, s)) < 0.7
    visible[..., 0] = True
    mask = [None, visible, draw((n, h, t, s))][seed // 3 % 3]

    def by_torch(x, wq, wk, wv, wo, bq, bk, bv, bo, context=None, values=None, mask=None):
        source = (x if context is None else context).transpose(0, 1)
        source_v = source if values is None else values.transpose(0, 1)
        flat = lambda w, width: w.reshape(width, c).T
        if mask is not None:  # True hides a key in torch
            mask = (mask if mask.is_floating_point() else ~mask).reshape(n * h, t, s)
        y, p = F.multi_head_attention_forward(
            x.transpose(0, 1),
            source,
            source_v,
            int(c),
            int(h),
            None,
            torch.cat([b.reshape(c) for b in (bq, bk, bv)]),
            None,
            None,
            False,
            0.0,
            flat(wo, c),
            bo,
            need_weights=asked,
            average_attn_weights=False,
            attn_mask=mask,
            use_separate_proj_weight=True,
            q_proj_weight=flat(wq, c),
            k_proj_weight=flat(wk, j),
            v_proj_weight=flat(wv, m),
        )
        return (y.transpose(0, 1), p) if asked else y.transpose(0, 1)

    with sdpa_kernel(SDPBackend.MATH):
        ours = partial(fcnn.multi_head_attention, weights=asked)
        agree(ours, by_torch, (x, *weights, *biases, context, values, mask))


@pytest.mark.parametrize("seed", range(20))
def test_embedding_and_one_hot(seed):
    rng = np.random.default_rng(seed)
    k, c = rng.integers(1, 7, 2)
    ids = rng.integers(0, k, rng.integers(1, 5, rng.integers(0, 4)))
    ids = np.asarray(ids)
    table = rng.standard_normal((k, c))
    agree(fcnn.embedding, lambda table, ids: F.embedding(ids, table), (table, ids))
    wanted = F.one_hot(torch.tensor(ids), int(k)).numpy()
    np.testing.assert_array_equal(fcnn.one_hot(ids, classes=k), wanted)
