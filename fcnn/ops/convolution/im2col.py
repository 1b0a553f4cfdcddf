"""im2col: every window of an image as one row, so that convolution is one matrix product.

    rows[n,p,(i,c)] = x[n, s p + d i - lo, c]                    im2col
    x[n,u,c]        = sum of rows[n,p,(i,c)] over all p, i with s p + d i - lo = u      col2im

Each is linear and the other's adjoint, so each is the other's gradient; nothing is saved.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.op import Case, Shape, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_floats, require_rank
from fcnn.ops.window import Axes, Padding, taps, taps_adjoint, windows


@operator(static=("window",))
def im2col(
    x: Float[Array, "n *size c"],
    window: Axes,
    *,
    stride: Axes = 1,
    padding: Padding = "valid",
    dilation: Axes = 1,
) -> Float[Array, "n *out k"]:
    """Every window of x as one row: taps in row-major order, channels innermost.

    Shapes: k = prod(window) c; out as for `conv`.
    Units:  those of x; padding reads as 0.
    Raises: ValueError if no window fits; TypeError for integers.
    Cost:   prod(window) times the memory of x, no arithmetic.
    Source: Chellapilla et al. 2006.
    """
    return rows_of(x, windows("im2col", x.shape[1:-1], window, stride, padding, dilation))


@im2col.fwd
def im2col_fwd(x, **options):
    return im2col.forward(x, **options), Shape(x.shape)


@im2col.bwd
def im2col_bwd(shape, drows, **options):
    return (col2im.forward(drows, size=shape[1:-1], **options),)


@im2col.validate
def _validate_im2col(x, *, window, stride, padding, dilation):
    require_floats("im2col", x=x)
    require_rank("im2col", 3, x=x)
    windows("im2col", x.shape[1:-1], window, stride, padding, dilation)


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
    """Put every row back where `im2col` read it, summing where windows overlap: im2col's adjoint.

    Shapes: `size` and `window` have one entry per spatial axis (or are one int); c = k /
            prod(window).
    Units:  those of rows.
    Raises: ValueError if rows are not what im2col gives at this size; TypeError for integers.
    Cost:   one addition per entry of rows.
    Source: Chellapilla et al. 2006.
    """
    return image_of(rows, _col2im_windows(rows, size, window, stride, padding, dilation))


@col2im.fwd
def col2im_fwd(rows, **options):
    return col2im.forward(rows, **options), None


@col2im.bwd
def col2im_bwd(_, dx, *, size, **options):
    return (im2col.forward(dx, **options),)


@col2im.validate
def _validate_col2im(rows, *, size, window, stride, padding, dilation):
    require_floats("col2im", rows=rows)
    require_rank("col2im", 3, rows=rows)
    geometry = _col2im_windows(rows, size, window, stride, padding, dilation)
    require(
        rows.shape[1:-1] == geometry.out,
        f"col2im: rows {rows.shape} have places other than {geometry.out}",
    )
    k = math.prod(geometry.window)
    require(
        rows.shape[-1] % k == 0, f"col2im: {k} taps do not divide rows of {rows.shape[-1]} entries"
    )


def _col2im_windows(rows, size, window, stride, padding, dilation):
    size = (size,) * (rows.ndim - 2) if isinstance(size, int) else size
    require(len(size) == rows.ndim - 2, f"col2im: size {size} and rows {rows.shape} differ in rank")
    return windows("col2im", size, window, stride, padding, dilation)


def rows_of(x, geometry):
    rows = jnp.stack(taps(x, geometry), axis=-2)  # n, *out, i, c
    return rows.reshape(*rows.shape[:-2], math.prod(rows.shape[-2:]))


def image_of(rows, geometry):
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
    rejects(r"places other than \(5, 4\)", (2, 4, 4, 18), size=(7, 5), window=(3, 2)),
    rejects("6 taps do not divide rows of 17", (2, 4, 4, 17), size=(6, 5), window=(3, 2)),
    rejects("differ in rank", (2, 4, 4, 18), size=(6,), window=3),
    rejects("rows holds int32", ints((2, 5, 6)), size=6, window=2, kind=TypeError),
)
