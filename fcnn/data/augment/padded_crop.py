"""Padded crop: pad the image on all sides, then crop a window of the original size at random."""

from fcnn.data.augment.augmentation import (
    Augmentation,
    augmentation,
    fill_like,
    random_windows,
    require_fill,
    require_within_image,
)
from fcnn.ops.validation import did_you_mean, named, require, require_integers

MODES = ("constant", "reflect", "edge")


def padded_crop(pad: int = 4, *, mode: str = "constant", fill: float = 0) -> Augmentation:
    """Pad each image by `pad` pixels on all sides, and crop a window of its size at random.

    Each of the (2 pad + 1)² windows is equally likely. In mode "constant", the images have the
    distribution of `shift(pad)`.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        pad: the width of the border, at least 0 and less than h and w.
        mode: "constant" pads with `fill`, "reflect" with the image mirrored at its outermost
            pixels, "edge" with its outermost pixels.
        fill: the value of the border in mode "constant".
    Units:  fill: those of x.
    Raises: ValueError for an unknown mode, a pad below 0 or not smaller than the image, x without
            4 axes, a fill that uint8 cannot hold, or a batch without x; TypeError if the batch is
            neither a dict nor a pair (x, y), x holds neither floats nor uint8, or key is not one
            random key.
    Cost:   one padded copy of x, and one gather.
    Source: He et al. 2016, section 4.2 (CIFAR-10, pad 4, zeros), after Lee et al. 2015.

    >>> crop, x = fcnn.data.augment.padded_crop(1), jnp.arange(1.0, 10).reshape(1, 3, 3, 1)
    >>> crop(jax.random.key(1), {"x": x})["x"][0, :, :, 0]
    Array([[2., 3., 0.],
           [5., 6., 0.],
           [8., 9., 0.]], dtype=float32)
    """
    with named("padded_crop"):
        near = did_you_mean(mode, MODES)
        require(mode in MODES, f"unknown mode {mode!r}; expected one of {', '.join(MODES)}{near}")
        require_integers(pad=pad)
        require(pad >= 0, f"pad {pad} must be at least 0")
        require_fill(fill)

    def validate(x):
        require_within_image("pad", pad, min(x.shape[1:3]) - 1, x)
        fill_like(x, fill)

    def transform(key, x):
        return (random_windows(key, x, pad, mode, fill),)

    return augmentation("padded_crop", transform, validate)
