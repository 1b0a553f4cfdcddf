"""Rotary position embedding (RoPE): rotations of pairs of features by an angle per position.

Attention does not depend on the order of its keys. This operator encodes positions in queries and
keys. For position t, the i-th pair (x_1, x_2) of features of every head becomes

    y_1[t,h,i] = x_1[t,h,i] cos[t,i] - x_2[t,h,i] sin[t,i]
    y_2[t,h,i] = x_1[t,h,i] sin[t,i] + x_2[t,h,i] cos[t,i]

with the cosines and sines of the angles of `angles.py`, or with given tables cos and sin. Features
that belong to no pair pass unchanged. The map is linear in x, and linear in cos and sin, so

    dx_1[t,h,i] =  dy_1[t,h,i] cos[t,i] + dy_2[t,h,i] sin[t,i]
    dx_2[t,h,i] = -dy_1[t,h,i] sin[t,i] + dy_2[t,h,i] cos[t,i]
    dcos[t,i]   = sum_h dy_1[t,h,i] x_1[t,h,i] + dy_2[t,h,i] x_2[t,h,i]
    dsin[t,i]   = sum_h dy_2[t,h,i] x_1[t,h,i] - dy_1[t,h,i] x_2[t,h,i]

dx is dy rotated by the opposite angle: sin becomes -sin. Tables (t, r) are the same for every
example, so dcos and dsin are summed over the examples too. The positions are saved, or, where
tables are given, x and the tables.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.attention.angles import angles, require_base, require_positions
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_counts, require_flags, require_floats

Table = Float[Array, "t r"] | Float[Array, "n t r"]


@operator()
def rotary_embedding(
    x: Float[Array, "n t h d"],
    positions: Integer[Array, " t"] | Integer[Array, "n t"] | None = None,
    cos: Table | None = None,
    sin: Table | None = None,
    *,
    base: float = 10000.0,
    interleaved: bool = False,
    features: int | None = None,
) -> Float[Array, "n t h d"]:
    """Rotary position embedding (RoPE): each pair of features, rotated by an angle per position.

    The product of a rotated query and a rotated key depends only on the difference of positions.

    Shapes: x (n, t, h, d), positions (t,) or (n, t), cos and sin (t, r) or (n, t, r)
            -> y (n, t, h, d). positions are 0 .. t - 1 if None. cos and sin are the cosines and
            sines of given angles, such as scaled angles for long contexts. With them, the first
            2 r features are rotated, and positions, base and features have no use.
    Options:
        base: at least 1; frequencies fall from 1 to almost 1 / base radians per step.
        interleaved: whether pairs are features 2 i and 2 i + 1, as in the paper, rather than i and
            i + f / 2, with f the number of rotated features.
        features: f, the number of leading features that are rotated, even; d if None. The other
            features pass unchanged (partial rotation, as in GPT-NeoX and Phi).
    Units:  those of x; angles are in radians.
    Raises: ValueError if the number of rotated features is odd or above d, shapes disagree, only
            one of cos and sin is given, positions or features are given beside them, or base is
            below 1 or infinite; TypeError if x, cos or sin do not hold floats of one dtype, or
            positions do not hold integers.
    Cost:   a sine and a cosine for each position and pair, unless given; 3 operations per rotated
            entry. The gradients of cos and sin take 3 more.
    Source: Su et al. 2021, arXiv:2104.09864; partial rotation: Black et al. 2022, arXiv:2204.06745.

    >>> x = jnp.tile(jnp.array([1.0, 0.0]), (1, 3, 1, 1))
    >>> np.asarray(fcnn.rotary_embedding(x)).round(2)[0, :, 0]  # cos t, sin t
    array([[ 1.  ,  0.  ],
           [ 0.54,  0.84],
           [-0.42,  0.91]], dtype=float32)
    >>> zero, one = jnp.zeros((3, 1)), jnp.ones((3, 1))  # a quarter turn
    >>> fcnn.rotary_embedding(x, cos=zero, sin=one)[0, 0, 0]
    Array([0., 1.], dtype=float32)
    """
    c, s = _tables(x, positions, cos, sin, base, features)
    return _rotated(x, c, s, interleaved)


@rotary_embedding.fwd
def rotary_embedding_fwd(x, positions, cos, sin, **options):
    y = rotary_embedding.forward(x, positions, cos, sin, **options)
    return y, (None if cos is None else x, positions, cos, sin)


@rotary_embedding.bwd
def rotary_embedding_bwd(saved, dy, *, base, interleaved, features):
    x, positions, cos, sin = saved
    c, s = _tables(dy, positions, cos, sin, base, features)
    dx = _rotated(dy, c, -s, interleaved)
    if cos is None:
        return dx, None, None, None
    x_1, x_2 = _pairs(x, c, interleaved)
    dy_1, dy_2 = _pairs(dy, c, interleaved)
    over = (0, 2) if cos.ndim == 2 else (2,)  # examples and heads, or heads
    dcos = (dy_1 * x_1 + dy_2 * x_2).sum(over)
    dsin = (dy_2 * x_1 - dy_1 * x_2).sum(over)
    return dx, None, dcos.astype(cos.dtype), dsin.astype(sin.dtype)


def _tables(x, positions, cos, sin, base, features):
    """The cosines and sines (n|1, t, 1, r), the same for every head, in float32 at least."""
    if cos is None:
        angle = angles(positions, x, x.shape[-1] if features is None else features, base)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
    wide = accumulation_dtype(x.dtype)
    per_head = (jnp.expand_dims(a, -2).astype(wide) for a in (cos, sin))
    return tuple(a.reshape((1,) * (4 - a.ndim) + a.shape) for a in per_head)


def _rotated(x, cos, sin, interleaved):
    """y, from tables (n|1, t, 1, r)."""
    x_1, x_2 = _pairs(x, cos, interleaved)
    f = 2 * cos.shape[-1]
    y = jnp.stack([x_1 * cos - x_2 * sin, x_1 * sin + x_2 * cos], _axis(interleaved))
    y = y.reshape(*x.shape[:-1], f).astype(x.dtype)
    return y if f == x.shape[-1] else jnp.concatenate([y, x[..., f:]], -1)


def _pairs(x, cos, interleaved):
    """x_1 and x_2 (n, t, h, r), in the dtype of the tables."""
    r = cos.shape[-1]
    pairs = (r, 2) if interleaved else (2, r)
    pairs = x[..., : 2 * r].astype(cos.dtype).reshape(*x.shape[:-1], *pairs)
    return jnp.moveaxis(pairs, _axis(interleaved), 0)


def _axis(interleaved):
    """The axis of the two features of a pair, next to the axis of the pairs."""
    return -1 if interleaved else -2


@rotary_embedding.validate
def _validate(x, positions, cos, sin, *, base, interleaved, features):
    require_floats(x=x, cos=cos, sin=sin)
    require(x.ndim == 4, f"x {x.shape} needs 4 axes, (n, t, h, d)")
    if cos is None and sin is None:
        even = features is not None or x.shape[-1] % 2 == 0
        advice = f"write features={x.shape[-1] - 1} to rotate all but the last"
        require(even, f"x {x.shape} needs an even number of features; {advice}")
    else:
        _validate_tables(x, positions, cos, sin, features)
    require_positions(x, positions)
    require_base(base)
    require_flags(interleaved=interleaved)
    if features is not None:
        require_counts(features=features)
        fits = features % 2 == 0 and features <= x.shape[-1]
        require(
            fits, f"features {features} must be even, and at most {x.shape[-1]} for x {x.shape}"
        )


def _validate_tables(x, positions, cos, sin, features):
    if cos is None or sin is None:
        given, missing = ("cos", "sin") if sin is None else ("sin", "cos")
        raise ValueError(
            f"{given} is given without {missing}; write {missing}=jnp.{missing}(angle)"
        )
    require(positions is None, "positions are given beside cos and sin; write positions=None")
    both = f"features {features} are given beside cos {cos.shape}"
    require(features is None, f"{both}; write cos[..., :{(features or 0) // 2}], sin likewise")
    fits = cos.ndim in (2, 3) and cos.shape[:-1] in (x.shape[1:2], x.shape[:2])
    n, t = x.shape[:2]
    require(fits, f"cos {cos.shape} needs shape ({t}, r) or ({n}, {t}, r) for x {x.shape}")
    require(sin.shape == cos.shape, f"cos {cos.shape} and sin {sin.shape} differ in shape")
    wide = 2 * cos.shape[-1]
    require(wide <= x.shape[-1], f"cos {cos.shape} rotates {wide} features, but x is {x.shape}")


X, NONE = (2, 3, 2, 4), (None, None, None)
TABLES = (3, 2), (3, 2)
rotary_embedding.cases = (
    Case("heads", (X, *NONE)),
    Case(
        "positions",
        ((2, 3, 1, 4), ints((2, 3), below=100), None, None),
        {"base": 100.0, "interleaved": True},
    ),
    Case("some features", ((2, 3, 2, 5), *NONE), {"features": 4}),
    Case("some interleaved", ((2, 3, 2, 6), *NONE), {"features": 4, "interleaved": True}),
    Case("tables", (X, None, *TABLES)),
    Case("tables of examples", (X, None, (2, 3, 1), (2, 3, 1)), {"interleaved": True}),
    Case("no examples", ((0, 3, 2, 4), ints((3,)), None, None)),
    Case("no examples for tables", ((0, 3, 2, 4), None, *TABLES)),
    extreme("huge", normals((2, 3, 1, 4), 1e9), ints((2, 3), below=4), None, None),
    extreme("huge beside tables", normals((2, 3, 1, 4), 1e9), None, *TABLES),
    extreme("many heads", normals((2, 3, 300, 4), 30), None, *TABLES),
    rejects(r"x \(2, 3, 4\) needs 4 axes", (2, 3, 4), *NONE),
    rejects("needs an even number of features; write features=4 to", (2, 3, 2, 5), *NONE),
    rejects(r"positions \(2,\) need \(3,\) or \(2, 3\)", X, ints((2,)), None, None),
    rejects("positions hold float.*, not integers", X, (3,), None, None, kind=TypeError),
    rejects("base -1 must be at least 1", X, *NONE, base=-1),
    rejects("interleaved 1 must be", X, *NONE, interleaved=1, kind=TypeError),
    rejects("x holds int32", ints(X), *NONE, kind=TypeError),
    rejects("features 3 must be even, and at most 4", X, *NONE, features=3),
    rejects("features 6 must be even, and at most 4", X, *NONE, features=6),
    rejects("features 2.0 must be an integer", X, *NONE, features=2.0, kind=TypeError),
    rejects("cos is given without sin; write sin=jnp.sin", X, None, (3, 2), None),
    rejects("sin is given without cos; write cos=jnp.cos", X, None, None, (3, 2)),
    rejects("positions are given beside cos and sin; write pos", X, ints((3,)), *TABLES),
    rejects(r"features 2 are given beside cos \(3, 2\); write cos", X, None, *TABLES, features=2),
    rejects(r"cos \(4, 2\) needs shape \(3, r\) or \(2, 3, r\)", X, None, (4, 2), (4, 2)),
    rejects(r"cos \(3, 2\) and sin \(3, 1\) differ", X, None, (3, 2), (3, 1)),
    rejects(r"cos \(3, 3\) rotates 6 features, but x is", X, None, (3, 3), (3, 3)),
    rejects("sin holds int32", X, None, (3, 2), ints((3, 2)), kind=TypeError),
)
rotary_embedding.torch_difference = "torch has none; the test compares with complex multiplication"
