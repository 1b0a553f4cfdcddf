"""No transformation breaks an operator, whichever way it is differentiated."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from registry import is_float, once_per_problem, one_case_each

import fcnn
from fcnn.ops.rule import RULE

QUICK = {"xla_cpu_use_fusion_emitters": False}
TWO = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
SPLIT, WHOLE = PartitionSpec("d"), PartitionSpec()


def loss(f):
    """A number that depends on every output, and not linearly."""
    return lambda *x: sum(jnp.sin(y + 0.1).sum() for y in jax.tree.leaves(f(*x)))


def grad(f, x):
    return jax.grad(loss(f), range(len(x)))


def pairs(x):
    """Two of the first argument, one of the others: what is mapped, and over which axes."""
    return (jnp.stack([x[0], 1.5 * x[0]]), *x[1:]), (0, *(None for _ in x[1:]))


def in_scan(f, x):
    def step(total, _):
        g = grad(f, x)(*total)
        return jax.tree.map(lambda t, d: t - 1e-2 * d, total, g), loss(f)(*total)

    return jax.lax.scan(step, tuple(x), None, 3)


TRANSFORMATIONS = {
    "value_and_grad": lambda f, x: jax.value_and_grad(loss(f), range(len(x)))(*x),
    "jvp": lambda f, x: jax.jvp(f, tuple(x), tuple(x)),
    "linearize": lambda f, x: jax.linearize(f, *x)[1](*x),
    "jacfwd": lambda f, x: jax.jacfwd(f)(*x),
    "hessian": lambda f, x: jax.hessian(loss(f))(*x),
    "grad of grad": lambda f, x: grad(grad(f, x), x)(*x),
    "vmap": lambda f, x: jax.vmap(f, pairs(x)[1])(*pairs(x)[0]),
    "vmap of grad": lambda f, x: jax.vmap(grad(f, x), pairs(x)[1])(*pairs(x)[0]),
    "grad of vmap": lambda f, x: grad(jax.vmap(f, pairs(x)[1]), x)(*pairs(x)[0]),
    "checkpoint": lambda f, x: grad(jax.checkpoint(f), x)(*x),
    "scan": in_scan,
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@one_case_each
def test_transformation(op, case, options, name, key):
    by_hand, by_autodiff = all_compiled(op, case, options)[name]
    assert_same(by_hand, by_autodiff)


@once_per_problem
def all_compiled(op, case, options):
    """Every transformation of one operator, in both modes, as one program.

    Compiling costs most, and half as much without emitters of fused loops. Those are there where
    gradients are proved, in test_gradients.
    """
    f, x = of_floats(op, case, options)
    everything = lambda x: {
        name: in_both_modes(lambda t=t: t(f, x)) for name, t in TRANSFORMATIONS.items()
    }
    return jax.jit(everything, compiler_options=QUICK)(x)


@one_case_each
def test_eager_grad(op, case, options, key):
    f, x = of_floats(op, case, options)
    _, wanted = all_compiled(op, case, options)["value_and_grad"][1]
    assert_same(grad(f, x)(*x), wanted)


@one_case_each
def test_exported(op, case, options, key):
    f, x = of_floats(op, case, options)
    both = jax.jit(lambda *x: in_both_modes(lambda: grad(f, x)(*x)))
    found = jax.export.export(both, platforms=["cpu", "cuda", "tpu"])(*x).call(*x)
    _, wanted = all_compiled(op, case, options)["value_and_grad"][1]
    for g in found:
        assert_same(g, wanted)


@one_case_each
def test_sharded_jit(op, case, options, key):
    f, x = of_floats(op, case, options)
    (two, *rest), axes = pairs(x)
    two = jax.device_put(two, NamedSharding(TWO, SPLIT))
    both = lambda *x: in_both_modes(lambda: grad(f, x)(*x))
    for g in jax.jit(jax.vmap(both, axes), compiler_options=QUICK)(two, *rest):
        assert_same(g, all_compiled(op, case, options)["vmap of grad"][1])


@one_case_each
def test_shard_map(op, case, options, key):
    """Each device differentiates its own; what they share sums the gradients of both."""
    f, x = of_floats(op, case, options)
    (two, *rest), _ = pairs(x)

    def local(one, *rest):
        g, *gs = grad(f, x)(one[0], *rest)
        return g[None], *gs

    specs = (SPLIT, *(WHOLE for _ in rest))
    both = lambda *x: tuple(in_both_modes(lambda: local(*x)))
    split = jax.shard_map(both, mesh=TWO, in_specs=specs, out_specs=(specs, specs))
    g, *gs = all_compiled(op, case, options)["vmap of grad"][1]
    for found in jax.jit(split, compiler_options=QUICK)(two, *rest):
        assert_same(found, (g, *(each.sum(0) for each in gs)))


def of_floats(op, case, options):
    """The operator as a function of its floating arguments alone, and those."""
    args = case.draw(jax.random.key(0))

    def f(*x):
        x = iter(x)
        y = op(*(next(x) if is_float(a) else a for a in args), **options)
        return [a for a in jax.tree.leaves(y) if is_float(a)]

    return f, [a for a in args if is_float(a)]


def in_both_modes(run):
    found = []
    for mode in ("hand", "autodiff"):
        with fcnn.gradients(mode):
            found.append(run())
    return found


def assert_same(actual, wanted):
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1, np.abs(b).max(initial=0)))


@one_case_each
def test_autodiff_differentiates_the_plain_forward(op, case, options, key):
    plain, args = copy.copy(op), case.draw(key)
    plain.forward = lambda *a, **k: "plain"
    with fcnn.gradients("autodiff"):
        assert plain(*args, **options) == "plain"


@one_case_each
def test_reverse_mode_goes_through_the_hand_rule(op, case, options, key):
    """A rule that is wrong on purpose shows under "hand", and only there."""
    mutant, names = copy.copy(op), ("vmap of grad", "scan")
    double = lambda g: None if g is None else 2 * g
    mutant.bwd(lambda *a, **k: tuple(map(double, op.bwd_rule(*a, **k))))
    f, x = of_floats(mutant, case, options)
    both = lambda x: {n: in_both_modes(lambda t=TRANSFORMATIONS[n]: t(f, x)) for n in names}
    found = jax.jit(both, compiler_options=QUICK)(x)
    for name in names:
        right, _ = all_compiled(op, case, options)[name]
        wrong, by_autodiff = found[name]
        assert same(by_autodiff, right)
        assert not same(wrong, right)


@one_case_each
def test_what_is_not_mapped_stays_so(op, case, options, key):
    """An operator of constants inside vmap, as in the Hessian of a last layer."""
    args = case.draw(key)
    both = lambda i: (
        jax.vmap(lambda _: op(*args, **options), out_axes=None)(i),
        op(*args, **options),
    )
    y, wanted = jax.jit(both, compiler_options=QUICK)(jnp.arange(3.0))
    assert same(y, wanted)


def test_the_hessian_of_a_last_layer(key):
    x, w = jax.random.normal(key, (4, 3)), jax.random.normal(key, (3, 2))
    loss = lambda w: jnp.square(fcnn.dense(fcnn.relu(x), w)).sum()
    by_hand, by_autodiff = in_both_modes(lambda: jax.hessian(loss)(w))
    np.testing.assert_allclose(by_hand, by_autodiff, atol=1e-12)


def same(a, b):
    return all(map(np.allclose, jax.tree.leaves(a), jax.tree.leaves(b)))


def test_switching_retraces_a_jitted_function():
    f = jax.jit(jax.grad(lambda x: fcnn.relu(x).sum()))
    by_hand, by_autodiff = in_both_modes(lambda: f.trace(jnp.ones(3)).jaxpr.pretty_print())
    assert by_hand != by_autodiff


def test_unknown_kind_of_gradient():
    with pytest.raises(ValueError, match='"hand" or "autodiff", not \'backprop\''):
        fcnn.gradients("backprop")


def test_the_rule_in_use_keeps_forward_mode():
    """custom_vjp stands in where hijax is missing; here it must not."""
    assert RULE == "hijax"
