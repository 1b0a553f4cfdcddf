"""How JAX is told of a gradient that was derived by hand.

By a hijax primitive, which keeps every transformation. hijax is experimental, so `hijax.py` alone
knows of it; where this JAX has none, `jax.custom_vjp` stands in, at the price of forward mode (jvp,
jacfwd, hessian). `RULE` says which is in use.
"""

from functools import partial

import jax


def by_custom_vjp(op, arrays, options):
    """`op.forward(*arrays, **options)`, differentiated in reverse by `op`'s own rule."""
    rule = jax.custom_vjp(partial(op.forward, **options))
    rule.defvjp(partial(op.fwd_rule, **options), partial(op.bwd_rule, **options))
    return rule(*arrays)


try:
    from fcnn.ops.hijax import by_hijax as by_hand

    RULE = "hijax"
except ImportError:
    by_hand, RULE = by_custom_vjp, "custom_vjp"
