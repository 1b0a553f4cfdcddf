"""Tests check the annotations of fcnn: arrays, letters shared by shapes, options, results."""

import jax.numpy as jnp
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Array, Float
from typecheck import checked, jaxtyped

import fcnn
from fcnn.ops.validation import require

WRONG = {
    "array": lambda: fcnn.dense.forward(jnp.ones((2, 3)), 5),
    "letters": lambda: fcnn.dense.forward(jnp.ones((2, 3)), jnp.ones((4, 3))),
    "option": lambda: require(1.5, "x"),
    "field": lambda: fcnn.ops.Case(name=5, args=()),
    "result": lambda: jaxtyped(typechecker=checked)(transposed)(jnp.ones((2, 3))),
}


def transposed(x: Float[Array, "n c"]) -> Float[Array, "n c"]:
    return x.T


def half(rate: float) -> float:
    return rate / 2


@pytest.mark.parametrize("kind", WRONG)
def test_a_value_that_contradicts_its_annotation_is_an_error(kind):
    with pytest.raises((BeartypeCallHintViolation, TypeError), match=r"hint|check"):
        WRONG[kind]()


def test_a_letter_may_have_another_size_in_the_next_call():
    square = jaxtyped(typechecker=checked)(transposed)
    assert [square(jnp.ones((n, n))).shape for n in (2, 3)] == [(2, 2), (3, 3)]


def test_an_int_is_accepted_as_a_float():
    assert jaxtyped(typechecker=checked)(half)(1) == 0.5
