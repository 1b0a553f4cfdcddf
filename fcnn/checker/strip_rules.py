"""A function without its hand-written gradient rules, so that JAX differentiates its operations.

`jax.custom_vjp` replaces the gradient of a function and has no forward mode. `fcnn.gradients`
selects the gradients of fcnn's operators. So the function is traced under gradients("autodiff"),
and each custom_vjp call is replaced by the function that it wraps. `jax.custom_jvp` rules stay:
JAX's own functions use them to choose a slope at a kink.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from fcnn.checker.complex_parts import has_gradient
from fcnn.ops import gradients

BY_HAND = ("custom_vjp_call", "call_hi_primitive")  # primitives of hand-written reverse rules
RANDOM = ("random_bits", "threefry2x32", "rng_bit_generator", "rng_uniform")


def has_rules(f: Callable, *args: Any) -> bool:
    """Whether f(*args) uses a hand-written gradient rule anywhere."""
    with gradients("hand"):
        return mentions(jax.make_jaxpr(f)(*args).jaxpr, BY_HAND)


def draws_random_numbers(jaxpr: core.Jaxpr) -> bool:
    """Whether `jaxpr` draws random numbers by JAX."""
    return mentions(jaxpr, RANDOM)


def strip_custom_rules(f: Callable) -> Callable:
    """f without rules of custom_vjp or fcnn. With NumPy arguments only, f runs untraced."""
    return _Stripped(f)


class _Stripped:
    """f without rules. If the first trace finds no rules in f, later calls run f directly."""

    def __init__(self, f: Callable):
        self.f, self.ruled = f, None

    def __call__(self, *args):
        leaves, tree = jax.tree.flatten(args)
        # f may read other leaves with NumPy, such as labels, so they are not traced.
        traced = [k for k, a in enumerate(leaves) if isinstance(a, jax.Array) and has_gradient(a)]
        with gradients("autodiff"):
            if self.ruled is False or not traced:
                return self.f(*args)

            def of_traced(arrays):
                full = list(leaves)
                for k, a in zip(traced, arrays, strict=True):
                    full[k] = a
                return self.f(*jax.tree.unflatten(tree, full))

            arrays = [leaves[k] for k in traced]
            program, shape = jax.make_jaxpr(of_traced, return_shape=True)(arrays)
            self.ruled = mentions(program.jaxpr, BY_HAND)
            found = _run(program.jaxpr, program.consts, arrays)
        return jax.tree.unflatten(jax.tree.structure(shape), found)


def dtypes_in(jaxpr: core.Jaxpr) -> set[str]:
    """The names of all floating dtypes in which `jaxpr` computes, also as parts of complex ones."""
    given = {getattr(v.aval, "dtype", None) for e in jaxpr.eqns for v in e.outvars}
    inexact = (d for d in given if d is not None and jnp.issubdtype(d, jnp.inexact))
    found = {jnp.finfo(d).dtype.name for d in inexact}
    inner = (p for e in jaxpr.eqns for v in e.params.values() for p in programs_in(v))
    return found.union(*map(dtypes_in, inner))


def _run(jaxpr, consts, args):
    """The outputs of `jaxpr` without rules."""
    known = dict(zip(jaxpr.constvars + jaxpr.invars, [*consts, *args], strict=True))
    read = lambda v: v.val if isinstance(v, core.Literal) else known[v]
    for equation in jaxpr.eqns:
        inputs = list(map(read, equation.invars))
        if equation.primitive.name == "custom_vjp_call":
            inner = equation.params["call_jaxpr"]
            out = _run(inner.jaxpr, inner.consts, inputs)
        else:
            params = {k: _without_rules(v) for k, v in equation.params.items()}
            params = equation.primitive.get_bind_params(params)
            out = equation.primitive.bind(*inputs, **params)
            out = out if equation.primitive.multiple_results else [out]
        known.update(zip(equation.outvars, out, strict=True))
    return list(map(read, jaxpr.outvars))


def _without_rules(value):
    """A parameter of an equation, with rules stripped from its programs, such as a loop's body."""
    if not any(mentions(program, BY_HAND) for program in programs_in(value)):
        return value
    if isinstance(value, tuple | list):
        return type(value)(map(_without_rules, value))
    closed = isinstance(value, core.ClosedJaxpr)
    program, consts = (value.jaxpr, value.consts) if closed else (value, [])
    shapes = [v.aval for v in program.invars]
    new = jax.make_jaxpr(lambda *args: _run(program, consts, args))(*shapes)
    return new if closed else new.jaxpr


def mentions(jaxpr, names):
    """Whether `jaxpr` has a primitive of one of these names at any depth."""
    return any(
        equation.primitive.name in names
        or any(mentions(p, names) for v in equation.params.values() for p in programs_in(v))
        for equation in jaxpr.eqns
    )


def programs_in(value):
    """The programs within a parameter of an equation."""
    if isinstance(value, tuple | list):
        return [program for each in value for program in programs_in(each)]
    if isinstance(value, core.ClosedJaxpr):
        return [value.jaxpr]
    return [value] if isinstance(value, core.Jaxpr) else []
