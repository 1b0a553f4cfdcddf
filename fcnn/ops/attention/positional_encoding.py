"""Sinusoidal positional encoding: sines and cosines of the position, added to x.

Attention does not depend on the order of its keys. This operator encodes positions in x. With the
angle of `angles.py` for position t and the i-th pair of features,

    y[t,2i] = x[t,2i] + sin angle[t,i]        y[t,2i+1] = x[t,2i+1] + cos angle[t,i]

A constant is added, so dx = dy. Nothing is saved.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.attention.angles import angles, require_base, require_positions
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats


@operator()
def positional_encoding(
    x: Float[Array, "n t c"],
    positions: Integer[Array, " t"] | Integer[Array, "n t"] | None = None,
    *,
    base: float = 10000.0,
) -> Float[Array, "n t c"]:
    """Sinusoidal positional encoding, added to x: sines at even features and cosines at odd ones.

    Shapes: x (n, t, c), positions (t,) or (n, t) -> y (n, t, c), with c even. positions are
            0 .. t - 1 if None.
    Options:
        base: at least 1; frequencies fall from 1 to almost 1 / base radians per step.
    Units:  plain numbers; angles are in radians.
    Raises: ValueError if c is odd, x does not have 3 axes, shapes disagree, or base is below 1 or
            infinite; TypeError if x does not hold floats, or positions do not hold integers.
    Cost:   c / 2 sines and c / 2 cosines for each position; one addition per entry.
    Source: Vaswani et al. 2017.

    >>> np.asarray(fcnn.positional_encoding(jnp.zeros((1, 3, 2)))).round(2)  # sin t, cos t
    array([[[ 0.  ,  1.  ],
            [ 0.84,  0.54],
            [ 0.91, -0.42]]], dtype=float32)
    """
    angle = angles(positions, x, x.shape[2], base)
    encoding = jnp.stack([jnp.sin(angle), jnp.cos(angle)], -1)
    encoding = encoding.reshape(*((1,) if angle.ndim == 2 else x.shape[:1]), *x.shape[1:])
    return (x.astype(encoding.dtype) + encoding).astype(x.dtype)


@positional_encoding.fwd
def positional_encoding_fwd(x, positions, *, base):
    return positional_encoding.forward(x, positions, base=base), ()


@positional_encoding.bwd
def positional_encoding_bwd(saved, dy, *, base):
    return dy, None


@positional_encoding.validate
def _validate(x, positions, *, base):
    require_floats(x=x)
    require(x.ndim == 3, f"x {x.shape} needs 3 axes, (n, t, c)")
    require(x.shape[2] % 2 == 0, f"x {x.shape} needs an even number of features")
    require_positions(x, positions)
    require_base(base)


positional_encoding.cases = (
    Case("sequence", ((2, 3, 4), None)),
    Case("other base", ((1, 5, 2), None), {"base": 100}),
    Case("positions", ((2, 3, 4), ints((2, 3), below=100))),
    Case("shared positions", ((2, 3, 4), ints((3,), below=100))),
    Case("no examples", ((0, 3, 4), None)),
    extreme("huge", normals((2, 3, 4), 1e9), None),
    extreme("far positions", normals((1, 5000, 2), 1e-3), None),
    extreme("given far positions", normals((1, 3, 2), 1e-3), ints((1, 3), below=5000)),
    rejects(r"x \(2, 3\) needs 3 axes", (2, 3), None),
    rejects(r"x \(2, 3, 5\) needs an even number", (2, 3, 5), None),
    rejects(r"positions \(2,\) need \(3,\) or \(2, 3\)", (2, 3, 4), ints((2,))),
    rejects(
        r"positions hold float.*, not integers; write positions.astype\(int\)",
        (2, 3, 4),
        (3,),
        kind=TypeError,
    ),
    rejects("base 'e' must be a number", (2, 3, 4), None, base="e", kind=TypeError),
    rejects("base 0 must be at least 1", (2, 3, 4), None, base=0),
    rejects("x holds int32", ints((2, 3, 4)), None, kind=TypeError),
)
positional_encoding.torch_difference = "torch has none; the test compares with the formula"
