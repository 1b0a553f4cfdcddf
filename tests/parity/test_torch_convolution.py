"""Convolutions and weight standardization against torch.nn.functional."""

import agreement
import numpy as np
import pytest
import torch.nn.functional as F

import fcnn

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def image(t):
    """(n, *size, c) as torch's (n, c, *size)."""
    return t.movedim(-1, 1)


def kernel(t):
    """(*window, c, o) as torch's (o, c, *window)."""
    return t.movedim(-1, 0).movedim(-1, 1)


def channels_last(t):
    return t.movedim(1, -1)


def draw(seed):
    """A problem of one to three axes. Each axis has at least one cell, and the window fits."""
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 3
    each = lambda low, high: tuple(map(int, rng.integers(low, high + 1, size=rank)))
    window, dilation, stride = each(1, 3), each(1, 2), each(1, 3)
    effective = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
    padding = each(0, 2)
    least = (max(1, e - 2 * p) for e, p in zip(effective, padding, strict=True))
    size = tuple(int(m + rng.integers(0, 5)) for m in least)
    n, groups, c, o = map(int, rng.integers(1, 4, size=4))
    return rng, rank, size, window, stride, padding, dilation, (n, groups, c, o)


@pytest.mark.parametrize("seed", range(24))
def test_conv(seed):
    rng, rank, size, window, stride, padding, dilation, (n, groups, c, o) = draw(seed)
    x, w, b = map(
        rng.standard_normal, ((n, *size, groups * c), (*window, c, groups * o), (groups * o,))
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def theirs(x, w, b):
        return channels_last(CONV[rank](image(x), kernel(w), b, **options))

    agreement.agree(lambda x, w, b: fcnn.conv(x, w, b, **options), theirs, (x, w, b))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(9))
def test_conv_with_padding_modes(seed, mode):
    """F.pad takes the pair of the last axis first. Then torch's convolution adds no padding."""
    rng, rank, size, window, stride, _, dilation, (n, groups, c, o) = draw(100 + seed)
    size = tuple(n + d * (k - 1) for n, k, d in zip(size, window, dilation, strict=True))
    most = [min(3, n - 1) for n in size]
    padding = tuple(tuple(map(int, rng.integers(0, m + 1, size=2))) for m in most)
    x, w = map(rng.standard_normal, ((n, *size, groups * c), (*window, c, groups * o)))
    options = {"stride": stride, "dilation": dilation, "groups": groups}

    def theirs(x, w):
        pairs = [k for pair in reversed(padding) for k in pair]
        x = F.pad(image(x), pairs, mode=MODES[mode])
        return channels_last(CONV[rank](x, kernel(w), **options))

    ours = lambda x, w: fcnn.conv(x, w, padding=padding, padding_mode=mode, **options)
    agreement.agree(ours, theirs, (x, w))


@pytest.mark.parametrize("seed", range(24))
def test_conv_transpose(seed):
    """torch's kernel is (c, o / groups, *window). Neither library flips it."""
    rng, rank, size, window, stride, padding, dilation, (n, groups, c, o) = draw(200 + seed)
    axes = zip(size, stride, padding, window, dilation, strict=True)
    least = [(m - 1) * s - 2 * p + d * (k - 1) + 1 for m, s, p, k, d in axes]
    padding = tuple(p if m > 0 else 0 for p, m in zip(padding, least, strict=True))
    x, w, b = map(
        rng.standard_normal, ((n, *size, groups * c), (*window, groups * c, o), (groups * o,))
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    options |= {"output_padding": tuple(int(rng.integers(0, s)) for s in stride)}

    def theirs(x, w, b):
        w = w.movedim(-1, 0).movedim(-1, 0).contiguous()  # otherwise torch's backward pass fails
        return channels_last(TRANSPOSED[rank](image(x), w, b, **options))

    agreement.agree(lambda x, w, b: fcnn.conv_transpose(x, w, b, **options), theirs, (x, w, b))


@pytest.mark.parametrize("seed", range(20))
def test_separable_conv(seed):
    rng, rank, size, window, stride, padding, dilation, (n, m, c, o) = draw(300 + seed)
    shapes = (n, *size, c), (*window, 1, c * m), (c * m, o), (o,)
    options = {"stride": stride, "padding": padding, "dilation": dilation}

    def theirs(x, depthwise, pointwise, b):
        h = CONV[rank](image(x), kernel(depthwise), **options, groups=c)
        return channels_last(h) @ pointwise + b

    ours = lambda *arrays: fcnn.separable_conv(*arrays, **options)
    agreement.agree(ours, theirs, tuple(map(rng.standard_normal, shapes)))


@pytest.mark.parametrize("seed", range(20))
def test_weight_standardization(seed):
    """torch has no such function. The reference is layer_norm of each filter."""
    rng = np.random.default_rng(seed)
    shape = tuple(map(int, rng.integers(1, 5, size=2 + seed % 4)))
    eps = float(rng.choice([1e-5, 1e-3, 0.1]))

    def theirs(w):
        rows = w.reshape(-1, w.shape[-1]).T
        return F.layer_norm(rows, rows.shape[1:], eps=eps).T.reshape(w.shape)

    ours = lambda w: fcnn.weight_standardization(w, eps=eps)
    agreement.agree(ours, theirs, (rng.standard_normal(shape),))
