"""Mixup: mix the examples of a batch in pairs, and their labels with the same share,

    x' = s x + (1 - s) x[p]        y' = s y + (1 - s) y[p],

with a share s of distribution Beta(alpha, alpha) and a random permutation p of the batch. As in the
paper's code, a batch draws one s. Its mean is unchanged.
"""

import jax
import jax.numpy as jnp

from fcnn.data.augment.augmentation import Augmentation, augmentation, in_dtype, working_dtype
from fcnn.ops import one_hot
from fcnn.ops.validation import named, require, require_counts, require_numbers


def mixup(alpha: float = 0.2, classes: int = 10) -> Augmentation:
    """Mix each example of a batch with another one, and their labels by the same share.

    The share has the distribution Beta(alpha, alpha). All examples of a batch have one share, and
    their partners are a random permutation of the batch, as in the paper's code. An example may be
    its own partner. Labels become floats (n, classes): train with `fcnn.soft_cross_entropy`.

    Shapes: (key, batch) -> batch; x (n, h, w, c) keeps its shape and dtype; y (n,) integers or
            (n, classes) -> y (n, classes) in the dtype of x, or in float32 if x holds uint8.
    Options:
        alpha: parameter of the distribution, above 0; a small alpha gives shares near 0 and 1.
        classes: number of classes; a label outside 0 .. classes - 1 gives a row of zeros.
    Units:  y: shares of the classes, from 0 to 1.
    Raises: ValueError if alpha is not above 0, classes is below 1, y has another shape, x has not
            4 axes, or the batch lacks x or y; TypeError if y (n,) does not hold integers, the
            batch is neither a dict nor a pair (x, y), x holds neither floats nor uint8, or key is
            not one random key.
    Cost:   one gather of the size of x; on a mesh, examples move between devices.
    Source: Zhang et al. 2018, arXiv:1710.09412; code: facebookresearch/mixup-cifar10.

    >>> mix = fcnn.data.augment.mixup(alpha=1.0, classes=3)
    >>> batch = mix(jax.random.key(3), (jnp.ones((3, 1, 1, 1)), jnp.array([0, 1, 2])))
    >>> batch["y"].round(1)
    Array([[0.2, 0. , 0.8],
           [0.8, 0.2, 0. ],
           [0. , 0.8, 0.2]], dtype=float32)
    """
    with named("mixup"):
        require_numbers(alpha=alpha)
        require(0 < alpha < float("inf"), f"alpha {alpha} must be above 0 and finite")
        require_counts(classes=classes)

    def validate(x, y):
        if y.ndim == 1 and not jnp.issubdtype(y.dtype, jnp.integer):
            raise TypeError(f"y {y.shape} holds {y.dtype}, not integer labels")
        shapes = (x.shape[:1], (*x.shape[:1], classes))
        expected = f"expected labels {shapes[0]} or {shapes[1]} for x {x.shape}"
        require(y.shape in shapes, f"y {y.shape}; {expected} and classes {classes}")

    def transform(key, x, y):
        for_share, for_partners = jax.random.split(key)
        s = jax.random.beta(for_share, alpha, alpha, (), jnp.float32)
        p = jax.random.permutation(for_partners, x.shape[0])
        dtype = working_dtype(x.dtype)
        y = (one_hot(y, classes=classes) if y.ndim == 1 else y).astype(dtype)
        of_y = jnp.float32 if x.dtype == jnp.uint8 else x.dtype
        mixed = lambda a: s.astype(dtype) * a + (1 - s.astype(dtype)) * a[p]
        return in_dtype(mixed(x.astype(dtype)), x.dtype), mixed(y).astype(of_y)

    return augmentation("mixup", transform, validate, entries=("x", "y"))
