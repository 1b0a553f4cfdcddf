"""Position encodings: sinusoidal positional encoding, and rotary embedding (RoPE).

Attention does not depend on the order of its keys. These operators encode positions in x. With
position t and, for the i-th pair of features, the angle

    angle[t,i] = t / base^(2 i / c)

    positional_encoding    y[t,2i] = x[t,2i] + sin angle     y[t,2i+1] = x[t,2i+1] + cos angle
    rotary_embedding       (y_1, y_2) = (x_1 cos angle - x_2 sin angle,
                                         x_1 sin angle + x_2 cos angle)     for each pair of x

positional_encoding adds a constant, so dx = dy. rotary_embedding rotates each pair. The transpose
of a rotation is the rotation by the opposite angle, so dx is dy rotated back. Only the positions
are saved.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_flags, require_floats, require_numbers


@operator()
def positional_encoding(
    x: Float[Array, "n t c"], *, base: float = 10000.0
) -> Float[Array, "n t c"]:
    """Sinusoidal positional encoding, added to x: sines at even features and cosines at odd ones.

    Positions run from 0 to t - 1.

    Shapes: x (n, t, c) -> y (n, t, c), with c even.
    Options:
        base: at least 1; frequencies fall from 1 to almost 1 / base radians per step.
    Units:  plain numbers; angles are in radians.
    Raises: ValueError if c is odd, x does not have 3 axes, or base is below 1 or infinite;
            TypeError if x does not hold floats.
    Cost:   t c / 2 sines and t c / 2 cosines; one addition per entry.
    Source: Vaswani et al. 2017.

    >>> np.asarray(fcnn.positional_encoding(jnp.zeros((1, 3, 2)))).round(2)  # sin t, cos t
    array([[[ 0.  ,  1.  ],
            [ 0.84,  0.54],
            [ 0.91, -0.42]]], dtype=float32)
    """
    angle = _angles(jnp.arange(x.shape[1]), x, base)
    encoding = jnp.stack([jnp.sin(angle), jnp.cos(angle)], -1).reshape(1, *x.shape[1:])
    return (x.astype(encoding.dtype) + encoding).astype(x.dtype)


@positional_encoding.fwd
def positional_encoding_fwd(x, *, base):
    return positional_encoding.forward(x, base=base), ()


@positional_encoding.bwd
def positional_encoding_bwd(saved, dy, *, base):
    return (dy,)


@positional_encoding.validate
def _validate_encoding(x, *, base):
    require_floats(x=x)
    require(x.ndim == 3, f"x {x.shape} needs 3 axes, (n, t, c)")
    _validate(x, base)


@operator()
def rotary_embedding(
    x: Float[Array, "n t h d"],
    positions: Integer[Array, " t"] | Integer[Array, "n t"] | None = None,
    *,
    base: float = 10000.0,
    interleaved: bool = False,
) -> Float[Array, "n t h d"]:
    """Rotary position embedding (RoPE): each pair of features, rotated by an angle per position.

    The product of a rotated query and a rotated key depends only on the difference of positions.

    Shapes: x (n, t, h, d), positions (t,) or (n, t) -> y (n, t, h, d), with d even. positions are
            0 .. t - 1 if None.
    Options:
        base: at least 1; frequencies fall from 1 to almost 1 / base radians per step.
        interleaved: whether pairs are features 2 i and 2 i + 1, as in the paper, rather than i and
            i + d / 2.
    Units:  those of x; angles are in radians.
    Raises: ValueError if d is odd, shapes disagree, or base is below 1 or infinite; TypeError if x
            does not hold floats, or positions do not hold integers.
    Cost:   a sine and a cosine for each position and pair; 3 operations per entry.
    Source: Su et al. 2021, arXiv:2104.09864.

    >>> x = jnp.tile(jnp.array([1.0, 0.0]), (1, 3, 1, 1))
    >>> np.asarray(fcnn.rotary_embedding(x)).round(2)[0, :, 0]  # cos t, sin t
    array([[ 1.  ,  0.  ],
           [ 0.54,  0.84],
           [-0.42,  0.91]], dtype=float32)
    """
    return _rotated(x, positions, 1, base, interleaved)


@rotary_embedding.fwd
def rotary_embedding_fwd(x, positions, *, base, interleaved):
    return _rotated(x, positions, 1, base, interleaved), positions


@rotary_embedding.bwd
def rotary_embedding_bwd(positions, dy, *, base, interleaved):
    return _rotated(dy, positions, -1, base, interleaved), None


def _rotated(x, positions, sign, base, interleaved):
    """Each pair of x rotated by its angle (sign 1), or by the opposite angle (sign -1)."""
    positions = jnp.arange(x.shape[1]) if positions is None else positions
    angle = sign * jnp.expand_dims(_angles(positions, x, base), -2)  # the same for every head
    angle = angle.reshape((1,) * (4 - angle.ndim) + angle.shape)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    half = x.shape[-1] // 2
    axis, pairs = (-1, (half, 2)) if interleaved else (-2, (2, half))
    one, two = jnp.moveaxis(x.astype(angle.dtype).reshape(*x.shape[:-1], *pairs), axis, 0)
    y = jnp.stack([one * cos - two * sin, one * sin + two * cos], axis)
    return y.reshape(x.shape).astype(x.dtype)


def _angles(positions, x, base):
    """The angles (*positions, c/2), in float32 at least."""
    c, dtype = x.shape[-1], accumulation_dtype(x.dtype)
    frequency = jnp.asarray(base, dtype) ** (-jnp.arange(0, c, 2, dtype=dtype) / max(1, c))
    angle = positions.astype(dtype)[..., None]
    return angle * frequency.reshape((1,) * positions.ndim + (-1,))


@rotary_embedding.validate
def _validate_rotary(x, positions, *, base, interleaved):
    require_floats(x=x)
    require(x.ndim == 4, f"x {x.shape} needs 4 axes, (n, t, h, d)")
    _validate(x, base)
    if positions is not None:
        if not jnp.issubdtype(positions.dtype, jnp.integer):
            hold = f"positions hold {positions.dtype}, not integers"
            raise TypeError(f"{hold}; write positions.astype(int)")
        fits = positions.shape in (x.shape[1:2], x.shape[:2])
        require(fits, f"positions {positions.shape} need {x.shape[1:2]} or {x.shape[:2]}")
    require_flags(interleaved=interleaved)


def _validate(x, base):
    require(x.shape[-1] % 2 == 0, f"x {x.shape} needs an even number of features")
    require_numbers(base=base)
    require(1 <= base < math.inf, f"base {base} must be at least 1 and finite")


positional_encoding.cases = (
    Case("sequence", ((2, 3, 4),)),
    Case("other base", ((1, 5, 2),), {"base": 100}),
    Case("no examples", ((0, 3, 4),)),
    extreme("huge", normals((2, 3, 4), 1e9)),
    extreme("far positions", normals((1, 5000, 2), 1e-3)),
    rejects(r"x \(2, 3\) needs 3 axes", (2, 3)),
    rejects(r"x \(2, 3, 5\) needs an even number", (2, 3, 5)),
    rejects("base 'e' must be a number", (2, 3, 4), base="e", kind=TypeError),
    rejects("base 0 must be at least 1", (2, 3, 4), base=0),
    rejects("x holds int32", ints((2, 3, 4)), kind=TypeError),
)
rotary_embedding.cases = (
    Case("heads", ((2, 3, 2, 4), None)),
    Case(
        "positions", ((2, 3, 1, 4), ints((2, 3), below=100)), {"base": 100.0, "interleaved": True}
    ),
    Case("no examples", ((0, 3, 2, 4), ints((3,)))),
    extreme("huge", normals((2, 3, 1, 4), 1e9), ints((2, 3), below=4)),
    rejects(r"x \(2, 3, 4\) needs 4 axes", (2, 3, 4), None),
    rejects("needs an even number of features", (2, 3, 2, 5), None),
    rejects(r"positions \(2,\) need \(3,\) or \(2, 3\)", (2, 3, 2, 4), ints((2,))),
    rejects("positions hold float.*, not integers", (2, 3, 2, 4), (3,), kind=TypeError),
    rejects("base -1 must be at least 1", (2, 3, 2, 4), None, base=-1),
    rejects("interleaved 1 must be", (2, 3, 2, 4), None, interleaved=1, kind=TypeError),
    rejects("x holds int32", ints((2, 3, 2, 4)), None, kind=TypeError),
)
positional_encoding.torch_difference = "torch has none; the test compares with the formula"
rotary_embedding.torch_difference = "torch has none; the test compares with complex multiplication"
