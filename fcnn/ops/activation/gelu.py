"""Self-gated activations: x times a gate that opens as x grows.

    y = x g(x)          dx = (g(x) + x g'(x)) dy

These functions fall below 0 before they rise, so y does not determine the slope, and x is saved.
Where g or g' is 0, its product with x is 0, even if x is infinite. In half precision the gate is
computed in float32, since it may underflow where y does not, and y is rounded once.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import differentiate
from fcnn.ops.activation.sigmoid import hard_sigmoid
from fcnn.ops.activation.softplus import softplus
from fcnn.ops.case import Case, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator
from fcnn.ops.validation import require_flags, require_floats

X = Float[Array, "..."]


@operator()
def silu(x: X, *, beta: float = 1.0) -> X:
    """Sigmoid linear unit, also called swish: x sigmoid(beta x).

    Shapes: x (...) -> y (...).
    Options:
        beta: the steepness of the gate; 1.0 by default. As beta grows, y approaches relu(x).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or beta is not a number; ValueError unless 0 < beta
            < inf.
    Cost:   one exponential per entry; x is saved.
    Source: Elfwing, Uchibe & Doya, arXiv:1702.03118; beta: Ramachandran et al., arXiv:1710.05941.

    >>> fcnn.silu(jnp.array([-200.0, 0.0, 1.0]))
    Array([0.       , 0.       , 0.7310586], dtype=float32)
    """
    return _gated(x, lambda x: jax.nn.sigmoid(beta * x))


def silu_slope(x, beta):
    g = jax.nn.sigmoid(beta * x)
    return g + beta * times(x, g * (1 - g))


@operator()
def gelu(x: X, *, approximate: bool = False) -> X:
    """Gaussian error linear unit: x Phi(x), with the normal distribution function Phi.

    Shapes: x (...) -> y (...).
    Options:
        approximate: use the tanh form x (1 + tanh(u)) / 2 = x sigmoid(2 u), where
            u = sqrt(2 / pi) (x + 0.044715 x^3); False, the exact form, by default.
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats, or approximate is not a bool.
    Cost:   one erfc, or one exponential, per entry; x is saved.
    Source: Hendrycks & Gimpel, arXiv:1606.08415.

    >>> fcnn.gelu(jnp.array([-200.0, 0.0, 1.0]))
    Array([0.       , 0.       , 0.8413447], dtype=float32)
    """
    return _gated(x, lambda x: _gelu_gate(x, approximate)[0])


def _gelu_gate(x, approximate):
    """g and g'."""
    if not approximate:
        return _normal_distribution(x), _normal_density(x)
    x = jnp.clip(x, -40, 40)  # where |x| > 40, g is 0 or 1 in any precision
    c = 2 * math.sqrt(2 / math.pi)
    g = jax.nn.sigmoid(c * x * (1 + 0.044715 * jnp.square(x)))
    return g, c * g * (1 - g) * (1 + 3 * 0.044715 * jnp.square(x))


@jax.custom_jvp
def _normal_distribution(x):
    """Phi(x). Its slope is given, since jax 0.12.0 cannot differentiate erfc in shard_map."""
    return lax.erfc(-x / math.sqrt(2)) / 2


_normal_distribution.defjvps(lambda dx, y, x: _normal_density(x) * dx)


def _normal_density(x):
    x = jnp.clip(x, -40, 40)  # where |x| > 40, the density is 0 in any precision
    return jnp.exp(-jnp.square(x) / 2) / math.sqrt(2 * math.pi)


def _gelu_slope(x, approximate):
    g, dg = _gelu_gate(x, approximate)
    return g + times(x, dg)


@operator()
def hard_swish(x: X) -> X:
    """Piecewise quadratic swish: x min(max(x / 6 + 1/2, 0), 1), with slope 0 at -3 and 1 at 3.

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   two multiplications and two comparisons per entry; x is saved.
    Source: Howard et al., arXiv:1905.02244.

    >>> fcnn.hard_swish(jnp.array([-3.0, 0.0, 1.5, 3.0]))
    Array([0.   , 0.   , 1.125, 3.   ], dtype=float32)
    """
    return _gated(x, hard_sigmoid.forward)


def _hard_swish_slope(x):
    return hard_sigmoid.forward(x) + times(x, ((-3 < x) & (x < 3)).astype(x.dtype) / 6)


@operator()
def mish(x: X) -> X:
    """Mish: x tanh(softplus(x)).

    Shapes: x (...) -> y (...).
    Units:  x and y are plain numbers.
    Raises: TypeError if x does not hold floats.
    Cost:   one exponential, one logarithm and one tanh per entry; x is saved.
    Source: Misra, arXiv:1908.08681.

    >>> fcnn.mish(jnp.array([-200.0, 0.0, 200.0]))
    Array([  0.,   0., 200.], dtype=float32)
    """
    return _gated(x, lambda x: jnp.tanh(softplus.forward(x)))


def _mish_slope(x):
    g = jnp.tanh(softplus.forward(x))
    return g + times(x, (1 - g * g) * jax.nn.sigmoid(x))


def _gated(x, gate):
    wide = x.astype(accumulation_dtype(x.dtype))
    return times(wide, gate(wide)).astype(x.dtype)


def times(x: Array, g: Array) -> Array:
    """x g, but 0 where g is 0, and x where g is 1.

    At these ends autodiff of x g would multiply x by g' = 0, which gives NaN if x is infinite.
    """
    end = (g == 0) | (g == 1)
    return jnp.where(g == 1, x, jnp.where(end, jnp.zeros_like(x), x) * g)


SLOPES = {  # dy/dx in terms of x, and the kinks along x
    silu: (silu_slope, ()),
    gelu: (_gelu_slope, ()),
    hard_swish: (_hard_swish_slope, (-3, 3)),
    mish: (_mish_slope, ()),
}
differentiate(SLOPES, of="x")


@gelu.validate
def _validate_gelu(x, *, approximate):
    require_floats(x=x)
    require_flags(approximate=approximate)


by_tanh = {"approximate": True}
gelu.cases += (
    *(Case(f"{c.name}, by tanh", c.args, by_tanh) for c in gelu.cases if c.proved),
    rejects("approximate 'yes' must be True or False", (3,), approximate="yes", kind=TypeError),
)
