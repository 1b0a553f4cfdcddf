"""Dense (fully connected, affine) layer: every output depends on every input.

    y[n,o]  = b[o] + sum_c x[n,c] w[c,o]

    dx[n,c] = sum_o dy[n,o] w[c,o]
    dw[c,o] = sum_n x[n,c] dy[n,o]
    db[o]   = sum_n dy[n,o]

n is all axes of x but the last. x and w are saved.
"""

from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import contract, contract_wide
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_rank


@operator()
def dense(
    x: Float[Array, "*n c"], w: Float[Array, "c o"], b: Float[Array, " o"] | None = None
) -> Float[Array, "*n o"]:
    """Affine map of the last axis: x w + b.

    Shapes: x (*n, c), w (c, o), b (o,) -> y (*n, o).
    Units:  y and b are in units of x times units of w.
    Raises: ValueError if shapes disagree; TypeError if an argument does not hold floats.
    Cost:   n c o multiply-adds; twice that for the gradients.
    Source: Rosenblatt 1958; gradients: Rumelhart, Hinton & Williams 1986.

    >>> w = jnp.array([[1.0, 0.0], [10.0, 1.0]])
    >>> fcnn.dense(jnp.array([[1.0, 2.0]]), w, jnp.array([0.0, 5.0]))
    Array([[21.,  7.]], dtype=float32)
    """
    y = contract_wide(x, w, over=((x.ndim - 1,), (0,)))
    if b is not None:  # b is added before y is rounded: y without b may overflow then
        y = y + b.astype(y.dtype).reshape((1,) * (y.ndim - 1) + (-1,))
    return y.astype(x.dtype)


@dense.fwd
def dense_fwd(x, w, b):
    return dense.forward(x, w, b), (x, w, b)


@dense.bwd
def dense_bwd(saved, dy):
    x, w, b = saved
    n = tuple(range(dy.ndim - 1))
    dx = contract(dy, w, over=((dy.ndim - 1,), (1,)))
    dw = contract(x, dy, over=(n, n))
    return dx, dw, None if b is None else dy.sum(n)


@dense.validate
def _validate(x, w, b):
    require_floats(x=x, w=w, b=b)
    require_rank(1, x=x)
    require(w.ndim == 2, f"w {w.shape} needs 2 axes")
    require(
        x.shape[-1] == w.shape[0],
        f"x {x.shape} has {x.shape[-1]} features but w {w.shape} takes {w.shape[0]}",
    )
    require(
        b is None or b.shape == w.shape[1:],
        f"b {b is None or b.shape} needs shape ({w.shape[1]},)",
    )


dense.cases = (
    Case("plain", ((4, 3), (3, 5), (5,))),
    Case("without b", ((4, 3), (3, 5), None)),
    Case("sequence", ((2, 2, 4), (4, 6), (6,))),
    Case("vector", ((3,), (3, 2), (2,))),
    Case("no examples", ((0, 3), (3, 2), (2,))),
    extreme("huge", normals((4, 3), 1e9), (3, 5), normals((5,), 1e9)),
    extreme("tiny", normals((4, 3), 1e-6), (3, 5), normals((5,), 1e-6)),
    extreme(
        "b of opposite sign",
        normals((4, 3), 0, 6e4),
        normals((3, 5), 0, 0.5),
        normals((5,), 0, -6e4),
    ),
    extreme("long sums", (1, 65520), (65520, 1), (1,)),
    rejects(r"x \(4, 3\) has 3 features but w \(4, 5\) takes 4", (4, 3), (4, 5), None),
    rejects(r"w \(3,\) needs 2 axes", (4, 3), (3,), None),
    rejects(r"b \(4,\) needs shape \(5,\)", (4, 3), (3, 5), (4,)),
    rejects(r"x \(\) needs at least 1", (), (3, 5), None),
    rejects("x holds int32, not floats", ints((4, 3)), (3, 5), None, kind=TypeError),
)
