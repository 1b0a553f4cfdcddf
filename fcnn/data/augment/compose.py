"""Composition of augmentations: each one gets the output of the one before, and its own key."""

from inspect import get_annotations
from typing import Any

import jax

from fcnn.data.augment.augmentation import Augmentation, Batch, as_batch
from fcnn.ops.validation import named, require_key


def compose(*augmentations: Augmentation) -> Augmentation:
    """Apply `augmentations` in order, each with its own random key.

    Augmentation i gets the key jax.random.fold_in(key, i), from i = 0. Your own functions
    (key, batch) -> batch can be among them.

    Shapes: (key, batch) -> batch.
    Options:
        augmentations: functions (key, batch) -> batch, such as `shift(2)`.
    Raises: TypeError if one of `augmentations` is not such a function, the batch is neither a dict
            nor a pair (x, y), or key is not one random key; other errors name the augmentation.
    Cost:   that of `augmentations`.
    Source: Compose of torchvision.transforms.

    >>> augment = fcnn.data.augment
    >>> both = augment.compose(augment.shift(1), augment.cutout(1))
    >>> both(jax.random.key(0), {"x": jnp.ones((1, 3, 3, 1))})["x"][0, :, :, 0]
    Array([[1., 1., 0.],
           [1., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    with named("compose"):
        for i, each in enumerate(augmentations):
            if not callable(each):
                shown = " ".join(f"{each!r:.60}".split())
                raise TypeError(f"augmentation {i}, {shown}, is not a function; write shift(2)")
            if get_annotations(each).get("return") == Augmentation:
                name = each.__name__
                raise TypeError(f"augmentation {i} is {name} itself; write {name}(...)")

    def augment(key: Any, batch: Any) -> Batch:
        with named("compose"):
            require_key(key)
            batch = as_batch(batch)
        for i, each in enumerate(augmentations):
            batch = each(jax.random.fold_in(key, i), batch)
        return batch

    return augment
