"""No transformation breaks an operator, whichever way it is differentiated."""

import copy
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from registry import is_float, one_case_each

import fcnn
from fcnn.ops.rule import RULE

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


def over_shards(f, x):
    (both, *rest), _ = pairs(x)

    def local(both, *rest):
        g, *gs = grad(f, x)(both[0], *rest)
        return g[None], *gs

    specs = (SPLIT, *(WHOLE for _ in rest))
    return jax.jit(jax.shard_map(local, mesh=TWO, in_specs=specs, out_specs=specs))(both, *rest)


def sharded(f, x):
    (both, *rest), axes = pairs(x)
    both = jax.device_put(both, NamedSharding(TWO, SPLIT))
    return jax.jit(jax.vmap(grad(f, x), axes))(both, *rest)


def in_scan(f, x):
    def step(total, _):
        g = grad(f, x)(*total)
        return jax.tree.map(lambda t, d: t - 1e-2 * d, total, g), loss(f)(*total)

    return jax.lax.scan(step, tuple(x), None, 3)


def exported(f, x):
    return jax.export.export(jax.jit(grad(f, x)), platforms=["cpu", "cuda", "tpu"])(*x).call(*x)


TRANSFORMATIONS = {
    "eager grad": lambda f, x: grad(f, x)(*x),
    "value_and_grad": lambda f, x: jax.jit(jax.value_and_grad(loss(f), range(len(x))))(*x),
    "jvp": lambda f, x: jax.jit(partial(jax.jvp, f))(tuple(x), tuple(x)),
    "linearize": lambda f, x: jax.linearize(f, *x)[1](*x),
    "jacfwd": lambda f, x: jax.jit(jax.jacfwd(f))(*x),
    "hessian": lambda f, x: jax.jit(jax.hessian(loss(f)))(*x),
    "grad of grad": lambda f, x: jax.jit(grad(grad(f, x), x))(*x),
    "vmap": lambda f, x: jax.jit(jax.vmap(f, pairs(x)[1]))(*pairs(x)[0]),
    "vmap of grad": lambda f, x: jax.jit(jax.vmap(grad(f, x), pairs(x)[1]))(*pairs(x)[0]),
    "grad of vmap": lambda f, x: jax.jit(grad(jax.vmap(f, pairs(x)[1]), x))(*pairs(x)[0]),
    "checkpoint": lambda f, x: jax.jit(grad(jax.checkpoint(f), x))(*x),
    "scan": lambda f, x: jax.jit(partial(in_scan, f))(x),
    "sharded jit": sharded,
    "shard_map": over_shards,
    "export": exported,
}


def of_floats(f, args):
    """f, as a function of its floating arguments alone."""

    def call(*x):
        x = iter(x)
        return f(*(next(x) if is_float(a) else a for a in args))

    return call


@one_case_each
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformation(op, case, options, name, key):
    args = case.draw(key)
    x = [a for a in args if is_float(a)]
    plain = partial(op.forward, **op.bind(*args, **options)[1])
    wanted = TRANSFORMATIONS[name](of_floats(plain, args), x)
    for mode in ("hand", "autodiff"):
        f = of_floats(partial(op, **options), args)
        actual = _under(mode, lambda f=f: TRANSFORMATIONS[name](f, x))
        assert jax.tree.structure(actual) == jax.tree.structure(wanted)
        for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1, np.abs(b).max(initial=0)))


@one_case_each
@pytest.mark.parametrize("name", ["vmap of grad", "scan"])
def test_reverse_mode_goes_through_the_hand_rule(op, case, options, name, key):
    """A rule that is wrong on purpose shows under "hand", and only there."""
    args = case.draw(key)
    mutant = copy.copy(op)
    double = lambda g: None if g is None else 2 * g
    mutant.bwd(lambda *a, **k: tuple(map(double, op.bwd_rule(*a, **k))))
    run = lambda op, mode: _under(
        mode, lambda: TRANSFORMATIONS[name](lambda x: op(x, *args[1:], **options), args[:1])
    )
    assert same(run(mutant, "autodiff"), run(op, "hand"))
    assert not same(run(mutant, "hand"), run(op, "hand"))


@one_case_each
def test_what_is_not_mapped_stays_so(op, case, options, key):
    """An operator of constants inside vmap, as in the Hessian of a last layer."""
    args = case.draw(key)
    y = jax.vmap(lambda _: op(*args, **options), out_axes=None)(jnp.arange(3.0))
    assert same(y, op(*args, **options))


def test_the_hessian_of_a_last_layer(key):
    x, w = jax.random.normal(key, (4, 3)), jax.random.normal(key, (3, 2))
    loss = lambda w: jnp.square(fcnn.dense(fcnn.relu(x), w)).sum()
    by_autodiff = _under("autodiff", lambda: jax.hessian(loss)(w))
    np.testing.assert_allclose(jax.hessian(loss)(w), by_autodiff, atol=1e-12)


def same(a, b):
    return all(map(np.allclose, jax.tree.leaves(a), jax.tree.leaves(b)))


def _under(mode, run):
    with fcnn.gradients(mode):
        return run()


def test_switching_retraces_a_jitted_function():
    f = jax.jit(jax.grad(lambda x: fcnn.relu(x).sum()))
    texts = [
        _under(mode, lambda: f.trace(jnp.ones(3)).jaxpr.pretty_print())
        for mode in ("hand", "autodiff")
    ]
    assert texts[0] != texts[1]


def test_unknown_kind_of_gradient():
    with pytest.raises(ValueError, match='"hand" or "autodiff", not \'backprop\''):
        fcnn.gradients("backprop")


def test_the_rule_in_use_keeps_forward_mode():
    """custom_vjp stands in where hijax is missing; here it must not."""
    assert RULE == "hijax"
