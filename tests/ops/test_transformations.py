"""Every operator and its hand-derived gradient under every transformation of JAX.

Compilation is the main cost, so one program per operator holds the hand-derived gradient under
every transformation. The expected results are computed from results of autodiff: values and
gradients at two points, and the Hessian at the first point.
"""

import copy
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import N, exported, types_of_batch
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from registry import (
    every_case_of_floats,
    is_float,
    once_per_problem,
    one_case_each,
    one_case_each_of_auto,
)

import fcnn
from fcnn.ops.registration import RULE, by_custom_vjp

TWO = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
SPLIT, WHOLE = PartitionSpec("d"), PartitionSpec()


class Problem:
    """An operator as a function f of only its floating arguments, and two points to evaluate f at.

    `x` is the first point. The second point differs in the first argument. `two` stacks the first
    arguments of both points.
    """

    def __init__(self, op, case, options):
        self.op, self.options, self.args = op, options, case.draw()
        self.x = tuple(filter(is_float, self.args))
        first, *self.rest = self.x
        self.two = jnp.stack([first, 1.5 * first])

    def f(self, *x, among=None):
        """The floating outputs.

        x replaces the floats in `among`, the list of all arguments. The default is the case's list.
        """
        x, args = iter(x), among or self.args
        y = self.op(*(next(x) if is_float(a) else a for a in args), **self.options)
        return list(filter(is_float, jax.tree.leaves(y)))

    def value(self, *x, among=None):
        """A nonlinear function of every output."""
        return sum(jnp.sin(y + 0.1).sum() for y in self.f(*x, among=among))

    def grad(self, *x, among=None):
        return jax.grad(partial(self.value, among=among), range(len(x)))(*x)

    def each(self, f):
        """f at both points, by vmap over the first argument. The other arguments are shared."""
        return jax.vmap(f, (0, *(None for _ in self.rest)))

    def total(self, both):
        """The gradient of the sum over both points, from the gradient at each point."""
        first, *rest = both
        return (first, *(g.sum(0) for g in rest))


def in_scan(p, two):
    """The gradient of a loop that sums `value` over both points."""

    def both(two, *rest):
        step = lambda total, one: (total + p.value(one, *rest), None)
        return jax.lax.scan(step, jnp.zeros((), two.dtype), two)[0]

    return jax.grad(both, range(len(p.x)))(two, *p.rest)


def in_shards(p, two):
    """Each device differentiates at one point. The gradients of shared arguments are summed."""

    def local(one, *rest):
        g, *gs = p.grad(one[0], *rest)
        return g[None], *gs

    specs = (SPLIT, *(WHOLE for _ in p.rest))
    return jax.shard_map(local, mesh=TWO, in_specs=specs, out_specs=specs)(two, *p.rest)


def with_custom_vjp(p, two):
    with pytest.MonkeyPatch.context() as patch:
        for module in ("op", "custom_gradient"):
            patch.setattr(sys.modules[f"fcnn.ops.{module}"], "by_rule", by_custom_vjp)
        return p.grad(*p.x)


def in_exported_program(p, two):
    """Run the gradient in a program exported for every platform and any number of examples."""
    grad = lambda *args: p.grad(*filter(is_float, args), among=args)
    return exported(grad, *types_of_batch(p.op, p.args, N))(*p.args)


TRANSFORMATIONS = {  # functions of a Problem p and of p.two, which is split over two devices
    "grad": lambda p, two: p.grad(*p.x),
    "grad by custom_vjp": with_custom_vjp,
    "export of grad": in_exported_program,
    "checkpoint": lambda p, two: jax.grad(jax.checkpoint(p.value), range(len(p.x)))(*p.x),
    "vmap": lambda p, two: p.each(p.f)(two, *p.rest),
    "vmap of constants": lambda p, two: jax.vmap(lambda _: p.f(*p.x), out_axes=None, axis_size=2)(
        jnp.arange(2.0)
    ),
    "vmap of grad, sharded": lambda p, two: p.each(p.grad)(two, *p.rest),
    "grad of vmap": lambda p, two: jax.grad(lambda *x: p.each(p.value)(*x).sum(), range(len(p.x)))(
        two, *p.rest
    ),
    "scan": in_scan,
    "shard_map": in_shards,
    "jvp": lambda p, two: jax.jvp(p.value, p.x, p.x)[1],
    "linearize": lambda p, two: jax.linearize(p.value, *p.x)[1](*p.x),
    "jacfwd": lambda p, two: jax.jacfwd(p.value, range(len(p.x)))(*p.x),
    "hessian": lambda p, two: jax.hessian(p.value, range(len(p.x)))(*p.x),
    "grad of grad": lambda p, two: jax.grad(
        lambda *x: sum(jnp.sin(g + 0.1).sum() for g in p.grad(*x)), range(len(p.x))
    )(*p.x),
}
FORWARD_MODE = {"jvp", "linearize", "jacfwd"}  # not supported by custom_vjp


