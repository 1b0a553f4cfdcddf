"""Registration of hand-derived gradients with JAX, by hijax or by `jax.custom_vjp`.

Each operator becomes a hijax primitive, which supports every transformation. hijax is experimental.
Where the installed JAX breaks what `hijax_primitive` relies on, `jax.custom_vjp` is used. It does
not support forward mode of an operator (jvp, linearize, jacfwd), linear_transpose, or the gradient
under vmap of an operator whose rule sums over the mapped axis by its name. Importing fcnn then
warns once. `RULE` names the mechanism in use.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp

from fcnn.ops.mesh_axes import cotangent_of


def by_custom_vjp(op, arrays, options):
    """`op.forward(*arrays, **options)`, differentiated in reverse mode by the rule of `op`."""
    types = jax.tree.map(jax.typeof, arrays)

    def bwd(saved, dy):
        dy = jax.tree.map(jnp.asarray, dy)
        return tuple(map(cotangent_of, types, op.bwd_rule(saved, dy, **options)))

    rule = jax.custom_vjp(partial(op.forward, **options))
    rule.defvjp(partial(op.fwd_rule, **options), bwd)
    return rule(*arrays)


def choose():
    """hijax if the installed JAX keeps the `PROMISES`, else jax.custom_vjp, with a warning."""
    try:
        from fcnn.ops.hijax_primitive import by_hijax
        from fcnn.ops.hijax_promises import broken_promises

        if not (broken := broken_promises()):
            return by_hijax, "hijax"
        fails = f"no longer holds: {', '.join(broken)}; first cause: {next(iter(broken.values()))}"
    except Exception as missing:  # an experimental module may raise any exception
        fails = f"{type(missing).__name__}: {missing}"
    warnings.warn(
        f"fcnn: jax {jax.__version__} breaks hijax, an experimental part of JAX ({fails}). "
        "Operators use jax.custom_vjp instead. Reverse mode still uses the hand-derived gradients. "
        'Three things need `with fcnn.gradients("autodiff"):` around the call: forward mode of an '
        "operator (jvp, linearize, jacfwd), linear_transpose, and the gradient of a vmap over the "
        "axis_name of batch_norm",
        stacklevel=2,
    )
    return by_custom_vjp, "custom_vjp"


by_rule, RULE = choose()
