"""The textbook's definitions, with plain loops over NumPy arrays: slow, and obviously right."""

import itertools
import math

import numpy as np


def pad_pairs(padding, size, window, stride, dilation):
    """(lo, hi) per axis, as asked for, from the definition of each word."""
    pairs = []
    for axis, (n, k, s, d) in enumerate(zip(size, window, stride, dilation, strict=True)):
        reach = d * (k - 1) + 1
        missing = max(0, (math.ceil(n / s) - 1) * s + reach - n)
        named = {
            "valid": (0, 0),
            "same": (missing // 2, missing - missing // 2),
            "same_lower": (missing - missing // 2, missing // 2),
            "causal": (reach - 1, 0),
            "full": (reach - 1, reach - 1),
        }
        pair = (
            named[padding]
            if isinstance(padding, str)
            else padding
            if isinstance(padding, int)
            else padding[axis]
        )
        pairs.append((pair, pair) if isinstance(pair, int) else tuple(pair))
    return pairs


def read(u, n, mode):
    """Which of n cells the padded cell u shows, by walking there; None for a zero."""
    if mode == "zeros" and not 0 <= u < n:
        return None
    while not 0 <= u < n:
        if mode == "edge":
            u += 1 if u < 0 else -1
        elif mode == "wrap":
            u += n if u < 0 else -n
        elif mode == "reflect":
            u = -u if u < 0 else 2 * (n - 1) - u
    return u


def places(x, window, stride, padding, dilation, mode="zeros", ceil_mode=False):
    """For every place of the window: its index, and the cells it covers as (tap, cell or None).

    None is padding that was asked for, and "beyond" what `ceil_mode` adds.
    """
    rank = x.ndim - 2
    window, stride, dilation = (
        (v,) * rank if isinstance(v, int) else tuple(v) for v in (window, stride, dilation)
    )
    size = x.shape[1:-1]
    pairs = pad_pairs(padding, size, window, stride, dilation)
    axes = list(zip(size, pairs, window, stride, dilation, strict=True))
    out = [outputs(n, lo, hi, d * (k - 1) + 1, s, ceil_mode) for n, (lo, hi), k, s, d in axes]
    for place in itertools.product(*map(range, out)):
        covered = []
        for tap in itertools.product(*map(range, window)):
            at = tuple(
                s * p + d * i - lo
                for s, p, d, i, (lo, _) in zip(stride, place, dilation, tap, pairs, strict=True)
            )
            cell = tuple(read(u, n, mode) for u, n in zip(at, size, strict=True))
            asked = all(u < n + hi for u, (n, (_, hi), *_) in zip(at, axes, strict=True))
            covered.append((tap, cell if None not in cell else None if asked else "beyond"))
        yield place, covered, out


def outputs(n, lo, hi, reach, stride, ceil_mode):
    """Places along one axis, by trying one after the other."""
    start = places = 0
    while start + reach <= lo + n + hi:  # all of it is there
        start, places = start + stride, places + 1
    if ceil_mode and start < lo + n and start - stride + reach < lo + n + hi:
        places += 1  # cut off, but not wholly in the high padding, and the last left cells over
    return places


def conv(x, w, b=None, *, stride=1, padding="valid", padding_mode="zeros", dilation=1, groups=1):
    rank, o = w.ndim - 2, w.shape[-1]
    stride, dilation = ((v,) * rank if isinstance(v, int) else v for v in (stride, dilation))
    c = w.shape[-2]
    y = None
    for place, covered, out in places(x, w.shape[:-2], stride, padding, dilation, padding_mode):
        y = np.zeros((len(x), *out, o)) if y is None else y
        for n, k in itertools.product(range(len(x)), range(o)):
            first = k // (o // groups) * c  # channel that this output's group starts at
            total = 0.0 if b is None else b[k]
            for tap, cell in covered:
                if cell is not None:
                    for i in range(c):
                        total += x[n, *cell, first + i] * w[*tap, i, k]
            y[n, *place, k] = total
    return y


def conv_transpose(
    x, w, b=None, *, stride=1, padding="valid", output_padding=0, dilation=1, groups=1
):
    """Every cell of x, times every tap, written where it lands, unless that is cropped.

    None if everything is.
    """
    rank, size = w.ndim - 2, x.shape[1:-1]
    stride, dilation, output_padding = (
        (v,) * rank if isinstance(v, int) else v for v in (stride, dilation, output_padding)
    )
    grown = [n * s for n, s in zip(size, stride, strict=True)]
    pairs = pad_pairs(padding, grown, w.shape[:-2], stride, dilation)
    axes = zip(size, stride, pairs, dilation, w.shape[:-2], output_padding, strict=True)
    out = [(n - 1) * s - lo - hi + d * (k - 1) + 1 + extra for n, s, (lo, hi), d, k, extra in axes]
    out = grown if padding in ("same", "same_lower") else out
    if min(out) < 1:
        return None
    c, o = w.shape[-2] // groups, w.shape[-1]
    y = np.zeros((len(x), *out, o * groups)) + (0 if b is None else b)
    for p, i in itertools.product(np.ndindex(*size), np.ndindex(*w.shape[:-2])):
        axes = zip(stride, p, dilation, i, pairs, strict=True)
        cell = tuple(s * place + d * tap - lo for s, place, d, tap, (lo, _) in axes)
        if all(0 <= u < m for u, m in zip(cell, out, strict=True)):
            for g, a, k in itertools.product(range(groups), range(c), range(o)):
                y[:, *cell, g * o + k] += x[:, *p, g * c + a] * w[*i, g * c + a, k]
    return y


def separable_conv(x, depthwise, pointwise, b=None, **how):
    h = conv(x, depthwise, groups=x.shape[-1], **how)
    return conv(h, pointwise.reshape(*(1,) * (x.ndim - 2), *pointwise.shape), b)


def pool(x, window, number, *, stride=None, padding="valid", dilation=1, ceil_mode=False):
    """`number` makes one of the list of cells under the window; None stands for padding."""
    y = None
    stride = window if stride is None else stride
    for place, covered, out in places(x, window, stride, padding, dilation, ceil_mode=ceil_mode):
        y = np.zeros((len(x), *out, x.shape[-1])) if y is None else y
        asked = [cell for _, cell in covered if cell != "beyond"]
        for n, c in itertools.product(range(len(x)), range(x.shape[-1])):
            y[n, *place, c] = number([None if u is None else x[n, *u, c] for u in asked])
    return y


def max_pool(x, window, **how):
    number = lambda cells: max((v for v in cells if v is not None), default=-math.inf)
    return pool(x, window, number, **how)


def avg_pool(x, window, *, count_include_pad=False, **how):
    def number(cells):
        real = [v for v in cells if v is not None]
        return sum(real) / max(1, len(cells) if count_include_pad else len(real))

    return pool(x, window, number, **how)


def lp_pool(x, window, *, p=2, mean=False, **how):
    def number(cells):
        real = [abs(v) for v in cells if v is not None]
        if p == math.inf:
            return max(real, default=0)
        return (sum(v**p for v in real) / max(1, len(real) if mean else 1)) ** (1 / p)

    return pool(x, window, number, **how)


def im2col(x, window, **how):
    """Row after row, by reading the cells one at a time."""
    rows = None
    how = {"stride": 1, "padding": "valid", "dilation": 1} | how
    for place, covered, out in places(x, window, **how):
        row = [
            0 * x[:, *(0 for _ in place)] if cell is None else x[:, *cell] for _, cell in covered
        ]
        rows = np.zeros((len(x), *out, len(row) * x.shape[-1])) if rows is None else rows
        rows[:, *place] = np.concatenate(row, axis=-1)
    return rows
