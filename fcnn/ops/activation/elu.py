"""Activations that never fall, with the table of their slopes.

A function that never falls can tell its slope from y = f(x) alone:

    dx = slope(y) dy

So y is saved, which the next operator keeps anyway, being its x. But where y nears a limit other
than 0, a rounded y hides how near: alpha exp(x) is lost in y + alpha. elu and its relatives,
softsign and hard_sigmoid have a slope in terms of x that loses nothing, so they save x; sigmoid and
tanh have none that is better than theirs in y. No exponential is of a positive number, so none
overflows; infinity has its limit, and NaN stays NaN.

Shapes: any; y has the shape and dtype of x.
Units:  x and y are plain numbers; log_sigmoid is in nats.
Raises: TypeError for integers; ValueError for an option that is not positive.
Cost:   one pass over x, and one back over dy and x or y.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.elementwise import differentiate
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.op import operator

X = Float[Array, "..."]

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # of selu


@operator()
def relu(x: X) -> X:
    """max(x, 0), with slope 0 at 0. Source: Nair & Hinton 2010; Bertoin et al. 2021 for the 0."""
    return jnp.where(x <= 0, jnp.zeros_like(x), x)  # NaN stays NaN


@operator()
def relu6(x: X) -> X:
    """min(max(x, 0), 6), with slope 0 at 0 and at 6. Source: Krizhevsky 2010."""
    return _clipped(x, 0, 6)


@operator()
def leaky_relu(x: X, *, slope: float = 0.01) -> X:
    """x, or slope x where x <= 0: its slope at 0 is `slope`. Source: Maas, Hannun & Ng 2013."""
    return jnp.where(x <= 0, slope * x, x)


@operator()
def elu(x: X, *, alpha: float = 1.0) -> X:
    """x, or alpha (exp(x) - 1) where x <= 0: its slope at 0 is alpha.

    Source: Clevert, Unterthiner & Hochreiter, arXiv:1511.07289.
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x)), x)


@operator()
def selu(x: X) -> X:
    """SCALE elu(x) at alpha = ALPHA, which keeps mean 0 and variance 1.

    Its slope at 0 is SCALE ALPHA, about 1.758. Source: Klambauer et al., arXiv:1706.02515.
    """
    return SCALE * elu.forward(x, alpha=ALPHA)


@operator()
def celu(x: X, *, alpha: float = 1.0) -> X:
    """x, or alpha (exp(x / alpha) - 1) where x <= 0: its slope at 0 is 1.

    Source: Barron, arXiv:1704.07483.
    """
    return jnp.where(x <= 0, alpha * _expm1(at_most_0(x) / alpha), x)


@operator()
def sigmoid(x: X) -> X:
    """1 / (1 + exp(-x)). Source: Verhulst 1845."""
    return jax.nn.sigmoid(x)


@operator()
def log_sigmoid(x: X) -> X:
    """log(1 / (1 + exp(-x))), the log of a probability. Source: Cox 1958."""
    return -jax.nn.softplus(-x)


@operator()
def hard_sigmoid(x: X) -> X:
    """min(max(x / 6 + 1/2, 0), 1), with slope 0 at -3 and at 3. Source: Howard et al. 2019."""
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    return jnp.where(x <= -3, zero, jnp.where(x >= 3, one, (x + 3) / 6))