def reference_of(p):
    """Outputs and gradients at both points, and the Hessian at the first point, by autodiff."""
    with fcnn.gradients("autodiff"):
        y, g = jax.lax.map(lambda first: (p.f(first, *p.rest), p.grad(first, *p.rest)), p.two)
        return y, g, jax.hessian(p.value, range(len(p.x)))(*p.x)


def expected(p, y, g, hessian):
    """The expected result of every transformation."""
    one = lambda tree: jax.tree.map(lambda a: a[0], tree)
    along_x = sum((a * x).sum() for a, x in zip(one(g), p.x, strict=True))
    slope = [np.cos(a + 0.1) for a in one(g)]
    twice = [
        sum(np.tensordot(s, part[j], s.ndim) for s, part in zip(slope, hessian, strict=True))
        for j in range(len(p.x))
    ]
    return {
        "grad": one(g),
        "grad by custom_vjp": one(g),
        "export of grad": one(g),
        "checkpoint": one(g),
        "vmap": y,
        "vmap of constants": one(y),
        "vmap of grad, sharded": g,
        "grad of vmap": p.total(g),
        "scan": p.total(g),
        "shard_map": p.total(g),
        "jvp": along_x,
        "linearize": along_x,
        "jacfwd": one(g),
        "hessian": hessian,
        "grad of grad": tuple(twice),
    }


def supported():
    """The transformations that the rule in use supports."""
    return [t for t in TRANSFORMATIONS if RULE == "hijax" or t not in FORWARD_MODE]


@once_per_problem
def in_one_program(op, case, options):
    """The results of every transformation in two runs, and the expected results."""
    p = Problem(op, case, options)
    two = on_two_devices(p)
    run = jax.jit(lambda two: (transformed(p, two, supported()), reference_of(p)))
    (found, reference), (repeat, _) = run(two), run(two)
    return found, repeat, expected(p, *jax.tree.map(np.asarray, reference))


def transformed(p, two, names):
    return {t: TRANSFORMATIONS[t](p, two) for t in names}


def on_two_devices(p):
    return jax.device_put(p.two, NamedSharding(TWO, SPLIT))


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@one_case_each_of_auto
def test_transformation_of_the_hand_rule(op, case, options, name):
    p = Problem(op, case, options)
    if name not in supported():
        with pytest.raises(TypeError, match="forward-mode autodiff"):
            jax.jit(partial(TRANSFORMATIONS[name], p)).lower(p.two)
        return
    found, repeat, wanted = in_one_program(op, case, options)
    assert_same(found[name], wanted[name])
    for a, b in zip(*map(jax.tree.leaves, (found[name], repeat[name])), strict=True):
        np.testing.assert_array_equal(a, b)  # two runs agree to the last bit


AUTODIFFS = [t for t in TRANSFORMATIONS if t not in ("grad by custom_vjp", "export of grad")]


@once_per_problem
def traced_by_autodiff(op, case, options):
    """The transformations under "autodiff", traced, and their argument."""
    p = Problem(op, case, options)
    two = on_two_devices(p)
    with fcnn.gradients("autodiff"):
        return jax.jit(lambda two: transformed(p, two, AUTODIFFS)).trace(two), two


@one_case_each_of_auto
def test_transformations_of_the_plain_forward_can_be_traced(op, case, options):
    """Under "autodiff", the traced results have the types that the hand rule gives."""
    found, *_ = in_one_program(op, case, options)
    traced, _ = traced_by_autodiff(op, case, options)
    plain = types(traced.out_info)
    for name in plain.keys() & found.keys():
        assert plain[name] == types(found[name]), name


def types(tree):
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


@pytest.mark.all(
    "only JAX computes these values; the first tier traces the same transformations, and compares "
    "the values of the hand rule"
)
@one_case_each_of_auto
def test_transformations_of_the_plain_forward(op, case, options):
    *_, wanted = in_one_program(op, case, options)
    traced, two = traced_by_autodiff(op, case, options)
    found = traced.lower().compile()(two)
    for name in AUTODIFFS:
        assert_same(found[name], wanted[name])


