"""By hand == autodiff == finite difference, for every case of every operator; and the proof can fail."""

import jax
import jax.numpy as jnp
import pytest
from registry import every_case, is_float, one_case_each

from fcnn.check import WrongGradient, check


@every_case
def test_gradient(op, case, options, key):
    check(op, case.draw(key), options, key=key, kink=case.kink)


@every_case
def test_gradients_are_finite(op, case, options, key):
    args = case.draw(key)
    y, pull = jax.vjp(lambda *args: op(*args, **options), *args)
    for g in jax.tree.leaves(pull(y)):
        assert g.dtype == jax.dtypes.float0 or jnp.isfinite(g).all()


@one_case_each
@pytest.mark.parametrize("mistake", [lambda g: 1.001 * g, lambda g: g.at[(0,) * g.ndim].add(1e-3)])
def test_the_proof_can_fail(op, case, options, mistake, key, monkeypatch):
    """One part in a thousand, or one wrong entry, in any one cotangent, is caught and named."""
    args, right = case.draw(key), op.bwd_rule
    for wrong in (i for i, a in enumerate(args) if is_float(a)):

        def bwd(*a, wrong=wrong, **k):
            return tuple(mistake(g) if i == wrong else g for i, g in enumerate(right(*a, **k)))

        monkeypatch.setattr(op, "bwd_rule", bwd)
        with pytest.raises(WrongGradient, match=f"argument {wrong}: by hand and autodiff"):
            check(op, args, options, key=key)


@one_case_each
def test_nan_is_never_right(op, case, options, key, monkeypatch):
    args, right = case.draw(key), op.bwd_rule
    nan = lambda g: None if g is None else jnp.full_like(g, jnp.nan)
    monkeypatch.setattr(op, "bwd_rule", lambda *a, **k: tuple(map(nan, right(*a, **k))))
    with pytest.raises(WrongGradient, match="nan"):
        check(op, args, options, key=key)
