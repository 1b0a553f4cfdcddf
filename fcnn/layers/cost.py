"""Cost of training a network for one step, from its traced forward and backward pass.

FLOP are those of matrix products and convolutions, where a multiply-add counts as 2. They follow
from the mathematics, not from the implementation that runs: autodiff of `lax` convolutions is
traced. Products with the zeros between the cells of a strided gradient are not counted, products
with padded zeros are.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from fcnn.layers.call import Call, Plan, Spec
from fcnn.ops import gradients, implementations
from fcnn.ops.arrays import is_float


class TrainingCost(NamedTuple):
    """Cost of one forward and backward pass of a batch."""

    flop: int  # of products and convolutions
    residual_bytes: int  # kept from the forward to the backward pass, without parameters and x

    def __str__(self) -> str:
        kept = f"kept for the backward pass: {self.residual_bytes:,} bytes"
        return f"forward and backward: {self.flop:,} FLOP; {kept}"


def training_cost(layer: Any, params: Any, state: Any, x: Spec, plan: Plan) -> TrainingCost:
    """Trace the gradient of the sum of y with respect to the parameters.

    Options:
        layer: a `Layer`.
        params: specs of the parameters.
        state: specs of the state.
    Cost:   tracing; nothing is compiled or computed.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))

    def total(params, state, x, key, inputs):
        y, _ = layer.forward(params, state, x, Call(key, inputs, train=True))
        return sum(a.sum() for a in jax.tree.leaves(y) if is_float(a))

    def kept(params, *others):
        _, pull = jax.vjp(lambda params: total(params, *others), params)
        given = {id(a) for a in jax.tree.leaves((params, others))}
        return [a for a in jax.tree.leaves(pull) if id(a) not in given]

    args = (params, state, x, key, dict(plan.inputs))
    size = lambda a: math.prod(a.shape) * jnp.dtype(a.dtype).itemsize
    residuals = sum(map(size, jax.eval_shape(kept, *args)))
    with gradients("autodiff"), implementations(conv="lax", conv_transpose="lax"):
        return TrainingCost(_flop(jax.make_jaxpr(jax.grad(total))(*args).jaxpr), residuals)


def _flop(jaxpr) -> int:
    total = 0
    for e in jaxpr.eqns:
        inside = [_flop(program) for value in e.params.values() for program in _programs(value)]
        if e.primitive.name == "cond":  # one branch runs, for example that of the platform
            total += max(inside)
        else:
            total += sum(inside) * e.params.get("length", 1)  # of a scan
        if e.primitive.name == "dot_general":
            (over, _), _ = e.params["dimension_numbers"]
            a = e.invars[0].aval.shape
            total += 2 * math.prod(e.outvars[0].aval.shape) * math.prod(a[i] for i in over)
        elif e.primitive.name == "conv_general_dilated":
            w, features = e.invars[1].aval.shape, e.params["dimension_numbers"].rhs_spec[0]
            taps = math.prod(w) // w[features]  # of one output, and channels of a group
            zeros = math.prod(e.params["lhs_dilation"])
            total += 2 * math.prod(e.outvars[0].aval.shape) * taps // zeros
    return total


def _programs(value):
    """The programs within a parameter of an equation."""
    if isinstance(value, tuple | list):
        return [program for each in value for program in _programs(each)]
    value = getattr(value, "jaxpr", value)
    return [value] if isinstance(value, core.Jaxpr) else []
