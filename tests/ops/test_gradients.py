"""By hand == autodiff == finite difference, for every case; and the proof can fail."""

import jax
import jax.numpy as jnp
import pytest
from registry import every_case, once_per_problem, one_case_each

from fcnn.check import WrongGradient, answers, judge


@once_per_problem
def found_for(op, case, options):
    return answers(op, case.draw(jax.random.key(0)), options)


@every_case
def test_gradient(op, case, options):
    """NaN equals nothing, so every gradient is finite too."""
    judge(op.name, found_for(op, case, options), kink=case.kink)


MISTAKES = (
    lambda g: 1.001 * g,
    lambda g: g.at[(0,) * g.ndim].add(1e-3),
    lambda g: g.at[(-1,) * g.ndim].set(jnp.nan),
    lambda g: None,
)


@one_case_each
def test_the_proof_can_fail(op, case, options):
    """A mistake of one part in a thousand, or in one entry of any cotangent, is caught."""
    found = found_for(op, case, options)
    judge(op.name, found)
    for i, right in enumerate(found.by_hand):
        if right is None:
            continue
        for mistake in MISTAKES:
            by_hand = [mistake(g) if j == i else g for j, g in enumerate(found.by_hand)]
            with pytest.raises(WrongGradient, match=f"argument {i}"):
                judge(op.name, found._replace(by_hand=by_hand))
    for wrong in ("fwd", "forward_along_v", "difference_along_v"):
        off = jax.tree.map(lambda a: 1.001 * a, getattr(found, wrong))
        with pytest.raises(WrongGradient, match="differ"):
            judge(op.name, found._replace(**{wrong: off}))
