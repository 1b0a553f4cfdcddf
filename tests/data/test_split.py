"""Random split of examples: known sizes by class, completeness, and types."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from fcnn.data import Dataset, Images, split


def numbered(y):
    """Examples whose x is their index."""
    y = np.asarray(y)
    return np.arange(len(y)), y


@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize(
    ("n", "share", "m"), [(10, 0.1, 1), (25, 0.1, 3), (7, 0.5, 4), (2, 0.4, 1)]
)
def test_each_example_is_in_one_part_in_its_order(n, share, m, stratify):
    x, y = numbered(np.arange(n) % 3)
    train, validation = split((x, y), share, stratify=stratify)
    assert len(validation[0]) == m
    assert sorted([*train[0], *validation[0]]) == [*range(n)]
    for indices, labels in (train, validation):
        assert (np.diff(indices) > 0).all()
        assert (labels == y[indices]).all()


def test_the_seed_decides():
    examples = numbered(np.zeros(50, int))
    chosen = [split(examples, 0.5, seed=seed)[1][0].tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert split(examples)[1][0].tolist() == split(examples, 0.1, seed=0)[1][0].tolist()


@pytest.mark.parametrize(
    ("counts", "share", "taken"),
    [
        ([10, 10, 10], 0.1, [1, 1, 1]),
        ([50, 30, 20], 0.1, [5, 3, 2]),
        ([55, 26, 19], 0.1, [5, 3, 2]),  # quotas 5.5, 2.6, 1.9
        ([90, 6, 4], 0.25, [23, 1, 1]),  # quotas 22.5, 1.5, 1.0; or [22, 2, 1]
        ([1, 1, 98], 0.5, [1, 0, 49]),  # or [0, 1, 49]
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_are_split_by_the_largest_remainder(counts, share, taken, seed):
    rng = np.random.default_rng(seed)
    examples = numbered(rng.permutation(np.repeat([7, -2, 300], counts)))
    _, (_, labels) = split(examples, share, seed=seed)
    got = [int((labels == k).sum()) for k in (7, -2, 300)]
    swapped = {(23, 1, 1): [22, 2, 1], (1, 0, 49): [0, 1, 49]}.get(tuple(taken), taken)
    assert got in (taken, swapped)


def test_within_a_class_each_example_is_equally_likely():
    examples = numbered(np.repeat([0, 1], [8, 12]))
    times = np.zeros(20)
    for seed in range(400):
        times[split(examples, 0.25, seed=seed)[1][0]] += 1
    assert times.sum() == 400 * 5
    assert (abs(times - 100) < 45).all()


def test_equal_remainders_are_decided_at_random():
    """Labels that all differ, such as counts, give a plain random split."""
    times = np.zeros(10)
    for seed in range(400):
        times[split(numbered(np.arange(10)), 0.3, seed=seed)[1][0]] += 1
    assert (abs(times - 120) < 46).all()


@pytest.mark.parametrize("y", [np.linspace(0, 1, 20), np.eye(20, dtype=int), np.arange(20) > 5])
def test_other_y_are_split_at_random(y):
    plain = split(numbered(np.zeros(20)), 0.3)[1][0]
    assert (split(numbered(y), 0.3)[1][0] == plain).all()
    labels = np.arange(20) % 2
    unstratified = split(numbered(labels), 0.3, stratify=False)[1][0]
    assert (unstratified == plain).all()


def test_the_type_of_the_examples_is_kept():
    x, y = np.zeros((8, 2, 2, 1), np.float32), np.arange(8) % 2
    for part in split(Images(x, y), 0.25):
        assert type(part) is Images
        assert part.x.dtype == np.float32
    assert [type(part) for part in split((x, y), 0.25)] == [tuple, tuple]
    train, validation = split({"x": x, "y": y, "name": [f"{i}" for i in range(8)]}, 0.25)
    assert list(train) == list(validation) == ["x", "y", "name"]
    assert sorted([*train["name"], *validation["name"]]) == [*"01234567"]
    assert (split({"x": np.arange(8)}, 0.25)[0]["x"] == split(numbered(x), 0.25)[0][0]).all()


def test_both_parts_are_copies_of_a_memory_map(tmp_path):
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(8, 2))
    x[:] = np.arange(16).reshape(8, 2)
    for part in split((x, np.arange(8)), 0.25):
        assert type(part[0]) is np.ndarray
        assert not np.shares_memory(part[0], x)
        assert (part[0][:, 0] == 2 * part[1]).all()


@pytest.mark.parametrize("kind", [None, AxisType.Explicit, AxisType.Auto])
def test_jax_arrays_stay_jax_arrays(kind):
    x, y = jnp.arange(8), jnp.arange(8) % 2
    if kind is not None:
        mesh = jax.make_mesh((2,), ("d",), axis_types=(kind,))
        x, y = jax.device_put((x, y), NamedSharding(mesh, PartitionSpec("d")))
    parts = split((x, y), 0.25)
    expected = split((np.arange(8), np.arange(8) % 2), 0.25)
    for part, of_numpy in zip(parts, expected, strict=True):
        assert isinstance(part[0], jax.Array)
        np.testing.assert_array_equal(part[0], of_numpy[0])


X, Y = np.zeros((4, 2)), np.zeros(4, int)
DATA = Dataset("digits", Images(X, Y), Images(X, Y), ("0",))


@pytest.mark.parametrize(
    ("examples", "options", "kind", "message"),
    [
        (DATA, {}, TypeError, "examples is a Dataset; write data.train"),
        (X, {}, TypeError, r"examples is a ndarray, not a pair or dict of arrays; write \(x, y\)"),
        ((X, Y, Y), {}, TypeError, "examples is a tuple, not a pair"),
        ({}, {}, ValueError, "examples is an empty dict"),
        ((X, Y), {"share": 0}, ValueError, "share 0 must lie between 0 and 1"),
        ((X, Y), {"share": 1.0}, ValueError, "share 1.0 must lie between 0 and 1"),
        ((X, Y), {"share": "a"}, TypeError, "share 'a' must be a number"),
        ((X, Y), {"seed": -1}, ValueError, "seed -1 must be at least 0"),
        ((X, Y), {"seed": 0.5}, TypeError, "seed 0.5 must be an integer"),
        ((X, Y), {"stratify": 1}, TypeError, "stratify 1 must be True or False"),
        ((X, Y[:3]), {}, ValueError, "x holds 4 examples but y holds 3"),
        ((X, 3), {}, ValueError, r"y \(\) has no axis of examples"),
        (([[1], [1, 2]], Y), {}, ValueError, "x is not an array: its rows have different lengths"),
        (
            (X, Y),
            {},
            ValueError,
            "share 0.1 of 4 examples gives 4 training and 0 validation examples; each part needs",
        ),
        ((X, Y), {"share": 0.95}, ValueError, "share 0.95 of 4 examples gives 0 training and 4"),
    ],
)
def test_bad_inputs_are_rejected_in_one_line(examples, options, kind, message):
    with pytest.raises(kind, match=f"^split: {message}") as caught:
        unwrap(split)(examples, **options)
    assert "\n" not in str(caught.value)
