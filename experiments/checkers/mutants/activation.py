"""Mutants of activations.

For example, a derivative has x and y exchanged, belongs to another function, or is wrong below 0.
"""

from functools import partial
from itertools import count
from math import pi, sqrt

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid as s

import fcnn
from experiments.checkers.build import numbers, one_sum, problem

of = partial(problem, "activation")
slope = partial(of, "wrong derivative")
side = partial(of, "wrong below zero")
factor = partial(of, "constant factor")
product = partial(of, "missing factor")
total = partial(of, "missing sum term")
entry = partial(of, "single entry")
infinite = partial(of, "not finite")
unsteady = partial(of, "not deterministic")

X = ((5, 7),)
HALVES = ((5, 6),)
MILLION = ((1000, 1000),)
PRELU = ((7, 4, 5), (5,))

cube = lambda x: x**3
signed_square = lambda x: x * jnp.abs(x)
reciprocal = lambda x: 1 / x
hyperbola = lambda x: jnp.sqrt(1 + x * x)
logsumexp = lambda x: jax.nn.logsumexp(x, -1)

elu, celu = partial(fcnn.elu, alpha=1.5), partial(fcnn.celu, alpha=3.0)
calls = count(1)


def sided(x, low, high):
    """`low` where x <= 0, `high` elsewhere."""
    return jnp.where(x <= 0, low, high)


def tanh_form(x):
    """The derivative of the tanh approximation of gelu."""
    c = 2 * sqrt(2 / pi)
    g = s(c * (x + 0.044715 * x**3))
    return g + x * g * (1 - g) * c * (1 + 3 * 0.044715 * x * x)


def glu(x, dy):
    """dx of y = a s(b), with x = (a, b). The part for b lacks the factor a."""
    _, b = jnp.split(x, 2, -1)
    return jnp.concatenate([dy * s(b), dy * s(b) * s(-b)], -1)


def swiglu(x, dy):
    """dx of swiglu, with the derivative of sigmoid in place of the derivative of silu."""
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([dy * b * s(a) * s(-a), dy * a * s(a)], -1)


