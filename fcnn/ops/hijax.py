"""A gradient derived by hand as a JAX primitive, which keeps every transformation.

A hijax primitive has a reverse rule *and* a forward rule, so grad, jvp, linearize, jacfwd, hessian,
grad of grad, vmap of the gradient, checkpoint, scan, sharded jit, shard_map and export all work.
Reverse mode goes through the hand rule; forward mode, and jax.checkpoint, which is built on it,
differentiate the plain forward.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import hijax
from jax.experimental.hijax import Zero, instantiate_zeros

# Its name since 0.11.2, and the one before.
Primitive: Any = getattr(hijax, "HiPrim", None) or getattr(hijax, "VJPHiPrimitive", None)
if Primitive is None:
    raise ImportError("this JAX has no hijax primitive with a reverse rule")


class ByHand(Primitive):
    """An operator at given types and options, as JAX sees it."""

    op: Any
    options: tuple[tuple[str, Any], ...]

    def __init__(self, op, options, types):
        self.in_avals = types
        self.params = {"op": op, "options": options, "types": types}  # what makes two of them equal
        self.forward = partial(op.forward, **dict(options))
        self.out_aval = jax.tree.map(jax.typeof, jax.eval_shape(self.forward, *types))
        super().__init__()

    def expand(self, *arrays):
        return self.forward(*arrays)

    def vjp_fwd(self, nzs_in, *arrays):
        return self.op.fwd_rule(*arrays, **dict(self.options))

    def vjp_bwd_retval(self, saved, dy):
        dy = jax.tree.map(jnp.asarray, _filled(dy))
        cotangents = self.op.bwd_rule(saved, dy, **dict(self.options))
        return tuple(map(_reduced_to, self.in_avals, cotangents))

    def jvp(self, primals, tangents):
        return jax.jvp(self.forward, primals, _filled(tangents))

    def lin(self, nzs_in, *primals):
        return jax.linearize(self.forward, *primals)

    def linearized(self, residuals, *tangents):
        return residuals(*_filled(tangents))

    def batch(self, axis_data, args, dims):
        if not jax.tree.leaves(dims):  # nothing is mapped, so neither is the outcome
            return self(*args), jax.tree.map(lambda _: None, self.out_aval)
        return super().batch(axis_data, args, dims)

    def batch_dim_rule(self, axis_data, dims):
        return jax.tree.map(lambda _: 0, self.out_aval)  # the hand rule itself is then vmapped


def by_hijax(op, arrays, options):
    """`op.forward(*arrays, **options)`, differentiated in reverse by `op`'s own rule."""
    return ByHand(op, tuple(options.items()), jax.tree.map(jax.typeof, arrays))(*arrays)


def _filled(tangents):
    """Zeros that JAX left symbolic become arrays."""
    return jax.tree.map(instantiate_zeros, tangents, is_leaf=lambda t: isinstance(t, Zero))


def _reduced_to(aval, cotangent):
    """Under shard_map: sum over the mesh axes along which only the cotangent varies."""
    if cotangent is None:
        return None
    extra = tuple(sorted(_varying(jax.typeof(cotangent)) - _varying(aval)))
    return lax.psum(cotangent, extra) if extra else cotangent


def _varying(aval):
    manual = getattr(aval, "manual_axis_type", None)  # its name since 0.10.2; `vma` before
    return frozenset(manual.varying) if manual is not None else aval.vma
