"""Reference implementations: the textbook definitions as plain loops over NumPy arrays."""

import itertools
import math

import numpy as np


def pad_pairs(padding, size, window, stride, dilation):
    """(lo, hi) per axis, from the definition of each named padding."""
    pairs = []
    for axis, (n, k, s, d) in enumerate(zip(size, window, stride, dilation, strict=True)):
        effective = d * (k - 1) + 1
        missing = max(0, (math.ceil(n / s) - 1) * s + effective - n)
        named = {
            "valid": (0, 0),
            "same": (missing // 2, missing - missing // 2),
            "same_lower": (missing - missing // 2, missing // 2),
            "causal": (effective - 1, 0),
            "full": (effective - 1, effective - 1),
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
    """The cell (0 to n - 1) whose value is read at position u, or None for a padded zero."""
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


def windows(x, window, stride, padding, dilation, mode="zeros", ceil_mode=False):
    """Yield every output position, its window as pairs (tap, cell), and the output size.

    In a pair, the cell is None for a padded zero, and "beyond" for a cell that `ceil_mode` adds.
    """
    rank = x.ndim - 2
    window, stride, dilation = (
        (v,) * rank if isinstance(v, int) else tuple(v) for v in (window, stride, dilation)
    )
    size = x.shape[1:-1]
    pairs = pad_pairs(padding, size, window, stride, dilation)
    axes = list(zip(size, pairs, window, stride, dilation, strict=True))
    out = [output_size(n, lo, hi, d * (k - 1) + 1, s, ceil_mode) for n, (lo, hi), k, s, d in axes]
    for position in itertools.product(*map(range, out)):
        covered = []
        for tap in itertools.product(*map(range, window)):
            at = tuple(
                s * p + d * i - lo
                for s, p, d, i, (lo, _) in zip(stride, position, dilation, tap, pairs, strict=True)
            )
            cell = tuple(read(u, n, mode) for u, n in zip(at, size, strict=True))
            inside = all(u < n + hi for u, (n, (_, hi), *_) in zip(at, axes, strict=True))
            covered.append((tap, cell if None not in cell else None if inside else "beyond"))
        yield position, covered, out


def output_size(n, lo, hi, effective, stride, ceil_mode):
    """Count the output positions along one axis, by moving the window one stride at a time."""
    start = positions = 0
    while start + effective <= lo + n + hi:  # the whole window is within the padded input
        start, positions = start + stride, positions + 1
    if ceil_mode and start < lo + n and start - stride + effective < lo + n + hi:
        # The added window starts before the high padding, and the window before it does not reach
        # the end of the padded input.
        positions += 1
    return positions


def conv(x, w, b=None, *, stride=1, padding="valid", padding_mode="zeros", dilation=1, groups=1):
    rank, o = w.ndim - 2, w.shape[-1]
    stride, dilation = ((v,) * rank if isinstance(v, int) else v for v in (stride, dilation))
    c = w.shape[-2]
    y = None
    for position, covered, out in windows(x, w.shape[:-2], stride, padding, dilation, padding_mode):
        y = np.zeros((len(x), *out, o)) if y is None else y
        for n, k in itertools.product(range(len(x)), range(o)):
            first = k // (o // groups) * c  # first input channel of this output's group
            total = 0.0 if b is None else b[k]
            for tap, cell in covered:
                if cell is not None:
                    for i in range(c):
                        total += x[n, *cell, first + i] * w[*tap, i, k]
            y[n, *position, k] = total
    return y


def conv_transpose(
    x, w, b=None, *, stride=1, padding="valid", output_padding=0, dilation=1, groups=1
):
    """Add each product of a cell of x and a tap to a cell of y, unless that cell is cropped.

    Return None if the padding crops all of y.
    """
    rank, size = w.ndim - 2, x.shape[1:-1]
    stride, dilation, output_padding = (
        (v,) * rank if isinstance(v, int) else v for v in (stride, dilation, output_padding)
    )
    enlarged = [n * s for n, s in zip(size, stride, strict=True)]
    pairs = pad_pairs(padding, enlarged, w.shape[:-2], stride, dilation)
    axes = zip(size, stride, pairs, dilation, w.shape[:-2], output_padding, strict=True)
    out = [(n - 1) * s - lo - hi + d * (k - 1) + 1 + extra for n, s, (lo, hi), d, k, extra in axes]
    out = enlarged if padding in ("same", "same_lower") else out
    if min(out) < 1:
        return None
    c, o = w.shape[-2] // groups, w.shape[-1]
    y = np.zeros((len(x), *out, o * groups)) + (0 if b is None else b)
    for p, i in itertools.product(np.ndindex(*size), np.ndindex(*w.shape[:-2])):
        axes = zip(stride, p, dilation, i, pairs, strict=True)
        cell = tuple(s * p + d * i - lo for s, p, d, i, (lo, _) in axes)
        if all(0 <= u < m for u, m in zip(cell, out, strict=True)):
            for g, a, k in itertools.product(range(groups), range(c), range(o)):
                y[:, *cell, g * o + k] += x[:, *p, g * c + a] * w[*i, g * c + a, k]
    return y


def separable_conv(x, depthwise, pointwise, b=None, **options):
    h = conv(x, depthwise, groups=x.shape[-1], **options)
    return conv(h, pointwise.reshape(*(1,) * (x.ndim - 2), *pointwise.shape), b)


def pool(x, window, reduce, *, stride=None, padding="valid", dilation=1, ceil_mode=False):
    """Apply `reduce` to the cells of each window, a list in which None stands for padding."""
    y = None
    stride = window if stride is None else stride
    for position, covered, out in windows(
        x, window, stride, padding, dilation, ceil_mode=ceil_mode
    ):
        y = np.zeros((len(x), *out, x.shape[-1])) if y is None else y
        inside = [cell for _, cell in covered if cell != "beyond"]
        for n, c in itertools.product(range(len(x)), range(x.shape[-1])):
            y[n, *position, c] = reduce([None if u is None else x[n, *u, c] for u in inside])
    return y


def max_pool(x, window, **options):
    reduce = lambda cells: max((v for v in cells if v is not None), default=-math.inf)
    return pool(x, window, reduce, **options)


def avg_pool(x, window, *, count_include_pad=False, **options):
    def reduce(cells):
        real = [v for v in cells if v is not None]
        return sum(real) / max(1, len(cells) if count_include_pad else len(real))

    return pool(x, window, reduce, **options)


def lp_pool(x, window, *, p=2, mean=False, **options):
    def reduce(cells):
        real = [abs(v) for v in cells if v is not None]
        if p == math.inf:
            return max(real, default=0)
        return (sum(v**p for v in real) / max(1, len(real) if mean else 1)) ** (1 / p)

    return pool(x, window, reduce, **options)


def im2col(x, window, **options):
    """Concatenate the cells of each window into one row."""
    rows = None
    options = {"stride": 1, "padding": "valid", "dilation": 1} | options
    for position, covered, out in windows(x, window, **options):
        row = [
            0 * x[:, *(0 for _ in position)] if cell is None else x[:, *cell] for _, cell in covered
        ]
        rows = np.zeros((len(x), *out, len(row) * x.shape[-1])) if rows is None else rows
        rows[:, *position] = np.concatenate(row, axis=-1)
    return rows
