"""Lookup by integer id: rows of a table, or of the identity matrix.

    embedding   y[n,c] = table[i_n, c]        dtable[k,c] = sum_n dy[n,c] [i_n = k]
    one_hot     y[n,k] = [i_n = k]            no gradient: i_n is an integer

n stands for all axes of the ids. The ids and the shape of the table are saved. The gradient of a
row that is read more than once is the sum over its reads.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Shape, operator
from fcnn.ops.validation import require, require_counts, require_floats


@operator()
def embedding(table: Float[Array, "k c"], ids: Integer[Array, "*n"]) -> Float[Array, "*n c"]:
    """Look up rows of `table` by integer id.

    An id outside 0 .. k - 1 gives NaN, with gradient 0, since a compiled program cannot raise. A
    negative id does not count from the end.

    Shapes: table (k, c), ids (*n) of any shape -> y (*n, c).
    Units:  those of table.
    Raises: ValueError if table has no rows; TypeError if table does not hold floats, or ids do not
            hold integers.
    Cost:   n c numbers read; for the gradient, n c additions to a zero table of k c numbers.
    Source: Bengio et al. 2003.

    >>> table = jnp.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> fcnn.embedding(table, jnp.array([2, 0]))
    Array([[4., 5.],
           [0., 1.]], dtype=float32)
    """
    inside, ids = _in_range(ids, table.shape[0])
    return jnp.where(inside[..., None], table[ids], jnp.nan)


@embedding.fwd
def embedding_fwd(table, ids):
    return embedding.forward(table, ids), (ids, Shape(table.shape))


@embedding.bwd
def embedding_bwd(saved, dy):
    ids, shape = saved
    inside, ids = _in_range(ids, shape[0])
    dy = jnp.where(inside[..., None], dy, jnp.zeros_like(dy))
    zeros = jnp.zeros(shape, accumulation_dtype(dy.dtype))
    return zeros.at[ids].add(dy.astype(zeros.dtype)).astype(dy.dtype), None


def _in_range(ids, k):
    """Whether each id is in 0 .. k - 1, and the ids with 0 in place of ids out of this range."""
    ids = _at_least_int32(ids)
    inside = (ids >= 0) & (ids < k)
    return inside, jnp.where(inside, ids, jnp.zeros_like(ids))


def _at_least_int32(ids):
    """The ids in an integer type that can number every class."""
    return ids.astype(jnp.int32) if ids.dtype.itemsize < 4 else ids


@embedding.validate
def _validate_table(table, ids):
    require_floats(table=table)
    require(table.ndim == 2, f"table {table.shape} needs 2 axes")
    require(table.shape[0] > 0, f"table {table.shape} has no rows")
    _require_indices(ids=ids)


@operator()
def one_hot(labels: Integer[Array, "*n"], *, classes: int) -> Float[Array, "*n k"]:
    """One-hot encoding of integer `labels`: 1 at the label's class, 0 elsewhere.

    A label outside 0 .. classes - 1 gives a row of zeros.

    Shapes: labels (*n) of any shape -> y (*n, k) in JAX's default float dtype, with k = classes.
    Options:
        classes: the number of classes, at least 1.
    Units:  plain numbers.
    Raises: ValueError if classes < 1; TypeError if labels do not hold integers, or classes is not
            an integer.
    Cost:   n k comparisons.
    Source: Suits 1957.

    >>> fcnn.one_hot(jnp.array([2, 0]), classes=3)
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = _at_least_int32(labels)
    shape = (*labels.shape, classes)
    index = jax.lax.broadcasted_iota(labels.dtype, shape, labels.ndim)
    return (index == labels[..., None]).astype(float)


@one_hot.fwd
def one_hot_fwd(labels, *, classes):
    return one_hot.forward(labels, classes=classes), ()


@one_hot.bwd
def one_hot_bwd(saved, dy, *, classes):
    return (None,)


@one_hot.validate
def _validate_labels(labels, *, classes):
    _require_indices(labels=labels)
    require_counts(classes=classes)


def _require_indices(**arrays):
    for k, a in arrays.items():
        if not jnp.issubdtype(a.dtype, jnp.integer):
            raise TypeError(f"{k} hold {a.dtype}, not integers; write {k}.astype(int)")


embedding.cases = (
    Case("sentences", ((4, 3), ints((2, 5), below=4))),  # reads some rows twice
    Case("one id", ((4, 3), ints((), below=4))),
    Case("no ids", ((4, 3), ints((2, 0)))),
    extreme("many reads of one row", normals((1, 2), 1e9), ints((5000,), below=1)),
    rejects(r"table \(4,\) needs 2 axes", (4,), ints((2,))),
    rejects(r"table \(0, 3\) has no rows", (0, 3), ints((2,))),
    rejects("ids hold float.*, not integers", (4, 3), (2,), kind=TypeError),
    rejects("table holds int32", ints((4, 3)), ints((2,)), kind=TypeError),
)
one_hot.cases = (
    Case("labels", (ints((2, 3), below=4),), {"classes": 4}),
    Case("no labels", (ints((0,)),), {"classes": 4}),
    rejects("labels hold float.*, not integers", (3,), classes=4, kind=TypeError),
    rejects("classes 4.0 must be an integer", ints((3,)), classes=4.0, kind=TypeError),
    rejects("classes 0 must be at least 1", ints((3,)), classes=0),
    rejects("missing a required .*argument: 'classes'", ints((3,)), kind=TypeError),
)
