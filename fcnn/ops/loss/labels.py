"""Integer labels 0 .. k - 1: validation, one-hot comparison, and cases of losses with labels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.activation.softmax import extreme_scores
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.validation import require, require_floats, require_rank

Rows = Float[Array, "*n k"]
Labels = Integer[Array, "*n"]
L = Float[Array, "*n"]


def one_hot_of(shape, labels):
    """One-hot labels [k = t_n], of shape (*n, k)."""
    if labels.dtype.itemsize < 4:  # int8 and int16 may not hold the largest class
        labels = labels.astype(jnp.int32)
    classes = jax.lax.broadcasted_iota(labels.dtype, shape, len(shape) - 1)
    return classes == labels[..., None]


def validate_labels(labels, **rows):
    require_floats(**rows)
    require_rank(1, **rows)
    ((k, z),) = rows.items()
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        is_distribution = labels.shape == z.shape
        do = "use soft_cross_entropy" if is_distribution else "write labels.astype(int)"
        raise TypeError(f"labels hold {labels.dtype}, not class numbers; {do}")
    one_each = labels.shape == z.shape[:-1]
    require(one_each, f"labels {labels.shape} need one class per row of {k} {z.shape}")
    require(z.shape[-1] > 0, f"{k} {z.shape} have no classes")


five = ints((6,), below=5)


def cases_of_labels(rows, example, *absent):
    """Cases of a loss with labels.

    `rows` names its first argument; `example` is an entry of `Case.args` for it, of shape (6, 5).
    """
    far_apart = lambda rng: 1e3 * rng.standard_normal((4, 5))
    limits = extreme_scores((3, 7)).items()
    return (
        Case("rows", (example, five, *absent)),
        Case("sequences", ((2, 3, 4), ints((2, 3), below=4), *absent)),
        Case("far apart", (far_apart, ints((4,), below=5), *absent)),
        Case("no examples", ((0, 5), ints((0,)), *absent)),
        *(extreme(name, z, ints((3,), below=7), *absent) for name, z in limits),
        rejects(rf"labels \(5,\) need one class per row of {rows}", (6, 5), ints((5,))),
        rejects("labels hold float.*, not class numbers", (6, 5), (6,), kind=TypeError),
        rejects(f"{rows} holds int32", ints((6, 5)), ints((6,)), kind=TypeError),
        rejects("have no classes", (6, 0), ints((6,))),
        rejects("at least 1 axis", (), ints(())),
    )
