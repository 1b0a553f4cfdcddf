"""Contracts of every operator besides its gradient: dtypes, errors, docs, registration, cost."""

import copy
import inspect
import pickle
import pkgutil
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import (
    every_case_of_floats,
    every_operator,
    every_rejection,
    is_float,
    one_case_each,
    takes_floats,
)

import fcnn
import fcnn.ops
from fcnn.bench import compare
from fcnn.ops import OPS, Op


@every_case_of_floats
def test_dtype_is_kept(op, case, options):
    assert_dtype_is_kept(op, case, options, jnp.bfloat16)


@one_case_each
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64], ids=lambda d: d.__name__)
def test_every_dtype_is_kept(op, case, options, dtype):
    assert_dtype_is_kept(op, case, options, dtype)


def assert_dtype_is_kept(op, case, options, dtype):
    """Trace the operator: outputs and gradients must have the dtype of the arguments."""
    cast = lambda a: jax.ShapeDtypeStruct(a.shape, dtype) if is_float(a) else a
    args = [cast(a) for a in case.shapes()]
    floats = [i for i, a in enumerate(args) if is_float(a)]

    def y_and_gradients(*args):
        y, pull = jax.vjp(lambda *a: op(*a, **options), *args)
        grads = pull(y)
        return y, [grads[i] for i in floats]

    y, grads = jax.eval_shape(y_and_gradients, *args)
    assert {a.dtype for a in jax.tree.leaves(y) if is_float(a)} == {jnp.dtype(dtype)}
    assert [(g.shape, g.dtype) for g in grads] == [(args[i].shape, dtype) for i in floats]


@one_case_each
def test_error_in_half_precision_is_a_few_roundings(op, case, options):
    """Sums are accumulated in float32: the error stays near one rounding for a sum of any length.

    Two runs agree to the last bit.
    """
    args = [a.astype(jnp.bfloat16) if is_float(a) else a for a in case.draw()]
    exact = [a.astype(jnp.float64) if is_float(a) else a for a in args]
    run = jax.jit(lambda *each: [op(*args, **options) for args in each])
    (short, long), repeat = run(args, exact), run(args, exact)
    for a, b in zip(*map(jax.tree.leaves, ((short, long), repeat)), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(*map(jax.tree.leaves, (short, long)), strict=True):
        worst = np.abs(np.asarray(a, float) - np.asarray(b, float)).max(initial=0)
        assert worst <= 4 * float(jnp.finfo(jnp.bfloat16).eps) * max(1, np.abs(b).max(initial=0))


@every_rejection
def test_error_names_the_problem(op, case, options):
    kind, message = case.raises
    with pytest.raises(kind, match=message) as caught:
        op(*case.draw(), **options)
    assert str(caught.value).startswith(f"{op.name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.all("three programs for each operator; test_check_of_operators measures two operators")
@every_operator
def test_cost_can_be_measured(op):
    case = op.cases[0]
    by_hand = partial(op, **case.options)
    by_autodiff = partial(op.forward, **op.bind(*case.draw(), **case.options)[1])
    costs = compare({"by hand": by_hand, "by autodiff": by_autodiff}, case.draw(), rounds=1)
    assert [c.what for c in costs] == ["forward", "backward by hand", "backward by autodiff"]
    assert all(c.seconds > 0 for c in costs)


def test_operators_are_pickled_by_name():
    for op in OPS:
        assert pickle.loads(pickle.dumps(op)) is op
        assert copy.deepcopy(op) is op
        assert copy.copy(op) is not op


def test_every_operator_is_registered():
    pages = pkgutil.walk_packages(fcnn.ops.__path__, "fcnn.ops.")
    # A JAX without hijax cannot import these modules.
    optional = ("fcnn.ops.hijax_primitive", "fcnn.ops.hijax_promises")
    modules = [pkgutil.resolve_name(page.name) for page in pages if page.name not in optional]
    written = {v for m in modules for v in vars(m).values() if isinstance(v, Op)}
    assert written == set(OPS)
    assert all(getattr(fcnn, op.name) is op for op in OPS)


@every_operator
def test_operator_is_complete(op):
    assert all(hasattr(op, rule) for rule in ("fwd_rule", "bwd_rule", "validate_rule"))
    assert any(c.raises for c in op.cases)
    assert any(c.proved and not c.kink for c in op.cases)
    assert any(c.extreme for c in op.cases) or not takes_floats(op)
    assert inspect.signature(op) == op.signature


@every_operator
def test_docstring_has_every_heading(op):
    text = inspect.getmodule(op.forward).__doc__ + op.__doc__
    for heading in ("Shapes:", "Units:", "Raises:", "Cost:", "Source:"):
        assert heading in text
    assert len(op.__doc__.strip().splitlines()[0]) <= 120
