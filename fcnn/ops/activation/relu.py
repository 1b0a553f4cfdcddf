"""Rectifiers: x where x > 0, and 0 or a multiple of x where x <= 0.

    relu          y = max(x, 0)                        dx = [y > 0] dy
    relu6         y = min(max(x, 0), 6)                dx = [0 < y < 6] dy
    leaky_relu    y = x, or slope x where x <= 0       dx = dy, or slope dy where y <= 0
    prelu         y = x, or slope[c] x where x <= 0
                  dx = dy, or slope[c] dy there        dslope[c] = sum_n dy x there

relu, relu6 and leaky_relu save only y, which determines the slope. The learned slope of prelu may
be negative. Then y does not have the sign of x, so prelu saves x.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import at_most_0, between, clipped, differentiate
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_rank

X = Float[Array, "..."]


@operator()
def relu(x: X) -> X:
    """Rectified linear unit: max(x, 0), with slope 0 at 0.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one comparison per entry; y is saved.
    Source: Nair & Hinton 2010; the slope at 0: Bertoin et al. 2021.

    >>> fcnn.relu(jnp.array([-1.0, 0.0, 2.0]))
    Array([0., 0., 2.], dtype=float32)
    """
    return jnp.where(x <= 0, jnp.zeros_like(x), x)  # NaN stays NaN


@operator()
def relu6(x: X) -> X:
    """Rectified linear unit capped at 6: min(max(x, 0), 6), with slope 0 at 0 and at 6.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   two comparisons per entry; y is saved.
    Source: Krizhevsky 2010.

    >>> fcnn.relu6(jnp.array([-1.0, 3.0, 8.0]))
    Array([0., 3., 6.], dtype=float32)
    """
    return clipped(x, 0, 6)


@operator()
def leaky_relu(x: X, *, slope: float = 0.01) -> X:
    """Leaky rectified linear unit: x, or slope x where x <= 0.

    Shapes: x (...) -> y (...).
    Options:
        slope: the slope at and below 0; 0.01 by default.
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or slope is not a number; ValueError unless 0 <
            slope < inf.
    Cost:   one multiplication per entry; y is saved.
    Source: Maas, Hannun & Ng 2013.

    >>> fcnn.leaky_relu(jnp.array([-4.0, 0.0, 2.0]), slope=0.25)
    Array([-1.,  0.,  2.], dtype=float32)
    """
    return jnp.where(x <= 0, slope * x, x)


SLOPES = {  # dy/dx in terms of y, and the kinks along x
    relu: (lambda y: jnp.where(y <= 0, 0, jnp.ones_like(y)), (0,)),
    relu6: (lambda y: between(y, 0, 6), (0, 6)),
    leaky_relu: (lambda y, slope: jnp.where(y <= 0, slope, jnp.ones_like(y)), (0,)),
}
differentiate(SLOPES, of="y")


@operator()
def prelu(x: Float[Array, "*n c"], slope: Float[Array, " c"]) -> Float[Array, "*n c"]:
    """Parametric rectified linear unit: x, or slope x where x <= 0, with one slope per channel.

    Shapes: x (*n, c), slope (c,) -> y (*n, c).
    Units:  y is in units of x; slope is a plain number.
    Raises: ValueError if shapes disagree; TypeError if x or slope does not hold floats.
    Cost:   one multiplication per entry; x and slope are saved.
    Source: He et al., arXiv:1502.01852.

    >>> fcnn.prelu(jnp.array([[-2.0, -2.0, 3.0]]), jnp.array([0.5, 0.25, 0.5]))
    Array([[-1. , -0.5,  3. ]], dtype=float32)
    """
    # without at_most_0, autodiff would compute 0 times an infinite x
    return jnp.where(x <= 0, _row(slope, x) * at_most_0(x), x)


@prelu.fwd
def prelu_fwd(x, slope):
    return prelu.forward(x, slope), (x, slope)


@prelu.bwd
def prelu_bwd(saved, dy):
    x, slope = saved
    dx = jnp.where(x <= 0, _row(slope, x) * dy, dy)
    below = at_most_0(x).astype(accumulation_dtype(x.dtype))
    dslope = (dy.astype(below.dtype) * below).sum(range(x.ndim - 1))
    return dx, dslope.astype(slope.dtype)


@prelu.validate
def _validate_prelu(x, slope):
    require_floats(x=x, slope=slope)
    require_rank(1, x=x)
    one_each = slope.shape == x.shape[-1:]
    require(one_each, f"slope {slope.shape} needs shape {x.shape[-1:]} for x {x.shape}")


def _row(v, x):
    """v (c,) with leading axes of size 1, so that it has the rank of x."""
    return v.reshape((1,) * (x.ndim - 1) + (-1,))


def _away_from_0(shape):
    """Entries at least 0.1 away from 0."""

    def draw(rng):
        x = rng.standard_normal(shape)
        return np.where(np.abs(x) < 0.1, x + 0.2, x)

    return draw


prelu.cases = (
    Case("rows", (_away_from_0((4, 3)), (3,))),
    Case("images", (_away_from_0((2, 2, 3, 2)), (2,))),
    Case("vector", (_away_from_0((3,)), (3,))),
    Case("no examples", ((0, 3), (3,))),
    Case("at zero", (lambda rng: np.zeros((2, 3)), (3,)), kink=True),
    extreme("huge", normals((4, 3), 1e9), (3,)),
    extreme("tiny slopes", (4, 3), normals((3,), 1e-6)),
    rejects(r"slope \(1,\) needs shape \(3,\)", (4, 3), (1,)),
    rejects("at least 1 axis", (), (3,)),
    rejects("x holds int32", ints((4, 3)), (3,), kind=TypeError),
)
