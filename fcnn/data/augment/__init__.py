"""Data augmentation: functions (key, batch) -> batch, each named after its method.

A batch is a dict of arrays with the batch axis n in front: images x (n, h, w, c), mostly labels y,
and any other entries. A pair (x, y) is accepted too. An augmentation returns a new dict with a new
x of the same shape and dtype. All other entries are the same arrays, but for y of `mixup`. Each
example draws its own random numbers, and the same key gives the same batch.

An augmentation runs eagerly, under jit, vmap and scan, and on a batch that is sharded over a mesh
with automatic or explicit axes. Apply it to training batches only.
"""

from fcnn.data.augment.augmentation import Augmentation, Batch
from fcnn.data.augment.brightness import brightness
from fcnn.data.augment.compose import compose
from fcnn.data.augment.cutout import cutout
from fcnn.data.augment.flip import flip
from fcnn.data.augment.mixup import mixup
from fcnn.data.augment.padded_crop import padded_crop
from fcnn.data.augment.rotation import rotation
from fcnn.data.augment.shift import shift

__all__ = [
    "Augmentation",
    "Batch",
    "brightness",
    "compose",
    "cutout",
    "flip",
    "mixup",
    "padded_crop",
    "rotation",
    "shift",
]
