"""Lookup: class numbers to rows of a table, or of the identity.

    embedding   y[n,c] = table[i_n, c]        dtable[k,c] = sum_n dy[n,c] [i_n = k]
    one_hot     y[n,k] = [i_n = k]            no gradient: i_n is a whole number

n stands for all axes of the ids. Saved are the ids and the shape of the table: a row that was read
more than once sums what each reading gives it.

Shapes: ids and labels are class numbers 0 .. k - 1, of any shape.
Raises: TypeError for ids that are no integers; ValueError for a table without rows.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import Case, Shape, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_counts, require_floats


@operator()
def embedding(table: Float[Array, "k c"], ids: Integer[Array, "*n"]) -> Float[Array, "*n c"]:
    """The rows of a table that the ids name.

    An id outside 0 .. k - 1 gives NaN, with gradient 0, since a compiled program cannot raise; it
    does not count from the end.

    Units:  those of the table.
    Cost:   n c numbers read; as many added for the gradient, and k c set to 0 first.
    Source: Bengio et al. 2003.
    """
    inside, ids = _known(ids, table.shape[0])
    return jnp.where(inside[..., None], table[ids], jnp.nan)


@embedding.fwd
def embedding_fwd(table, ids):
    return embedding.forward(table, ids), (ids, Shape(table.shape))


@embedding.bwd
def embedding_bwd(saved, dy):
    ids, shape = saved
    inside, ids = _known(ids, shape[0])
    dy = jnp.where(inside[..., None], dy, jnp.zeros_like(dy))
    none = jnp.zeros(shape, accumulation_dtype(dy.dtype))
    return none.at[ids].add(dy.astype(none.dtype)).astype(dy.dtype), None


def _known(ids, k):
    """Which ids name a row, and the ids with 0 for those that do not."""
    ids = _long(ids)
    inside = (ids >= 0) & (ids < k)
    return inside, jnp.where(inside, ids, jnp.zeros_like(ids))


def _long(ids):
    """int8 and the like are too short to number every class."""
    return ids.astype(jnp.int32) if ids.dtype.itemsize < 4 else ids


@embedding.validate
def _validate_table(table, ids):
    require_floats("embedding", table=table)
    require(table.ndim == 2, f"embedding: table {table.shape} needs 2 axes")
    require(table.shape[0] > 0, f"embedding: table {table.shape} has no rows")
    _require_classes("embedding", ids=ids)


@operator()
def one_hot(labels: Integer[Array, "*n"], *, classes: int) -> Float[Array, "*n k"]:
    """1 at the class that each label names, 0 elsewhere.

    The floats are of JAX's default dtype. A label outside 0 .. classes - 1 gives 0 throughout.

    Units:  plain numbers.
    Cost:   n k comparisons.
    Source: Suits 1957.
    """
    labels = _long(labels)
    shape = (*labels.shape, classes)
    number = jax.lax.broadcasted_iota(labels.dtype, shape, labels.ndim)
    return (number == labels[..., None]).astype(float)


@one_hot.fwd
def one_hot_fwd(labels, *, classes):
    return one_hot.forward(labels, classes=classes), ()


@one_hot.bwd
def one_hot_bwd(saved, dy, *, classes):
    return (None,)


@one_hot.validate
def _validate_labels(labels, *, classes):
    _require_classes("one_hot", labels=labels)
    require_counts("one_hot", classes=classes)


def _require_classes(name, **given):
    for k, a in given.items():
        if not jnp.issubdtype(a.dtype, jnp.integer):
            raise TypeError(f"{name}: {k} hold {a.dtype}, not class numbers; write {k}.astype(int)")


embedding.cases = (
    Case("sentences", ((4, 3), ints((2, 5), below=4))),  # some rows are read twice
    Case("one id", ((4, 3), ints((), below=4))),
    Case("no ids", ((4, 3), ints((2, 0)))),
    extreme("one row read often", normals((1, 2), 1e9), ints((5000,), below=1)),
    rejects(r"table \(4,\) needs 2 axes", (4,), ints((2,))),
    rejects(r"table \(0, 3\) has no rows", (0, 3), ints((2,))),
    rejects("ids hold float.*, not class numbers", (4, 3), (2,), kind=TypeError),
    rejects("table holds int32", ints((4, 3)), ints((2,)), kind=TypeError),
)
one_hot.cases = (
    Case("labels", (ints((2, 3), below=4),), {"classes": 4}),
    Case("no labels", (ints((0,)),), {"classes": 4}),
    rejects("labels hold float.*, not class numbers", (3,), classes=4, kind=TypeError),
    rejects("classes 4.0 must be an integer", ints((3,)), classes=4.0, kind=TypeError),
    rejects("classes 0 must be at least 1", ints((3,)), classes=0),
    rejects("missing a required .*argument: 'classes'", ints((3,)), kind=TypeError),
)
