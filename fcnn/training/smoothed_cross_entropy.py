"""Label smoothing: cross-entropy of labels of which a share e is spread evenly over K classes,

q[n,k] = (1 - e) t[n,k] + e / K        l[n] = -sum_k q[n,k] log softmax(z)[n,k]
"""

import jax
import jax.numpy as jnp

from fcnn import ops
from fcnn.ops.validation import named, require, require_numbers
from fcnn.training.step import Loss


def smoothed_cross_entropy(share: float = 0.1) -> Loss:
    """Loss: softmax cross-entropy of smoothed labels, which may be integers or probabilities.

    So it can train on the labels of `fcnn.data.augment.mixup`, and validate on integers. For
    integers it equals `fcnn.softmax_cross_entropy` with label_smoothing=share.

    Shapes: of the loss: logits (*n, k), y (*n) integers or (*n, k) probabilities -> (*n).
    Options:
        share: of each label, that is spread evenly over all classes, from 0 to 1.
    Units:  nats.
    Raises: ValueError if the share is out of range; from the loss: ValueError if shapes disagree,
            TypeError if the logits do not hold floats.
    Source: Szegedy et al., arXiv:1512.00567.

    >>> loss = fcnn.training.smoothed_cross_entropy(0.2)
    >>> logits = jnp.log(jnp.array([[0.25, 0.75]]))
    >>> each = loss(logits, jnp.array([1])), loss(logits, jnp.array([[0.0, 1.0]]))
    >>> [round(float(a[0]), 4) for a in each]  # -0.1 log 0.25 - 0.9 log 0.75
    [0.3975, 0.3975]
    """
    with named("smoothed_cross_entropy"):
        require_numbers(share=share)
        require(0 <= share <= 1, f"share {share} must lie in [0, 1]")

    def loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
        if jnp.issubdtype(y.dtype, jnp.integer):
            return ops.softmax_cross_entropy(outputs, y, label_smoothing=share)
        y = y.astype(outputs.dtype)
        return ops.soft_cross_entropy(outputs, (1 - share) * y + share / y.shape[-1])

    return loss
