"""The plain function under a function: what autodiff sees once hand-written rules are taken out.

`jax.custom_vjp` replaces the gradient of a function, and forbids forward mode; fcnn's own operators
follow `fcnn.gradients`. Traced under "autodiff", with each custom_vjp call replaced by the function
that it wraps, what is left is differentiated by JAX alone. `jax.custom_jvp` stays: JAX's own
functions use it to choose a slope at a kink.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from fcnn.ops import gradients

BY_HAND = ("custom_vjp_call", "call_hi_primitive")  # what a derived reverse rule looks like, traced


def has_rules(f: Callable, *args: Any) -> bool:
    """Whether a gradient derived by hand is at work anywhere in f(*args)."""
    with gradients("hand"):
        return _mentions(jax.make_jaxpr(f)(*args).jaxpr, BY_HAND)


def peeled(f: Callable) -> Callable:
    """f without custom_vjp rules or fcnn's; given NumPy arrays f itself, which may be no JAX."""
    return _Peeled(f)


class _Peeled:
    """Most functions hold no custom_vjp call; that is found out once, and then they run as is."""

    def __init__(self, f: Callable):
        self.f, self.ruled = f, None

    def __call__(self, *args):
        with gradients("autodiff"):
            if self.ruled is False or not any(
                isinstance(a, jax.Array) for a in jax.tree.leaves(args)
            ):
                return self.f(*args)
            traced, shape = jax.make_jaxpr(self.f, return_shape=True)(*args)
            self.ruled = _mentions(traced.jaxpr, BY_HAND)
            leaves = _run(traced.jaxpr, traced.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), leaves)


def dtypes_in(jaxpr: core.Jaxpr) -> set[str]:
    """The names of all floating dtypes in which `jaxpr` computes anything."""
    given = [getattr(v.aval, "dtype", None) for e in jaxpr.eqns for v in e.outvars]
    found = {d.name for d in given if d is not None and jnp.issubdtype(d, jnp.floating)}
    inner = (p for e in jaxpr.eqns for v in e.params.values() for p in _programs(v))
    return found.union(*map(dtypes_in, inner))


def _run(jaxpr, consts, args):
    """What `jaxpr` computes, rules left out."""
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
    """A parameter of an equation: a program within it, such as a loop's body, is peeled too."""
    if not any(_mentions(program, BY_HAND) for program in _programs(value)):
        return value
    if isinstance(value, tuple | list):
        return type(value)(map(_without_rules, value))
    closed = isinstance(value, core.ClosedJaxpr)
    program, consts = (value.jaxpr, value.consts) if closed else (value, [])
    shapes = [v.aval for v in program.invars]
    new = jax.make_jaxpr(lambda *args: _run(program, consts, args))(*shapes)
    return new if closed else new.jaxpr


def _mentions(jaxpr, names):
    """Whether a primitive of one of these names stands in `jaxpr`, however deep."""
    return any(
        equation.primitive.name in names
        or any(_mentions(p, names) for v in equation.params.values() for p in _programs(v))
        for equation in jaxpr.eqns
    )


def _programs(value):
    """The programs that a parameter holds."""
    if isinstance(value, tuple | list):
        return [program for each in value for program in _programs(each)]
    if isinstance(value, core.ClosedJaxpr):
        return [value.jaxpr]
    return [value] if isinstance(value, core.Jaxpr) else []
