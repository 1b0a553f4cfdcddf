"""Random shift: y[i, j] = x[i - di, j - dj], with di and dj uniform in -pixels .. pixels."""

from fcnn.data.augment.augmentation import (
    Augmentation,
    augmentation,
    fill_like,
    random_windows,
    require_fill,
    require_within_image,
)
from fcnn.ops.validation import named, require, require_integers


def shift(pixels: int = 2, *, fill: float = 0) -> Augmentation:
    """Shift each image by up to `pixels` pixels along each axis, at random.

    Every integer shift of rows and of columns from -pixels to pixels is equally likely.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        pixels: the largest shift, at least 0 and less than h and w.
        fill: the value of pixels that enter the image.
    Units:  fill: those of x.
    Raises: ValueError for pixels below 0 or not smaller than the image, x without 4 axes, a fill
            that uint8 cannot hold, or a batch without x; TypeError if the batch is neither a dict
            nor a pair (x, y), x holds neither floats nor uint8, or key is not one random key.
    Cost:   one padded copy of x, and one gather.
    Source: LeCun et al. 1998, section III.C, which also distorts the training digits otherwise.

    >>> move, x = fcnn.data.augment.shift(1), jnp.arange(1.0, 10).reshape(1, 3, 3, 1)
    >>> batch = move(jax.random.key(0), {"x": x, "y": jnp.array([7])})
    >>> batch["x"][0, :, :, 0], batch["y"]
    (Array([[0., 1., 2.],
            [0., 4., 5.],
            [0., 7., 8.]], dtype=float32), Array([7], dtype=int32))
    """
    with named("shift"):
        require_integers(pixels=pixels)
        require(pixels >= 0, f"pixels {pixels} must be at least 0")
        require_fill(fill)

    def validate(x):
        require_within_image("pixels", pixels, min(x.shape[1:3]) - 1, x)
        fill_like(x, fill)

    def transform(key, x):
        return (random_windows(key, x, pixels, "constant", fill),)

    return augmentation("shift", transform, validate)
