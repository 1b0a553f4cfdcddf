"""Random brightness: y = clip(s x), with a factor s that is uniform around 1."""

import jax
import jax.numpy as jnp

from fcnn.data.augment.augmentation import Augmentation, augmentation, in_dtype, working_dtype
from fcnn.ops.validation import named, require, require_numbers


def brightness(strength: float) -> Augmentation:
    """Multiply each image by a factor that is uniform in [1 - strength, 1 + strength], and clip.

    All pixels and channels of an image have the same factor. Nothing is added. Floats are clipped
    to [0, 1], uint8 is rounded and clipped to 0..255. Subtract a mean afterwards, not before.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype.
    Options:
        strength: the largest change of the factor, from 0 to 1.
    Units:  x: floats from 0 (black) to 1, or uint8 from 0 to 255.
    Raises: ValueError for a strength outside [0, 1], x without 4 axes, or a batch without x;
            TypeError if the batch is neither a dict nor a pair (x, y), x holds neither floats nor
            uint8, or key is not one random key.
    Cost:   one random number per example, and one pass over x, in float32 at least.
    Source: Howard, arXiv:1312.5402, section 3.2; the factor: ColorJitter of torchvision.

    >>> brightness, x = fcnn.data.augment.brightness(0.5), jnp.full((3, 1, 1, 1), 100, jnp.uint8)
    >>> brightness(jax.random.key(0), {"x": x})["x"].ravel()
    Array([145, 148,  83], dtype=uint8)
    """
    with named("brightness"):
        require_numbers(strength=strength)
        require(0 <= strength <= 1, f"strength {strength} must lie in [0, 1]")

    def transform(key, x):
        dtype, shape = working_dtype(x.dtype), (x.shape[0], 1, 1, 1)
        s = jax.random.uniform(key, shape, jnp.float32, 1 - strength, 1 + strength)
        most = 255 if x.dtype == jnp.uint8 else 1
        return (in_dtype(jnp.clip(s.astype(dtype) * x.astype(dtype), 0, most), x.dtype),)

    return augmentation("brightness", transform)