OF_TWO = ("grad of vmap", "scan", "shard_map")  # gradients of the sum over both points


@pytest.mark.all("0.2 s for each of 380 more cases; the first tier has one case of each operator")
@every_case_of_floats
def test_every_case_can_be_transformed(op, case, options):
    """Each traced gradient has the type of its argument."""
    p = Problem(op, case, options)
    names = (*OF_TWO, "grad", "checkpoint")
    found = types(jax.eval_shape(lambda two: transformed(p, two, names), p.two))
    assert found.pop("grad") == found.pop("checkpoint") == types(p.x)
    assert all(types_of_two == types((p.two, *p.rest)) for types_of_two in found.values())


@one_case_each
def test_reverse_mode_uses_the_hand_rule(op, case, options):
    """fwd and bwd run under "hand", and do not run under "autodiff"."""
    spied, called = copy.copy(op), []
    spied.fwd(lambda *a, **k: called.append("fwd") or op.fwd_rule(*a, **k))
    spied.bwd(lambda *a, **k: called.append("bwd") or op.bwd_rule(*a, **k))
    p = Problem(spied, case, options)
    for name in ("vmap of grad, sharded", "grad of vmap", "scan"):
        called.clear()
        jax.eval_shape(partial(TRANSFORMATIONS[name], p), p.two)
        assert set(called) == {"fwd", "bwd"}, name
    called.clear()
    with fcnn.gradients("autodiff"):
        jax.eval_shape(p.grad, *p.x)
    assert not called


def test_a_wrong_rule_is_found_under_every_reverse_mode_transformation():
    wrong = copy.copy(fcnn.tanh)
    wrong.bwd(lambda *a, **k: tuple(1.001 * g for g in fcnn.tanh.bwd_rule(*a, **k)))
    wrong.__name__ = "wrong"
    found, _, wanted = in_one_program(wrong, fcnn.tanh.cases[0], {})
    plain = {"vmap", "vmap of constants", *FORWARD_MODE}
    plain |= {"checkpoint"} if RULE == "hijax" else set()
    for name in found:
        assert same(found[name], wanted[name]) == (name in plain), name


@one_case_each_of_auto
def test_forward_pass_without_jit(op, case, options):
    p = Problem(op, case, options)
    *_, wanted = in_one_program(op, case, options)
    assert_same(p.f(*p.x), wanted["vmap of constants"])


@pytest.mark.all(
    "1 s for each test, because every primitive is compiled; the first tier runs the forward pass "
    "without jit"
)
@one_case_each
def test_gradient_without_jit(op, case, options):
    p = Problem(op, case, options)
    *_, wanted = in_one_program(op, case, options)
    assert_same(p.grad(*p.x), wanted["grad"])


@one_case_each
def test_autodiff_differentiates_the_plain_forward(op, case, options, key):
    plain, args = copy.copy(op), case.draw()
    plain.forward = lambda *a, **k: "plain"
    with fcnn.gradients("autodiff"):
        assert plain(*args, **options) == "plain"


def test_the_hessian_of_a_last_layer(key):
    """For this Hessian, JAX vmaps an operator whose arguments are constants."""
    x, w = jax.random.normal(key, (4, 3)), jax.random.normal(key, (3, 2))
    loss = lambda w: jnp.square(fcnn.dense(fcnn.relu(x), w)).sum()
    by_hand, by_autodiff = in_both_modes(lambda: jax.hessian(loss)(w))
    np.testing.assert_allclose(by_hand, by_autodiff, atol=1e-12)


def test_changing_the_mode_retraces_a_jitted_function():
    f = jax.jit(jax.grad(lambda x: fcnn.relu(x).sum()))
    by_hand, by_autodiff = in_both_modes(lambda: f.trace(jnp.ones(3)).jaxpr.pretty_print())
    assert by_hand != by_autodiff


def test_an_unknown_kind_of_gradient_is_rejected():
    with pytest.raises(ValueError, match="unknown kind 'backprop'; expected"):
        fcnn.gradients("backprop")


def in_both_modes(run):
    found = []
    for mode in ("hand", "autodiff"):
        with fcnn.gradients(mode):
            found.append(run())
    return found


def same(actual, wanted):
    return all(map(np.allclose, jax.tree.leaves(actual), jax.tree.leaves(wanted)))


def assert_same(actual, wanted):
    assert jax.tree.structure(actual) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1, np.abs(b).max(initial=0)))
