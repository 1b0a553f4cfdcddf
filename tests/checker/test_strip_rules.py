"""strip_custom_rules removes hand-written gradient rules at every depth of a function."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import fcnn
from fcnn.checker.strip_rules import dtypes_in, has_rules, strip_custom_rules


@jax.custom_vjp
def wrong_sin(x):
    return jnp.sin(x)


wrong_sin.defvjp(lambda x: (jnp.sin(x), None), lambda _, dy: (7 * dy,))

WITHIN = {
    "itself": wrong_sin,
    "jit": jax.jit(wrong_sin),
    "scan": lambda x: lax.scan(lambda c, _: (wrong_sin(c), None), x, None, 1)[0],
    "checkpoint": jax.checkpoint(wrong_sin),
    "cond": lambda x: lax.cond(x > 0, wrong_sin, jnp.cos, x),
    "loop": lambda x: lax.fori_loop(0, 1, lambda _, c: wrong_sin(c), x),
    "all nested": jax.jit(
        lambda x: lax.scan(lambda c, _: (jax.checkpoint(jax.jit(wrong_sin))(c), None), x, None, 1)[
            0
        ]
    ),
}


@pytest.mark.parametrize("f", WITHIN.values(), ids=list(WITHIN))
def test_a_rule_is_stripped(f):
    x = jnp.float64(0.3)
    assert has_rules(f, x)
    y, slope = jax.jvp(strip_custom_rules(f), (x,), (x / x,))
    assert y == f(x)
    assert slope == pytest.approx(float(jnp.cos(x)))
    assert jax.jit(strip_custom_rules(f))(x) == pytest.approx(float(f(x)))


def test_rules_of_operators_are_stripped():
    wrong = fcnn.ops.operator()(lambda x: jnp.sin(x))
    wrong.fwd(lambda x: (jnp.sin(x), None))
    wrong.bwd(lambda _, dy: (7 * dy,))
    wrong.validate(lambda x: None)
    x = jnp.float64(0.3)
    assert jax.grad(wrong)(x) == 7
    assert has_rules(wrong, x)
    assert jax.grad(strip_custom_rules(wrong))(x) == pytest.approx(float(jnp.cos(x)))


def test_custom_jvp_is_not_stripped():
    """JAX's relu sets its slope at 0 by custom_jvp. `has_rules` does not count custom_jvp."""
    f = lambda x: jax.nn.relu(x) * wrong_sin(x + 1)
    assert jax.grad(strip_custom_rules(f))(0.0) == 0
    assert not has_rules(jax.nn.relu, 0.0)


def test_dtypes_at_every_depth_are_found():
    f = lambda x: lax.scan(lambda c, _: (c.astype("bfloat16").astype(c.dtype), None), x, None, 2)[0]
    assert dtypes_in(jax.make_jaxpr(f)(jnp.float64(1)).jaxpr) == {"float64", "bfloat16"}
