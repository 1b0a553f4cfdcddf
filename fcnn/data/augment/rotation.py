"""Random rotation about the centre of the image, by bilinear interpolation.

A pixel of y at (u, v) rows and columns from the centre has the value of x at

    row     u cos a + v sin a
    column  v cos a - u sin a        from the centre, for a counterclockwise angle a,

interpolated between the four pixels around this point. Pixels outside the image have the value
`fill`. The angle is a multiple of 90°, which only exchanges and negates the cosine and the sine,
and a rest of at most 45°, so that rotations by multiples of 90° are exact.
"""

from math import isfinite

import jax
import jax.numpy as jnp

from fcnn.data.augment.augmentation import (
    Augmentation,
    augmentation,
    fill_like,
    in_dtype,
    require_fill,
    working_dtype,
)
from fcnn.ops.validation import named, require, require_numbers


def rotation(degrees: float | tuple[float, float] = 15, *, fill: float = 0) -> Augmentation:
    """Rotate each image about its centre by an angle that is uniform in a range.

    Positive angles are counterclockwise. A rotation by 90° equals np.rot90 of a square image.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        degrees: the largest angle in either direction, at least 0, or a range (low, high).
        fill: the value of pixels outside the image.
    Units:  degrees: degrees of arc; fill: those of x.
    Raises: ValueError for degrees below 0, a range with low > high, x without 4 axes, a fill that
            uint8 cannot hold, or a batch without x; TypeError if the batch is neither a dict nor a
            pair (x, y), x holds neither floats nor uint8, or key is not one random key.
    Cost:   four gathers of the size of x, in float32 at least; uint8 is rounded at the end.
    Source: Simard et al. 2003, "Best practices for convolutional neural networks".

    >>> turn, x = fcnn.data.augment.rotation((90, 90)), jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> turn(jax.random.key(0), {"x": x})["x"][0, :, :, 0]
    Array([[2., 5., 8.],
           [1., 4., 7.],
           [0., 3., 6.]], dtype=float32)
    """
    with named("rotation"):
        low, high = _range(degrees)
        require_fill(fill)

    def validate(x):
        fill_like(x, fill)

    def transform(key, x):
        dtype = working_dtype(x.dtype)
        angles = jax.random.uniform(key, x.shape[:1], jnp.float32, low, high).astype(dtype)
        rotate = lambda x, angle: _rotated(x, angle, fill_like(x, fill))
        return (in_dtype(jax.vmap(rotate)(x, angles), x.dtype),)

    return augmentation("rotation", transform, validate)


def _range(degrees):
    """The range (low, high) of angles."""
    for each in degrees if isinstance(degrees, tuple) else (degrees,):
        require_numbers(degrees=each)
        require(isfinite(each), f"degrees {each} must be finite")
    if not isinstance(degrees, tuple):
        require(degrees >= 0, f"degrees {degrees} must be at least 0, or write (low, high)")
        return -degrees, degrees
    require(len(degrees) == 2, f"degrees {degrees} must be a number or a pair (low, high)")
    low, high = degrees
    require(low <= high, f"degrees {degrees} needs low <= high")
    return low, high


def _rotated(x, angle, fill):
    """One image (h, w, c), rotated by `angle` degrees, in the dtype of `angle`."""
    h, w, _ = x.shape
    cos, sin = _cos_sin(angle)
    u = jnp.arange(h, dtype=angle.dtype)[:, None] - (h - 1) / 2
    v = jnp.arange(w, dtype=angle.dtype)[None, :] - (w - 1) / 2
    top, down = _below(cos * u + sin * v + (h - 1) / 2, h)
    left, right = _below(cos * v - sin * u + (w - 1) / 2, w)
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=fill).astype(angle.dtype)
    right, down = right[..., None], down[..., None]
    upper = (1 - right) * padded[top, left] + right * padded[top, left + 1]
    lower = (1 - right) * padded[top + 1, left] + right * padded[top + 1, left + 1]
    return (1 - down) * upper + down * lower


def _below(position, size):
    """The index in the padded image of the pixel at or before `position`, and the rest in 0..1."""
    position = jnp.clip(position, -1, size)
    before = jnp.clip(jnp.floor(position), -1, size - 1)
    return before.astype(jnp.int32) + 1, position - before


def _cos_sin(angle):
    """Cosine and sine of an angle in degrees, exact for multiples of 90."""
    quarters = jnp.round(angle / 90)
    rest = jnp.deg2rad(angle - 90 * quarters)
    cos, sin = jnp.cos(rest), jnp.sin(rest)
    quarter = quarters.astype(jnp.int32) % 4
    return jnp.stack([cos, -sin, -cos, sin])[quarter], jnp.stack([sin, cos, -sin, -cos])[quarter]
