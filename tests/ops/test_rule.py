"""custom_vjp, which stands in where this JAX has no hijax, gives the same gradients in reverse."""

import jax
import jax.numpy as jnp
import numpy as np
from registry import is_float, one_case_each

from fcnn.ops import op as op_module
from fcnn.ops.rule import by_custom_vjp


@one_case_each
def test_the_stand_in_agrees(op, case, options, key, monkeypatch):
    args = case.draw(key)
    floats = [i for i, a in enumerate(args) if is_float(a)]

    def grads(*args):
        total = lambda *a: sum(jnp.sin(y).sum() for y in jax.tree.leaves(op(*a, **options)))
        return jax.grad(total, floats)(*args)

    wanted = jax.jit(grads)(*args)
    monkeypatch.setattr(op_module, "by_hand", by_custom_vjp)
    actual = jax.jit(lambda *args: grads(*args))(*args)
    for a, b in zip(actual, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
