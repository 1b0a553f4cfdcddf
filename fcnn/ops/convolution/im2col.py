"""im2col and col2im: windows as rows of a matrix, which makes convolution a matrix product.

    rows[n,p,(i,c)] = x[n, s p + d i - lo, c]                    im2col
    x[n,u,c]        = sum of rows[n,p,(i,c)] over all p, i with s p + d i - lo = u      col2im

Both functions are linear and adjoint to each other, so `col2im` computes the gradient of `im2col`,
and `im2col` computes the gradient of `col2im`. Nothing is saved.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.op import Shape, operator
from fcnn.ops.taps import taps, taps_adjoint
from fcnn.ops.validation import require, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, windows


@operator(static=("window",))
def im2col(
    x: Float[Array, "n *size c"],
    window: Axes,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Float[Array, "n *out k"]:
    """im2col: copy every window of x into one row.

    Shapes: x (n, *size, c) -> (n, *out, k), k = prod(window) c, out as for `conv`. A row holds the
            taps in row-major order, channels innermost.
    Options:
        window: cells along each axis, one int or one per axis.
        stride: step between windows in cells, one int or one per axis; 1.
        padding: zero padding as for `conv`: an int, a sequence of ints or pairs (lo, hi), "valid",
            "same", "same_lower", "causal" or "full"; "valid".
        dilation: step between taps of a window in cells, one int or one per axis; 1.
    Units:  those of x.
    Raises: ValueError if no window fits the padded input; TypeError if x holds integers.
    Cost:   no arithmetic. The output has n prod(out) k numbers: at stride 1, about prod(window)
            times the size of x.
    Source: Chellapilla et al. 2006.

    >>> x = jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    >>> fcnn.im2col(x, 2)[0]
    Array([[1., 2.],
           [2., 3.],
           [3., 4.]], dtype=float32)
    """
    return image_to_rows(x, windows(x.shape[1:-1], window, stride, padding, dilation))


@im2col.fwd
def im2col_fwd(x, **options):
    return im2col.forward(x, **options), Shape(x.shape)


@im2col.bwd
def im2col_bwd(shape, drows, **options):
    return (col2im.forward(drows, size=shape[1:-1], **options),)


@im2col.validate
def _validate_im2col(x, *, window, stride, padding, dilation):
    require_floats(x=x)
    require_rank(3, x=x)
    windows(x.shape[1:-1], window, stride, padding, dilation)


@operator(static=("size", "window"))
def col2im(
    rows: Float[Array, "n *out k"],
    size: Axes,
    window: Axes,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Float[Array, "n *size c"]:
    """col2im: add every row to the window that `im2col` copied it from, the adjoint of `im2col`.

    Shapes: rows (n, *out, k) -> (n, *size, c), c = k / prod(window), out as for `conv`.
    Options:
        size: cells of the output along each axis, one int or one per axis.
        window: cells along each axis, one int or one per axis.
        stride: step between windows in cells, one int or one per axis; 1.
        padding: zero padding of the grid, as for `im2col`; "valid".
        dilation: step between taps of a window in cells, one int or one per axis; 1.
    Units:  those of rows.
    Raises: ValueError if rows do not have the shape that `im2col` returns for an input of `size`;
            TypeError if rows hold integers.
    Cost:   one addition per entry of rows.
    Source: Chellapilla et al. 2006.

    >>> rows = jnp.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])[None]
    >>> fcnn.col2im(rows, 4, 2).ravel()  # cells 1 and 2 are in two windows
    Array([1., 4., 6., 4.], dtype=float32)
    """
    return rows_to_image(rows, _col2im_windows(rows, size, window, stride, padding, dilation))


@col2im.fwd
def col2im_fwd(rows, **options):
    return col2im.forward(rows, **options), None


@col2im.bwd
def col2im_bwd(_, dx, *, size, **options):
    return (im2col.forward(dx, **options),)


@col2im.validate
def _validate_col2im(rows, *, size, window, stride, padding, dilation):
    require_floats(rows=rows)
    require_rank(3, rows=rows)
    geometry = _col2im_windows(rows, size, window, stride, padding, dilation)
    require(
        rows.shape[1:-1] == geometry.out,
        f"rows {rows.shape} need output size {geometry.out} for size {geometry.size}",
    )
    k = math.prod(geometry.window)
    entries = rows.shape[-1]
    require(entries % k == 0, f"rows {rows.shape} have {entries} entries, not a multiple of {k}")


def _col2im_windows(rows, size, window, stride, padding, dilation):
    size = (size,) * (rows.ndim - 2) if isinstance(size, int) else size
    require(len(size) == rows.ndim - 2, f"size {size} and rows {rows.shape} differ in spatial axes")
    return windows(size, window, stride, padding, dilation)


def image_to_rows(x, geometry):
    rows = jnp.stack(taps(x, geometry), axis=-2)  # n, *out, i, c
    return rows.reshape(*rows.shape[:-2], math.prod(rows.shape[-2:]))


def rows_to_image(rows, geometry):
    return taps_adjoint(jnp.split(rows, math.prod(geometry.window), axis=-1), geometry)


CASES = (
    ("plain", {}),
    ("strided", {"stride": (2, 1), "padding": ((1, 0), (2, 1))}),
    ("dilated", {"dilation": (1, 2), "padding": "same"}),
    ("ragged", {"stride": 3, "padding": "same_lower"}),
)
im2col.cases = (
    *(Case(name, ((2, 6, 5, 3),), {"window": (3, 2)} | options) for name, options in CASES),
    Case("1-D", ((2, 6, 3),), {"window": 2}),
    extreme("huge", normals((1, 5, 2), 1e9), window=3),
    rejects(r"exceeds the padded input \(3, 3\)", (2, 3, 3, 1), window=4),
    rejects("at least 3 axes", (2, 3), window=4),
    rejects("x holds int32", ints((2, 3, 3, 1)), window=2, kind=TypeError),
)
col2im.cases = (
    *(
        Case(name, ((2, *out, 18),), {"size": (6, 5), "window": (3, 2), **options})
        for (name, options), out in zip(CASES, ((4, 4), (3, 7), (6, 5), (2, 2)), strict=True)
    ),
    Case("1-D", ((2, 5, 6),), {"size": 6, "window": 2}),
    extreme("huge", normals((1, 3, 6), 1e4), size=5, window=3),
    rejects(
        r"need output size \(5, 4\) for size \(7, 5\)", (2, 4, 4, 18), size=(7, 5), window=(3, 2)
    ),
    rejects("have 17 entries, not a multiple of 6", (2, 4, 4, 17), size=(6, 5), window=(3, 2)),
    rejects("differ in spatial axes", (2, 4, 4, 18), size=(6,), window=3),
    rejects("rows holds int32", ints((2, 5, 6)), size=6, window=2, kind=TypeError),
)
