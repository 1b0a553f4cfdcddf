"""Symbolic batch: one exported program works for any number of examples.

In the first tier, `test_transformations.py` compares values at one number of examples per case.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import M, N, batch_axes, exported, types_of_batch, with_batch
from registry import (
    every_case_served,
    is_float,
    one_case_of_every_operator,
    one_case_of_every_operator_by_auto,
)

import fcnn
from fcnn.ops import OPS


class Problem:
    """A case of an operator, as a function of all its arrays with any number of examples."""

    def __init__(self, op, case, options):
        self.args = case.draw()
        self.run = partial(op, **options)
        self.axes = batch_axes(op, self.args)
        self.floats = [i for i, a in enumerate(self.args) if is_float(a)]
        self.types = partial(types_of_batch, op, self.args)
        self.of = partial(with_batch, op, self.args)

    def value(self, *args):
        """A nonlinear function of every output."""
        floats = filter(is_float, jax.tree.leaves(self.run(*args)))
        return sum(jnp.sin(y + 0.1).sum() for y in floats)

    def answers(self, *args):
        """The outputs and the gradient."""
        return self.run(*args), jax.grad(self.value, self.floats)(*args) if self.floats else ()

    def of_each(self, *args):
        """Outputs and gradients of each example, as a batch of one."""
        as_batch = lambda a, axis: a if axis is None else a[None]
        return jax.vmap(lambda *args: self.answers(*map(as_batch, args, self.axes)), self.axes)(
            *args
        )

    def of_batches(self, *args):
        """Outputs and gradients of many batches."""
        return jax.vmap(self.answers, self.axes)(*args)


@one_case_of_every_operator
def test_a_symbolic_batch_is_traced(op, case, options):
    """Trace autodiff of the batch, and the hand-derived gradient of each single example.

    test_transformations exports the hand-derived gradient of the batch.
    """
    p = Problem(op, case, options)
    with fcnn.gradients("autodiff"):
        _, grads = jax.eval_shape(p.answers, *p.types(N))
    assert grads == tuple(p.types(N)[i] for i in p.floats)
    if 0 in p.axes:
        of_each = jax.eval_shape(p.of_each, *p.types(N))
        assert {a.shape[0] for a in jax.tree.leaves(of_each)} == {N}


def test_all_operators_but_weight_standardization_have_a_batch_axis():
    without = [op.name for op in OPS if 0 not in batch_axes(op, op.cases[0].draw())]
    assert without == ["weight_standardization"]


@pytest.mark.all("0.1 s for each of 400 more cases; the first tier has one case of each operator")
@every_case_served
def test_a_symbolic_batch_is_traced_in_every_case(op, case, options):
    """The number of examples is even, because some operators halve an axis."""
    p = Problem(op, case, options)
    jax.eval_shape(p.answers, *p.types(2 * N))


@pytest.mark.all(
    "2 s for each program; the first tier compares values at one number of examples, and traces a "
    "symbolic number of examples"
)
@one_case_of_every_operator
def test_one_program_for_any_number_of_examples(op, case, options):
    p = Problem(op, case, options)
    by_hand = exported(p.answers, *p.types(N))
    with fcnn.gradients("autodiff"):
        by_autodiff = exported(p.answers, *p.types(N))
    calls = [(by_hand, p.of(1)), (by_autodiff, p.of(7)), (by_hand, p.of(64))]

    @jax.jit
    def run(batches):
        found = [program(*args) for (program, _), args in zip(calls, batches, strict=True)]
        return found, [p.answers(*args) for args in batches]

    for found, wanted in zip(*run([args for _, args in calls]), strict=True):
        assert_same(found, wanted)


@pytest.mark.all("2 s for each program; the first tier traces the gradients of single examples")
@one_case_of_every_operator_by_auto
def test_one_program_for_any_number_of_batches(op, case, options):
    """Export for CPU, because vmap maps a symbolic axis.

    On other platforms "auto" uses XLA's convolution, which has no gradient of w under such a vmap.
    """
    p = Problem(op, case, options)
    if 0 not in p.axes:
        return
    of_each = exported(p.of_each, *p.types(N), platforms=("cpu",))
    of_batches = exported(p.of_batches, *p.types(M, N), platforms=("cpu",))
    one, two = p.of(3), p.of(2, 3)

    @jax.jit
    def run(one, two):
        found = of_each(*one), of_batches(*two)
        return found, (p.of_each(*one), p.of_batches(*two))

    assert_same(*run(one, two))


def assert_same(found, wanted):
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1, np.abs(b).max(initial=0)))
