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


def places(x, window, stride, padding, dilation, ceil_mode=False):
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
            cell = tuple(
                s * p + d * i - lo
                for s, p, d, i, (lo, _) in zip(stride, place, dilation, tap, pairs, strict=True)
            )
            inside = all(0 <= u < n for u, n in zip(cell, size, strict=True))
            asked = all(u < n + hi for u, (n, (_, hi), *_) in zip(cell, axes, strict=True))
            covered.append((tap, cell if inside else None if asked else "beyond"))
        yield place, covered, out


def outputs(n, lo, hi, reach, stride, ceil_mode):
    """Places along one axis, by trying one after the other."""
    start = places = 0
    while start + reach <= lo + n + hi:  # all of it is there
        start, places = start + stride, places + 1
    if ceil_mode and start < lo + n and start - stride + reach < lo + n + hi:
        places += 1  # cut off, but not wholly in the high padding, and the last left cells over
    return places


def conv(x, w, b=None, *, stride=1, padding="valid", dilation=1, groups=1):
    rank, o = w.ndim - 2, w.shape[-1]
    stride, dilation = ((v,) * rank if isinstance(v, int) else v for v in (stride, dilation))
    c = w.shape[-2]
    y = None
    for place, covered, out in places(x, w.shape[:-2], stride, padding, dilation):
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


def pool(x, window, number, *, stride=None, padding="valid", dilation=1, ceil_mode=False):
    """`number` makes one of the list of cells under the window; None stands for padding."""
    y = None
    stride = window if stride is None else stride
    for place, covered, out in places(x, window, stride, padding, dilation, ceil_mode):
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
