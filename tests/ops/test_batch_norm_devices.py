"""Batch normalization over devices has the outputs and gradients of the full batch."""

from contextlib import nullcontext
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

import fcnn
from fcnn.ops.registration import RULE

TWO = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
SPLIT, REPLICATED = PartitionSpec("d"), PartitionSpec()
DRAW = np.random.default_rng(0)
X, WEIGHTS = DRAW.standard_normal((2, 6, 2, 3))
OTHERS = (*DRAW.standard_normal((3, 3)), np.array([0.5, 1.0, 2.0]))
MASK = jnp.asarray(DRAW.random((6, 2)) < 0.6)
full_batch = partial(fcnn.batch_norm, train=True, momentum=0.7)
one_part = partial(full_batch, axis_name="d")


def by_vmap(x, scale, bias, mean, var, mask):
    """Normalize two halves of the batch under vmap, which returns running values for each half."""
    halves = lambda a: a.reshape(2, 3, *a.shape[1:])
    one = lambda x, mask: one_part(x, scale, bias, mean, var, mask)
    y, mean, var = jax.vmap(one, axis_name="d")(halves(x), halves(mask))
    return y.reshape(x.shape), mean[0], var[1]


def by_shard_map(*args, check_vma):
    specs = (SPLIT, *[REPLICATED] * 4, SPLIT)
    options = {
        "in_specs": specs,
        "out_specs": (SPLIT, REPLICATED, REPLICATED),
        "check_vma": check_vma,
    }
    return jax.shard_map(one_part, mesh=TWO, **options)(*args)


def value(f, *args):
    """A nonlinear function of every output."""
    y, mean, var = f(*args, MASK)
    return (WEIGHTS * jnp.sin(y)).sum() + jnp.sin(3 * mean).sum() + jnp.cos(var).sum()


def answers(f):
    """A function that returns the outputs of f, and two gradients.

    The first gradient, g, is the gradient of `value`. The second is the gradient of sum(sin(g)).
    """
    grad = jax.grad(partial(value, f), range(5))
    second = jax.grad(lambda *a: sum(jnp.sin(g).sum() for g in grad(*a)), range(5))
    return lambda *a: (f(*a, MASK), grad(*a), second(*a))


PARTS = {
    "vmap": by_vmap,
    "shard_map": partial(by_shard_map, check_vma=True),
    "shard_map unchecked": partial(by_shard_map, check_vma=False),
}


def unsupported(name, mode):
    """Expect an error if custom_vjp is in use: its rules cannot sum over a named axis of vmap."""
    if (RULE, name, mode) == ("custom_vjp", "vmap", "hand"):
        return pytest.raises(NameError, match="unbound axis name")
    return nullcontext()


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("name", PARTS)
def test_parts_equal_the_whole_batch(name, mode):
    with unsupported(name, mode), fcnn.gradients(mode):
        found = jax.jit(answers(PARTS[name]))(X, *OTHERS)
        for a, b in zip(*map(jax.tree.leaves, (found, answers_of_the_full_batch())), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@cache
def answers_of_the_full_batch():
    return jax.jit(answers(full_batch))(X, *OTHERS)


def gradients_inside(shards):
    """The gradients of the loss of each part, taken inside vmap or shard_map."""

    def loss(x, *others):
        return sum(jnp.sin(a).sum() for a in one_part(x, *others))

    axes = (0, None, None, None, None)
    if shards:
        specs = (SPLIT, *[REPLICATED] * 4)
        run = jax.shard_map(jax.grad(loss, range(5)), mesh=TWO, in_specs=specs, out_specs=specs)
        return jax.jit(run)(X, *OTHERS)
    run = jax.vmap(jax.jit(jax.grad(loss, range(5))), axes, axis_name="d")
    return jax.jit(run)(X.reshape(2, 3, 2, 3), *OTHERS)


@pytest.mark.parametrize("shards", [False, True], ids=["vmap", "shard_map"])
def test_gradients_inside_vmap_and_shard_map_equal_autodiff(shards):
    by_hand = gradients_inside(shards)
    with fcnn.gradients("autodiff"):
        for a, b in zip(by_hand, gradients_inside(shards), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_parts_along_two_mapped_axes_equal_the_whole_batch():
    grid_part = partial(full_batch, axis_name=("d", "e"))
    grid = jax.vmap(jax.vmap(lambda x: grid_part(x, *OTHERS)[0], axis_name="d"), axis_name="e")
    y = jax.jit(grid)(X.reshape(2, 3, 1, 2, 3)).reshape(X.shape)
    np.testing.assert_allclose(y, of_the_full_batch()[0], rtol=1e-12, atol=1e-14)


@cache
def of_the_full_batch():
    return jax.jit(full_batch)(X, *OTHERS)


def test_a_device_with_only_padding_changes_nothing():
    """In the last batch of an epoch, a device may hold only padding."""
    x, mask = np.concatenate([X, np.full_like(X, 7.0)]), np.arange(12) < 6
    halves = jax.vmap(lambda x, mask: one_part(x, *OTHERS, mask), axis_name="d")
    y, mean, var = map(np.asarray, jax.jit(halves)(x.reshape(2, 6, 2, 3), mask.reshape(2, 6)))
    for a, b in zip((y[0], mean[1], var[1]), of_the_full_batch(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_evaluation_needs_no_mapped_axis():
    evaluate = partial(fcnn.batch_norm, train=False)
    both = jax.jit(lambda *args: (evaluate(*args, axis_name="d"), evaluate(*args)))(X, *OTHERS)
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
def test_devices_with_different_running_values(mode):
    """The devices share batch statistics, but start from different running values."""

    def one(x, scale, bias, mean, var):
        y, mean, var = one_part(x, scale, bias, mean[0], var[0])
        return y, mean[None], var[None]

    specs = (SPLIT, REPLICATED, REPLICATED, SPLIT, SPLIT)
    sharded = jax.shard_map(one, mesh=TWO, in_specs=specs, out_specs=(SPLIT,) * 3)
    mapped = jax.vmap(one, (0, None, None, 0, 0), axis_name="d")
    scale, bias, mean, var = OTHERS
    old = np.stack([mean, 2 * mean]), np.stack([var, 2 * var])
    halves = lambda a: a.reshape(2, 3, 2, 3) if a.shape == X.shape else a[:, None]
    total = lambda y: sum(jnp.sin(a).sum() for a in y)
    with unsupported("vmap", mode), fcnn.gradients(mode):
        by_shard_map = jax.grad(lambda *a: total(sharded(*a)), range(5))
        by_vmap = jax.grad(
            lambda x, scale, bias, *old: total(mapped(halves(x), scale, bias, *map(halves, old))),
            range(5),
        )
        for a, b in zip(
            *(jax.jit(f)(X, scale, bias, *old) for f in (by_shard_map, by_vmap)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