@operator()
def tanh(x: X) -> X:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Source: LeCun et al. 1998, "Efficient BackProp"."""
    return jnp.tanh(x)


@operator()
def hard_tanh(x: X) -> X:
    """min(max(x, -1), 1), with slope 0 at -1 and at 1. Source: Collobert 2004."""
    return _clipped(x, -1, 1)


@operator()
def softplus(x: X) -> X:
    """log(1 + exp(x)), a smooth relu. Source: Dugas et al. 2000."""
    return jax.nn.softplus(x)


@operator()
def softsign(x: X) -> X:
    """x / (1 + abs(x)), which saturates more slowly than tanh. Source: Bergstra et al. 2009."""
    most = jnp.finfo(x.dtype).max
    return _softsign(jnp.clip(x, -most, most))  # so that infinity is no quotient of two


@jax.custom_jvp
def _softsign(x):
    """Its slope is given: JAX takes the difference of two quotients, which cancels far out."""
    return x / (1 + jnp.abs(x))


_softsign.defjvps(lambda dx, y, x: _softsign_slope(x) * dx)


def _softsign_slope(x):
    return jnp.square(1 / (1 + jnp.abs(x)))


@operator()
def squareplus(x: X, *, b: float = 4.0) -> X:
    """(x + sqrt(x^2 + b)) / 2, a smooth relu without exponentials; f(x) f(-x) = b / 4.

    Source: Barron, arXiv:2112.11687.
    """
    size = jnp.where(x <= 0, -x, x).astype(accumulation_dtype(x.dtype))  # no sum of opposites
    far = size > 2 * math.sqrt(b / jnp.finfo(size.dtype).eps)  # there sqrt(x^2 + b) rounds to |x|
    near = jnp.where(far, jnp.ones_like(size), size)
    y = size / 2 + jnp.where(far, size, jnp.sqrt(jnp.square(near) + b)) / 2
    return jnp.where(x <= 0, b / 4 / y, y).astype(x.dtype)


def _squareplus_slope(y, b):
    """y^2 / (y^2 + b / 4), by the square of a quotient of at most 1, so that no power overflows."""
    c = math.sqrt(b) / 2
    low = y < c
    u = jnp.where(low, y, c) / jnp.where(low, c, y)
    return jnp.where(low, u * u, 1) / (1 + u * u)


SLOPES_OF_X = {  # dy/dx in terms of x, and the kinks along x
    elu: (lambda x, alpha: jnp.where(x <= 0, alpha * jnp.exp(at_most_0(x)), 1), (0,)),
    selu: (lambda x: SCALE * jnp.where(x <= 0, ALPHA * jnp.exp(at_most_0(x)), 1), (0,)),
    celu: (lambda x, alpha: jnp.where(x <= 0, jnp.exp(at_most_0(x) / alpha), 1), (0,)),
    softsign: (_softsign_slope, ()),
    hard_sigmoid: (lambda x: _between(x, -3, 3) / 6, (-3, 3)),
}
SLOPES = {  # the same in terms of y
    relu: (lambda y: jnp.where(y <= 0, 0, jnp.ones_like(y)), (0,)),
    relu6: (lambda y: _between(y, 0, 6), (0, 6)),
    leaky_relu: (lambda y, slope: jnp.where(y <= 0, slope, jnp.ones_like(y)), (0,)),
    sigmoid: (lambda y: y * (1 - y), ()),
    log_sigmoid: (lambda y: -jnp.expm1(y), ()),
    tanh: (lambda y: 1 - y * y, ()),
    hard_tanh: (lambda y: _between(y, -1, 1), (-1, 1)),
    softplus: (lambda y: -jnp.expm1(-y), ()),
    squareplus: (_squareplus_slope, ()),
}


def _clipped(x, lo, hi):
    """x within [lo, hi], flat at both ends; NaN stays NaN."""
    lo, hi = jnp.full_like(x, lo), jnp.full_like(x, hi)
    return jnp.where(x <= lo, lo, jnp.where(x >= hi, hi, x))


def _between(y, lo, hi):
    """[lo < y < hi]."""
    return ((lo < y) & (y < hi)).astype(y.dtype)


@jax.custom_jvp
def _expm1(x):
    """exp(x) - 1. Its slope is given: JAX takes y + 1, which is lost where y nears -1."""
    return jnp.expm1(x)


_expm1.defjvps(lambda dx, y, x: jnp.exp(x) * dx)


def at_most_0(x):
    """x where it is at most 0, else 0."""
    return jnp.where(x <= 0, x, jnp.zeros_like(x))


differentiate(SLOPES_OF_X, of="x")
differentiate(SLOPES, of="y")
celu.torch_difference = (
    "its gradient keeps 1 / alpha in float32: compared with alpha elu(x / alpha)"
)
hard_sigmoid.torch_difference = "its gradient keeps 1 / 6 in float32: compared with hardtanh"
softplus.torch_difference = (
    "is x itself beyond its threshold, 20 by default: compared with a threshold of 40"
)
squareplus.torch_difference = "none there: compared with the formula"
