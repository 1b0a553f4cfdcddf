"""How JAX learns of a gradient that was derived by hand.

Each operator becomes a hijax primitive, which keeps every transformation. hijax is experimental:
where the installed JAX breaks what `hijax.py` relies on, `jax.custom_vjp` is used instead. It has
no forward mode (jvp, linearize, jacfwd), and no gradient of a vmap whose rule sums over the mapped
axis by name. Importing fcnn then warns once. `RULE` names the rule in use.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp

from fcnn.ops.varying import cotangent_of


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
    """The hijax rule if this JAX keeps all that it relies on, else custom_vjp, with a warning."""
    try:
        from fcnn.ops.hijax import broken_promises, by_hijax

        if not (broken := broken_promises()):
            return by_hijax, "hijax"
    except Exception as missing:  # an experimental module may fail in any way
        broken = [f"{type(missing).__name__}: {missing}"]
    warnings.warn(
        f"fcnn: jax {jax.__version__} breaks hijax ({', '.join(broken)}), so operators use "
        "jax.custom_vjp: forward mode (jvp, linearize, jacfwd) and the gradient of a vmap with a "
        'named axis in batch_norm need fcnn.gradients("autodiff"); all else works',
        stacklevel=2,
    )
    return by_custom_vjp, "custom_vjp"


by_hand, RULE = choose()
