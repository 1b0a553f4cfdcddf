"""The windows of pooling: their options, and the number of cells in each."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from fcnn.ops.validation import require_flags, require_floats, require_rank
from fcnn.ops.window import Windows, windows


def pool_windows(x, window, stride, padding, dilation, ceil_mode) -> Windows:
    """The windows on x, which is an array or a shape, from the options of `max_pool`."""
    size = getattr(x, "shape", x)[1:-1]
    stride = window if stride is None else stride
    return windows(size, window, stride, padding, dilation, ceil_mode=ceil_mode)


def validate_windows(x, *, ceil_mode, count_include_pad=False, **options):
    require_floats(x=x)
    require_rank(3, x=x)
    require_flags(ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    pool_windows(x, **options, ceil_mode=ceil_mode)


def count_cells(geometry: Windows, dtype: jnp.dtype, *, padding: bool = False) -> Array:
    """The number of cells of x in each window, (1, *out, 1), or 1 for a window without cells of x.

    With `padding`, cells of padding count too, except for cells that `ceil_mode` added.
    """
    counts = np.ones((1,) * len(geometry.size), int)
    for axis, (n, k, s, d, (lo, hi), extra, m) in enumerate(
        zip(
            geometry.size,
            geometry.window,
            geometry.stride,
            geometry.dilation,
            geometry.padding,
            geometry.extra,
            geometry.out,
            strict=True,
        )
    ):
        first, last = (-lo, n + hi - extra) if padding else (0, n)
        cells = s * np.arange(m)[:, None] + d * np.arange(k) - lo
        real = ((cells >= first) & (cells < last)).sum(1)
        counts = counts * np.expand_dims(real, [a for a in range(len(geometry.size)) if a != axis])
    return jnp.asarray(np.maximum(counts, 1)[None, ..., None], dtype)
