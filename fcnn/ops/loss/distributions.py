"""Pairs of distributions over the last axis: validation, products, and cases of losses."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.activation.softmax import extreme_scores
from fcnn.ops.case import Case, extreme, ints, rejects
from fcnn.ops.validation import require, require_floats, require_rank

Rows = Float[Array, "*n k"]
L = Float[Array, "*n"]


def safe_product(p, a):
    """p a, with 0 for 0 times infinity."""
    return p * safe_factor(p, a)


def inner_product(p, a):
    """Sum of p a over the last axis, with 0 for 0 times infinity.

    A dot product, because jaxlib 0.10.2's product and sum in one loop adds up more rounding errors
    on CPUs without AVX-512: 11 roundings for 65,520 classes instead of 1.
    """
    return jnp.vecdot(p, safe_factor(p, a), precision="highest")


def safe_factor(p, a):
    """a, but 0 where a is infinite and p is 0."""
    return jnp.where((p == 0) & jnp.isinf(a), 0, a)


def validate_distributions(**pair):
    require_floats(**pair)
    (first, a), (second, b) = pair.items()
    require_rank(1, **{first: a})
    same = a.shape == b.shape
    require(same, f"{first} {a.shape} and {second} {b.shape} need the same shape")
    require(a.shape[-1] > 0, f"{first} {a.shape} have no classes")


def _probabilities(shape):
    return lambda rng: rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def cases_of_distributions(first, second, *, kink):
    """Cases of a loss between two distributions; `kink` if a probability of 0 is a kink."""
    far_apart = lambda rng: 1e3 * rng.standard_normal((3, 4))
    one_hot = lambda rng: np.eye(3)
    return (
        Case("rows", ((4, 3), _probabilities((4, 3)))),
        Case("sequences", ((2, 3, 4), _probabilities((2, 3, 4)))),
        Case("far apart", (far_apart, _probabilities((3, 4)))),
        Case("one hot", ((3, 3), one_hot), kink=kink),
        Case("no examples", ((0, 3), (0, 3))),
        *(
            extreme(name, z, _probabilities((3, 7)))
            for name, z in extreme_scores((3, 7)).items()
            if name != "some at -inf"  # the loss is infinite
        ),
        extreme("many", (1, 65520), _probabilities((1, 65520))),
        rejects(rf"{first} \(4, 3\) and {second} \(4,\) need the same", (4, 3), (4,)),
        rejects(f"{second} holds int32", (4, 3), ints((4, 3)), kind=TypeError),
        rejects(f"{first} .* have no classes", (3, 0), (3, 0)),
        rejects("at least 1 axis", (), ()),
    )
