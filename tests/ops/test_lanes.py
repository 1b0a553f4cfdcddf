"""Batch normalization over lanes: a batch in parts is the whole, in values and gradients."""

from contextlib import nullcontext
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

import fcnn
from fcnn.ops.custom_gradient import RULE

TWO = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
SPLIT, WHOLE = PartitionSpec("d"), PartitionSpec()
DRAW = np.random.default_rng(0)
X, WEIGHTS = DRAW.standard_normal((2, 6, 2, 3))
OTHERS = (*DRAW.standard_normal((3, 3)), np.array([0.5, 1.0, 2.0]))
MASK = jnp.asarray(DRAW.random((6, 2)) < 0.6)
whole = partial(fcnn.batch_norm, train=True, momentum=0.7)
part = partial(whole, axis_name="d")


def in_lanes(x, scale, bias, mean, var, mask):
    """By vmap, which gives the running values once per lane."""
    halves = lambda a: a.reshape(2, 3, *a.shape[1:])
    one = lambda x, mask: part(x, scale, bias, mean, var, mask)
    y, mean, var = jax.vmap(one, axis_name="d")(halves(x), halves(mask))
    return y.reshape(x.shape), mean[0], var[1]


def in_shards(*args, check_vma):
    specs = (SPLIT, *[WHOLE] * 4, SPLIT)
    of = {"in_specs": specs, "out_specs": (SPLIT, WHOLE, WHOLE), "check_vma": check_vma}
    return jax.shard_map(part, mesh=TWO, **of)(*args)


def value(f, *args):
    """A number that depends on every output, and not linearly."""
    y, mean, var = f(*args, MASK)
    return (WEIGHTS * jnp.sin(y)).sum() + jnp.sin(3 * mean).sum() + jnp.cos(var).sum()


def answers(f):
    """The outputs, the gradient, and that of a function of the gradient."""
    grad = jax.grad(partial(value, f), range(5))
    twice = jax.grad(lambda *a: sum(jnp.sin(g).sum() for g in grad(*a)), range(5))
    run = lambda *a: (f(*a, MASK), grad(*a), twice(*a))
    return run


PARTS = {
    "vmap": in_lanes,
    "shard_map": partial(in_shards, check_vma=True),
    "shard_map unchecked": partial(in_shards, check_vma=False),
}


def lost(name, mode):
    """What custom_vjp does not have: the gradient of a vmap whose rule sums over a named axis."""
    if (RULE, name, mode) == ("custom_vjp", "vmap", "hand"):
        return pytest.raises(NameError, match="unbound axis name")
    return nullcontext()


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("name", PARTS)
def test_parts_are_the_whole(name, mode):
    with lost(name, mode), fcnn.gradients(mode):
        found = jax.jit(answers(PARTS[name]))(X, *OTHERS)
        for a, b in zip(*map(jax.tree.leaves, (found, answers_of_the_whole())), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@cache
def answers_of_the_whole():
    return jax.jit(answers(whole))(X, *OTHERS)


def inside(shards):
    """The gradient of each lane's own loss, taken inside the map."""

    def loss(x, *others):
        return sum(jnp.sin(a).sum() for a in part(x, *others))

    axes = (0, None, None, None, None)
    if shards:
        specs = (SPLIT, *[WHOLE] * 4)
        run = jax.shard_map(jax.grad(loss, range(5)), mesh=TWO, in_specs=specs, out_specs=specs)
        return jax.jit(run)(X, *OTHERS)
    run = jax.vmap(jax.jit(jax.grad(loss, range(5))), axes, axis_name="d")
    return jax.jit(run)(X.reshape(2, 3, 2, 3), *OTHERS)


@pytest.mark.parametrize("shards", [False, True], ids=["vmap", "shard_map"])
def test_gradients_inside_the_map_are_those_of_autodiff(shards):
    by_hand = inside(shards)
    with fcnn.gradients("autodiff"):
        for a, b in zip(by_hand, inside(shards), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_lanes_along_two_axes():
    at = partial(whole, axis_name=("d", "e"))
    grid = jax.vmap(jax.vmap(lambda x: at(x, *OTHERS)[0], axis_name="d"), axis_name="e")
    y = jax.jit(grid)(X.reshape(2, 3, 1, 2, 3)).reshape(X.shape)
    np.testing.assert_allclose(y, of_the_whole()[0], rtol=1e-12, atol=1e-14)


@cache
def of_the_whole():
    return jax.jit(whole)(X, *OTHERS)


def test_an_empty_lane_changes_nothing():
    """Lanes of padding, as at the end of an epoch."""
    x, mask = np.concatenate([X, np.full_like(X, 7.0)]), np.arange(12) < 6
    halves = jax.vmap(lambda x, mask: part(x, *OTHERS, mask), axis_name="d")
    y, mean, var = map(np.asarray, jax.jit(halves)(x.reshape(2, 6, 2, 3), mask.reshape(2, 6)))
    for a, b in zip((y[0], mean[1], var[1]), of_the_whole(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_no_lanes_are_needed_in_evaluation():
    later = partial(fcnn.batch_norm, train=False)
    both = jax.jit(lambda *args: (later(*args, axis_name="d"), later(*args)))(X, *OTHERS)
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_lanes_with_running_values_of_their_own(mode):
    """As where each device keeps its state: the statistics are common, the old values are not."""

    def one(x, scale, bias, mean, var):
        y, mean, var = part(x, scale, bias, mean[0], var[0])
        return y, mean[None], var[None]

    specs = (SPLIT, WHOLE, WHOLE, SPLIT, SPLIT)
    shards = jax.shard_map(one, mesh=TWO, in_specs=specs, out_specs=(SPLIT,) * 3)
    lanes = jax.vmap(one, (0, None, None, 0, 0), axis_name="d")
    scale, bias, mean, var = OTHERS
    old = np.stack([mean, 2 * mean]), np.stack([var, 2 * var])
    halves = lambda a: a.reshape(2, 3, 2, 3) if a.shape == X.shape else a[:, None]
    total = lambda y: sum(jnp.sin(a).sum() for a in y)
    with lost("vmap", mode), fcnn.gradients(mode):
        in_shards = jax.grad(lambda *a: total(shards(*a)), range(5))
        in_lanes = jax.grad(
            lambda x, scale, bias, *old: total(lanes(halves(x), scale, bias, *map(halves, old))),
            range(5),
        )
        for a, b in zip(
            *(jax.jit(f)(X, scale, bias, *old) for f in (in_shards, in_lanes)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
