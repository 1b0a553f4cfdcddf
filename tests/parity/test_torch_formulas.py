"""Operators without an equal function in torch, against their formulas written in torch."""

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from agreement import agree

import fcnn

every_seed = pytest.mark.parametrize("seed", range(20))


@every_seed
def test_im2col_and_col2im(seed):
    """torch's unfold gives columns instead of rows. In a column, channels are outermost."""
    rng = np.random.default_rng(seed)
    n, c = (int(v) for v in rng.integers(1, 4, 2))
    size, k = rng.integers(4, 9, 2).tolist(), rng.integers(1, 4, 2).tolist()
    s, d, pad = (rng.integers(*span, 2).tolist() for span in ((1, 4), (1, 3), (0, 3)))
    options = {"stride": s, "dilation": d, "padding": [(p, p) for p in pad]}
    torch_options = {"stride": s, "dilation": d, "padding": pad}
    effective = [gap * (taps - 1) + 1 for gap, taps in zip(d, k, strict=True)]
    axes = zip(size, pad, effective, s, strict=True)
    out = [(cells + 2 * p - e) // step + 1 for cells, p, e, step in axes]

    def unfold(x):
        columns = F.unfold(x.movedim(-1, 1), k, **torch_options)  # n, (c, i), positions
        return columns.reshape(n, c, -1, *out).permute(0, 3, 4, 2, 1).reshape(n, *out, -1)

    def fold(rows):
        columns = rows.reshape(n, *out, -1, c).permute(0, 4, 3, 1, 2)
        return F.fold(columns.reshape(n, c * k[0] * k[1], -1), size, k, **torch_options).movedim(
            1, -1
        )

    x, rows = rng.standard_normal((n, *size, c)), rng.standard_normal((n, *out, k[0] * k[1] * c))
    agree(lambda x: fcnn.im2col(x, k, **options), unfold, (x,))
    agree(lambda rows: fcnn.col2im(rows, size, k, **options), fold, (rows,))


@every_seed
def test_dropout(seed):
    """torch gets fcnn's mask, which is read from fcnn's output for x = 1."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(v) for v in rng.integers(1, 6, 4))
    rate, key = float(rng.uniform(0, 0.9)), jax.random.key(seed)
    x, ones = rng.standard_normal(shape), np.ones(shape)
    for op in (fcnn.dropout, fcnn.spatial_dropout, fcnn.stochastic_depth):
        keep = torch.tensor(np.array(op(ones, key, rate=rate) != 0))
        agree(lambda x, op=op: op(x, key, rate=rate), lambda x, k=keep: x * k / (1 - rate), (x,))
    training = lambda x: fcnn.classic_dropout(x, key, rate=rate, train=True)
    keep = torch.tensor(np.array(training(ones)))
    agree(training, lambda x: x * keep, (x,))
    evaluation = lambda x: fcnn.classic_dropout(x, rate=rate, train=False)
    agree(evaluation, lambda x: (1 - rate) * x, (x,))


@every_seed
def test_min_max_scale(seed):
    rng = np.random.default_rng(seed)
    x = rng.permutation(120).reshape(rng.permutation([2, 3, 4, 5])) * rng.uniform(0.1, 9)
    low, high = sorted(rng.uniform(-2, 2, 2).tolist())

    def theirs(x):
        lo, hi = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        return low + (high - low) * (x - lo) / (hi - lo)

    agree(lambda x: fcnn.min_max_scale(x, to=(low, high)), theirs, (x,))


@every_seed
def test_l2_penalty(seed):
    rng = np.random.default_rng(seed)
    w, rate = rng.standard_normal(rng.integers(1, 5, seed % 5)), float(rng.uniform(0, 2))
    agree(lambda w: fcnn.l2_penalty(w, rate=rate), lambda w: rate / 2 * (w**2).sum(), (w,))


@every_seed
def test_position_encodings(seed):
    rng = np.random.default_rng(seed)
    n, t, h, pairs = (int(v) for v in rng.integers(1, 6, 4))
    base, interleaved = float(rng.uniform(10, 1e5)), bool(seed % 2)
    positions = rng.integers(0, 500, (n, t) if seed % 3 else (t,))
    frequency = base ** (-torch.arange(pairs, dtype=torch.float64) / pairs)

    def encoded(x, positions):
        angle = positions[..., None] * frequency
        return x + torch.stack([angle.sin(), angle.cos()], -1).reshape(*positions.shape, 2 * pairs)

    def rotated(x):
        angle = torch.tensor(positions)[..., None, None] * frequency
        split = x.reshape(n, t, h, pairs, 2) if interleaved else x.reshape(n, t, h, 2, pairs).mT
        y = torch.view_as_complex(split.contiguous()) * torch.polar(torch.ones_like(angle), angle)
        y = torch.view_as_real(y)
        return (y if interleaved else y.mT).reshape(x.shape)

    x = rng.standard_normal((n, t, 2 * pairs))
    encode = lambda x, *positions: fcnn.positional_encoding(x, *positions, base=base)
    agree(encode, lambda x: encoded(x, torch.arange(t)), (x,))
    agree(encode, encoded, (x, positions))
    options = {"base": base, "interleaved": interleaved}
    x = rng.standard_normal((n, t, h, 2 * pairs))
    agree(lambda x: fcnn.rotary_embedding(x, positions, **options), rotated, (x,))


@every_seed
def test_rotary_embedding_of_transformers(seed):
    """The formula of models in the `transformers` library: x cos + rotate_half(x) sin.

    Its tables have every angle twice, once for each feature of a pair. Features beyond the tables
    pass unchanged.
    """
    rng = np.random.default_rng(seed)
    n, t, h, r = (int(v) for v in rng.integers(1, 6, 4))
    features, interleaved = 2 * r, bool(seed % 2)
    x = rng.standard_normal((n, t, h, features + int(rng.integers(0, 3))))
    tables = rng.standard_normal((2, n, t, r) if seed % 3 else (2, t, r))

    def rotate_half(x):
        if interleaved:  # GPT-J: features 2 i and 2 i + 1
            return torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
        half = x.shape[-1] // 2  # GPT-NeoX and Llama: features i and i + half
        return torch.cat([-x[..., half:], x[..., :half]], -1)

    def twice(a):
        return a.repeat_interleave(2, -1) if interleaved else torch.cat([a, a], -1)

    def theirs(x, cos, sin):
        cos, sin = (twice(a)[..., None, :] for a in (cos, sin))
        turned, rest = x[..., :features], x[..., features:]
        return torch.cat([turned * cos + rotate_half(turned) * sin, rest], -1)

    ours = lambda x, *tables: fcnn.rotary_embedding(x, None, *tables, interleaved=interleaved)
    agree(ours, theirs, (x, *tables))
    base = float(rng.uniform(10, 1e5))
    frequency = 1 / base ** (torch.arange(0, features, 2, dtype=torch.float64) / features)
    angle = torch.outer(torch.arange(t, dtype=torch.float64), frequency)
    options = {"base": base, "interleaved": interleaved, "features": features}
    by_position = lambda x: fcnn.rotary_embedding(x, **options)
    agree(by_position, lambda x: theirs(x, angle.cos(), angle.sin()), (x,))