MUTANTS = (
    slope("tanh: 1 - x²", fcnn.tanh, X, dx=lambda x, dy: (1 - x * x) * dy),
    slope("tanh: y (1 - y)", fcnn.tanh, X, dx=lambda y, dy: y * (1 - y) * dy),
    slope("tanh: 1 - y", fcnn.tanh, X, dx=lambda y, dy: (1 - y) * dy),
    slope("sigmoid: 1 - y²", fcnn.sigmoid, X, dx=lambda y, dy: (1 - y * y) * dy),
    slope("sigmoid: x (1 - x)", fcnn.sigmoid, X, dx=lambda x, dy: x * (1 - x) * dy),
    slope("softplus: sigmoid(y)", fcnn.softplus, X, dx=lambda y, dy: s(y) * dy),
    slope("log_sigmoid: sigmoid(x)", fcnn.log_sigmoid, X, dx=lambda x, dy: s(x) * dy),
    slope("silu: gate alone", fcnn.silu, X, dx=lambda x, dy: s(x) * dy),
    slope("gelu: gate alone", fcnn.gelu, X, dx=lambda x, dy: jax.scipy.stats.norm.cdf(x) * dy),
    slope("gelu: of its tanh form", fcnn.gelu, X, dx=lambda x, dy: tanh_form(x) * dy),
    slope("softsign: not squared", fcnn.softsign, X, dx=lambda x, dy: dy / (1 + jnp.abs(x))),
    slope("swiglu: slope of a sigmoid", fcnn.swiglu, HALVES, dx=swiglu),
    slope("cube: 3 x", cube, X, dx=lambda x, dy: 3 * x * dy),
    factor("cube: x²", cube, X, dx=lambda x, dy: x * x * dy),
    factor("reciprocal: sign", reciprocal, X, dx=lambda x, dy: dy / (x * x)),
    factor("hyperbola: x / 2y", hyperbola, X, dx=lambda x, y, dy: x / (2 * y) * dy),
    side("relu: dy below zero", fcnn.relu, X, dx=lambda dy: dy),
    side("relu: slope -1 below zero", fcnn.relu, X, dx=lambda x, dy: jnp.sign(x) * dy),
    side("leaky_relu: 0 below zero", fcnn.leaky_relu, X, dx=lambda x, dy: sided(x, 0, dy)),
    side("leaky_relu: 1 below zero", fcnn.leaky_relu, X, dx=lambda dy: dy),
    side("elu: alpha forgotten", elu, X, dx=lambda x, dy: sided(x, jnp.exp(x), 1) * dy),
    side("elu: y below zero", elu, X, dx=lambda x, y, dy: sided(x, y, 1) * dy),
    side("selu: as above zero", fcnn.selu, X, dx=lambda dy: 1.0507009873554805 * dy),
    side("celu: x not over alpha", celu, X, dx=lambda x, dy: sided(x, jnp.exp(x), 1) * dy),
    side("prelu dx: dy below zero", fcnn.prelu, PRELU, dx=lambda dy: dy),
    side("abs: 1 below zero", jnp.abs, X, dx=lambda dy: dy),
    side("x |x|: 2 x", signed_square, X, dx=lambda x, dy: 2 * x * dy),
    total("softmax: y dy", fcnn.softmax, X, dx=lambda y, dy: y * dy),
    total("softmax of columns: y dy", partial(fcnn.softmax, axis=0), X, dx=lambda y, dy: y * dy),
    total("softmax: diagonal alone", fcnn.softmax, X, dx=lambda y, dy: y * (1 - y) * dy),
    total("log_softmax: dy", fcnn.log_softmax, X, dx=lambda dy: dy),
    product("logsumexp: p forgotten", logsumexp, X, dx=lambda x, dy: x * 0 + dy[:, None]),
    product("tanh: dy forgotten", fcnn.tanh, X, dx=lambda y: 1 - y * y),
    product("sigmoid: dy forgotten", fcnn.sigmoid, X, dx=lambda y: y * (1 - y)),
    product("glu: a forgotten in db", fcnn.glu, HALVES, dx=glu),
    product(
        "prelu dslope: x forgotten",
        fcnn.prelu,
        PRELU,
        dslope=lambda x, dy: sided(x, dy, 0).sum((0, 1)),
    ),
    of(
        "not reduced",
        "prelu dslope: not summed",
        fcnn.prelu,
        PRELU,
        dslope=lambda x, dy: sided(x, x * dy, 0),
    ),
    of("reduced too far", "prelu dslope: over channels too", fcnn.prelu, PRELU, dslope=one_sum),
    of(
        "mean for sum",
        "prelu dslope: averaged",
        fcnn.prelu,
        PRELU,
        dslope=lambda x, dy: sided(x, x * dy, 0).mean((0, 1)),
    ),
    of("stopped", "prelu dslope: none", fcnn.prelu, PRELU, dslope=None),
    of("stopped", "tanh: zeros", fcnn.tanh, X, dx=lambda x: jnp.zeros_like(x)),
    entry("relu: one × 1.1 of 10⁶", fcnn.relu, MILLION, dx=lambda g: g.at[41, 8].multiply(1.1)),
    entry("tanh: the last 0 of 10⁶", fcnn.tanh, MILLION, dx=lambda g: g.at[-1, -1].set(0)),
    entry("gelu: one × 1.01 of 10⁵", fcnn.gelu, ((10**5,),), dx=lambda g: g.at[415].multiply(1.01)),
    entry("sigmoid: one sign", fcnn.sigmoid, X, dx=lambda g: g.at[3, 4].multiply(-1)),
    infinite(
        "sinc: 0/0",
        jnp.sinc,
        (numbers([-1.3, 0, 0.4, 2.1]),),
        dx=lambda x, y, dy: (jnp.cos(pi * x) - y) / x * dy,
    ),
    infinite(
        "softplus: exp(x) overflows",
        fcnn.softplus,
        (numbers([-3, 0.5, 2, 1000]),),
        dx=lambda x, dy: jnp.exp(x) / (1 + jnp.exp(x)) * dy,
    ),
    infinite(
        "sigmoid: exp(-x) overflows",
        fcnn.sigmoid,
        (numbers([-1000, -1, 0.5, 2]),),
        dx=lambda x, dy: jnp.exp(-x) / (1 + jnp.exp(-x)) ** 2 * dy,
    ),
    unsteady(
        "tanh: noise added",
        fcnn.tanh,
        X,
        dx=lambda g: g + 1e-3 * np.random.standard_normal(g.shape).astype(g.dtype),
    ),
    unsteady("relu: grows call by call", fcnn.relu, X, dx=lambda g: g * next(calls)),
)
