"""How JAX is told of a gradient that was derived by hand, without losing a transformation.

`jax.custom_vjp` gives up forward mode: jvp, jacfwd and hessian fail. A hijax primitive has a
reverse rule *and* a forward rule, so grad, jvp, linearize, jacfwd, hessian, grad of grad, vmap of
the gradient, checkpoint, scan, sharded jit, shard_map and export all work, and reverse mode goes
through the hand rule in each. hijax is experimental, so only this module knows of it; where this
JAX has none, custom_vjp stands in. `RULE` says which is in use.
"""

from functools import partial

import jax
from jax import lax

try:
    from jax.experimental.hijax import VJPHiPrimitive, Zero, instantiate_zeros

    RULE = "hijax"
except ImportError:
    RULE = "custom_vjp"

if RULE == "hijax":

    class ByHand(VJPHiPrimitive):
        """An operator at given types and options, as JAX sees it."""

        def __init__(self, op, options, types):
            self.in_avals = types
            self.params = {"op": op, "options": options, "types": types}
            self.forward = partial(op.forward, **dict(options))
            self.out_aval = jax.tree.map(jax.typeof, jax.eval_shape(self.forward, *types))
            super().__init__()

        def expand(self, *arrays):
            return self.forward(*arrays)

        def vjp_fwd(self, nonzero, *arrays):
            return self.op.fwd_rule(*arrays, **dict(self.options))

        def vjp_bwd_retval(self, saved, dy):
            cotangents = self.op.bwd_rule(saved, _filled(dy), **dict(self.options))
            return tuple(map(_reduced_to, self.in_avals, cotangents))

        def jvp(self, primals, tangents):
            return jax.jvp(self.forward, primals, _filled(tangents))

        def lin(self, nonzero, *primals):
            return jax.linearize(self.forward, *primals)

        def linearized(self, pushforward, *tangents):
            return pushforward(*_filled(tangents))

        def batch_dim_rule(self, axis_data, dims):
            return jax.tree.map(lambda _: 0, self.out_aval)  # the hand rule itself is then vmapped

    def by_hand(op, arrays, options):
        """`op.forward(*arrays, **options)`, differentiated in reverse by `op`'s own rule."""
        return ByHand(op, tuple(options.items()), jax.tree.map(jax.typeof, arrays))(*arrays)

    def _filled(tangents):
        """Zeros that JAX left symbolic become arrays."""
        symbolic = lambda t: isinstance(t, Zero)
        return jax.tree.map(instantiate_zeros, tangents, is_leaf=symbolic)

    def _reduced_to(aval, cotangent):
        """Under shard_map: sum over the mesh axes along which only the cotangent varies."""
        if cotangent is None:
            return None
        extra = tuple(sorted(_varying(jax.typeof(cotangent)) - _varying(aval)))
        return lax.psum(cotangent, extra) if extra else cotangent

    def _varying(aval):
        manual = getattr(aval, "manual_axis_type", None)  # its name since 0.10.2; `vma` before
        return frozenset(manual.varying) if manual is not None else aval.vma

else:

    def by_hand(op, arrays, options):
        """`op.forward(*arrays, **options)`, differentiated in reverse by `op`'s own rule."""
        rule = jax.custom_vjp(partial(op.forward, **options))
        rule.defvjp(partial(op.fwd_rule, **options), partial(op.bwd_rule, **options))
        return rule(*arrays)
