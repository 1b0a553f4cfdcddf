"""Data in other forms gives the result of plain arrays, or an error that shows what to write."""

import inspect
import re
from inspect import unwrap

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import fcnn
from fcnn import data, layers, models, training
from fcnn.checker.subject import subject_of
from fcnn.ops.arrays import as_array
from fcnn.training.validation import find_invalid

X = np.random.default_rng(0).integers(-8, 8, (8, 2, 2)) / 8  # exact in every float dtype
Y = np.arange(8, dtype=np.int32) % 3
LINEAR = layers.serial(layers.flatten(), layers.dense(3))


def mapped(array, folder):
    kept = np.memmap(folder / "x", array.dtype, "w+", shape=array.shape)
    kept[:] = array
    return kept


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "float32": lambda x, _: x.astype(np.float32),
    "float16": lambda x, _: x.astype(np.float16),
    "bfloat16": lambda x, _: x.astype(ml_dtypes.bfloat16),
    "float8": lambda x, _: x.astype(ml_dtypes.float8_e4m3fn),
    "big-endian": lambda x, _: x.astype(">f4"),
    "long double": lambda x, _: x.astype(np.longdouble),
    "list": lambda x, _: x.tolist(),
    "list of arrays": lambda x, _: list(x),
    "read-only": lambda x, _: read_only(x),
    "strided": lambda x, _: np.repeat(x, 2, 0)[::2],
    "reversed": lambda x, _: x[::-1][::-1],
    "Fortran order": lambda x, _: np.asfortranarray(x),
    "memory-mapped": mapped,
    "JAX": lambda x, _: jnp.asarray(x, jnp.float32),
    "another device": lambda x, _: jax.device_put(x, jax.local_devices()[-1]),
}
INTEGERS = {
    **{name: lambda y, name=name: y.astype(name) for name in ("int8", "uint8", "int64", "uint64")},
    "big-endian": lambda y: y.astype(">i2"),
    "list": lambda y: y.tolist(),
    "JAX": jnp.asarray,
}
NO_NUMBERS = {
    "objects": (
        np.array([1.5, "a"], object),
        r"holds object, not numbers; write x.astype\(np.float32\)",
    ),
    "text": (np.array(["cat", "dog"]), r"holds str, not .* names of classes np.unique\(x, return_"),
    "masked": (np.ma.masked_array([1.0, 2.0], [0, 1]), r"is a masked array; write x.filled\(0\)"),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), r"holds datetime64\[D\], not numbers"),
    "records": (np.zeros(3, [("a", float)]), r"holds .*, not numbers; write x.astype"),
    "ragged": ([[1.0], [1.0, 2.0]], r"\[\[1.0\], \[1.0, 2.0\]\] is not an array of numbers"),
    "None": (None, "None is not an array of numbers"),
    "large list": ([2**70], r"\[\d+\] is not an array of numbers"),
}


def fit(x, y, loss=fcnn.softmax_cross_entropy, **options):
    defaults = {
        "epochs": 1,
        "batch_size": 4,
        "key": jax.random.key(1),
        "report": lambda epoch: None,
    }
    return training.fit(LINEAR, loss, optax.sgd(0.5), (x, y), **defaults | options)


@pytest.fixture(scope="module")
def fitted():
    train_state, _ = fit(X, Y)
    return train_state._replace(key=jax.random.key(0))


@pytest.mark.parametrize("form", FORMS)
def test_floats_in_every_form_keep_their_values(tmp_path, form):
    got = as_array("f: x", FORMS[form](X, tmp_path))
    assert got.dtype.isnative
    np.testing.assert_array_equal(np.asarray(got, np.float64), X)


@pytest.mark.parametrize("form", INTEGERS)
def test_integers_in_every_form_keep_their_values(form):
    np.testing.assert_array_equal(as_array("f: y", INTEGERS[form](Y)), Y)


@pytest.mark.parametrize("form", NO_NUMBERS)
def test_inputs_without_numbers_are_rejected_in_one_line(form):
    given, message = NO_NUMBERS[form]
    with pytest.raises(TypeError, match=f"^f: x {message}") as caught:
        as_array("f: x", given)
    assert "\n" not in str(caught.value)


def test_integers_too_large_for_the_dtype_are_rejected():
    with jax.enable_x64(False):
        with pytest.raises(ValueError, match="f: y holds 4294967297, too large for int32"):
            as_array("f: y", np.array([2**32 + 1]))
        with pytest.raises(ValueError, match="f: y holds -1099511627776, too small for int32"):
            as_array("f: y", np.array([-(2**40), 1]))
        with pytest.raises(ValueError, match="fit: y holds 4294967297, too large for int32"):
            fit(X, np.full(8, 2**32 + 1))


def test_every_function_takes_lists_and_big_endian_arrays(fitted):
    """Parameters are float64 in all tests, as with JAX_ENABLE_X64=1."""
    big = X.astype(">f4")
    train = training.train_step(LINEAR, fcnn.softmax_cross_entropy, optax.sgd(0.5))
    want = training.predict(LINEAR, fitted, X)
    for x in (big, X.tolist()):
        np.testing.assert_array_equal(training.predict(LINEAR, fitted, x), want)
    y, _ = LINEAR.apply(fitted.params, fitted.state, X.astype(">f8"))
    np.testing.assert_array_equal(y, want)
    accuracy = training.evaluate(LINEAR, fitted, X, Y)
    assert training.evaluate(LINEAR, fitted, big, Y.astype(">i8")) == accuracy
    first, second = (train(fitted, (x, Y))[0].params for x in (X, big))
    np.testing.assert_array_equal(first["dense1"]["w"], second["dense1"]["w"])
    np.testing.assert_array_equal(fcnn.relu(X.astype(">f8")), np.maximum(X, 0))
    assert subject_of(jnp.sin, (X.astype(">f4"),)).x[0].dtype == np.float32


@pytest.mark.parametrize("device_bytes", [0, 2**30])
def test_fit_takes_lists_memory_maps_and_big_endian_arrays(tmp_path, fitted, device_bytes):
    big = mapped(X.astype(">f4"), tmp_path)
    x, y = (X.tolist(), Y.tolist()) if device_bytes else (big, Y.astype(">i8"))
    train_state, (epoch,) = fit(x, y, test=(big, y), device_bytes=device_bytes)
    for a, b in zip(
        jax.tree.leaves(train_state.params), jax.tree.leaves(fitted.params), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert epoch.test_accuracy is not None


def test_float_targets_have_the_dtype_of_the_parameters():
    targets = X[:, 0, :1].repeat(3, 1)
    _, (epoch,) = fit(X.astype(np.float16), targets.astype(np.float32), fcnn.squared_error)
    assert np.isfinite(epoch.loss)


def test_fit_takes_a_test_set_on_another_device():
    here, there = jax.local_devices()[0], jax.local_devices()[-1]
    assert here != there
    x, y = (jax.device_put(a, here) for a in (X, Y))
    test = tuple(jax.device_put(a, there) for a in (X, Y))
    assert fit(x, y, test=test)[1] != []


BAD_FITS = {
    "uint8": ((X.astype(np.uint8), Y), {}, r"x holds uint8, not floats; .* for pixels .* / 255"),
    "complex": ((X.astype(complex), Y), {}, r"write x.real.astype\(jnp.float32\)"),
    "objects": ((X.astype(object), Y), {}, "^fit: x holds object, not numbers"),
    "text labels": ((X, Y.astype(str)), {}, "^fit: y holds str, not numbers"),
    "float labels": ((X, Y.astype(float)), {}, r"labels hold float64, .*; write labels.astype"),
    "a number": ((1.5, Y), {}, "^fit: x is one number, without an axis of examples"),
    "a data set": (
        data.Dataset("d", (X, Y), (X, Y), ()),
        {},
        "train must be .*, not Dataset; write data.train, where data is the Dataset",
    ),
    "x alone": (X, {}, r"train must be a pair \(x, y\) of arrays, not ndarray"),
    "empty": ((X[:0], Y[:0]), {}, "^fit: 0 examples in batches of 4"),
    "fewer targets than examples": ((X, Y[:-1]), {}, "^fit: 8 examples but 7 targets"),
    "float labels in test": (
        (X, Y),
        {"test": (X, Y.astype(float))},
        r"y holds float64, not integer labels; write y.astype\(int\), or compare predict",
    ),
    "other image size in test": ((X, Y), {"test": (X[:, :1], Y)}, r"\(1, 2\).*\(4, 3\)"),
    "test labels in a column": (
        (X, Y),
        {"test": (X, Y[:, None])},
        r"shape \(1, 1\); expected \(1,\), one",
    ),
    "NaN": ((np.where(X == X[3, 1, 0], np.nan, X), Y), {}, r"loss is nan .*: x\[\d, \d, \d\] is"),
    "NaN targets": (
        (X, np.where(np.eye(3)[Y] + Y[:, None] == 3, np.nan, 0)),
        {"loss": fcnn.squared_error},
        r"loss is nan in epoch 1: y\[2, 2\] is nan",
    ),
    "test is short": ((X, Y), {"test": (X, Y[:-1])}, "^fit: test: 8 examples but 7 targets"),
    "test is empty": ((X, Y), {"test": (X[:0], Y[:0])}, "^fit: test: 0 examples in batches"),
    "NaN in test": ((X, Y), {"test": (X * np.nan, Y)}, r"^fit: test: x\[0, 0, 0\] is nan"),
    "bad label in test": (
        (X, Y),
        {"test": (X, Y + 1)},
        r"^fit: test: y\[2\] is 3, but the model",
    ),
    "bad label": ((X, Y + 1), {}, r"y\[2\] is 3, but the model has classes 0 to 2"),
    "half an epoch": ((X, Y), {"epochs": 1.5}, "^fit: epochs 1.5 must be an integer"),
    "text batch": ((X, Y), {"batch_size": "4"}, "^fit: batch_size '4' must be an integer"),
    "loss by name": ((X, Y), {"loss": "hinge"}, "^fit: loss 'hinge' is not a function"),
    "optimizer by name": ((X, Y), {"optimizer": "adam"}, r"'adam' is not .*; write optax.adam\("),
    "optimizer not made": (
        (X, Y),
        {"optimizer": optax.adam},
        r"is not an optimizer of optax; write",
    ),
    "model not made": ((X, Y), {"model": models.mlp}, r"is not a layer; write fcnn.models.mlp\(\)"),
}


@pytest.mark.parametrize("bad", BAD_FITS)
def test_fit_rejects_bad_data_in_one_line_before_the_first_epoch(bad):
    """Tests check annotations and users do not, so this test calls `fit` without that check."""
    train, options, message = BAD_FITS[bad]
    options = {"loss": fcnn.softmax_cross_entropy, "epochs": 1, "batch_size": 4} | options
    loss, reported = options.pop("loss"), []
    model = options.pop("model", LINEAR)
    optimizer = options.pop("optimizer", optax.sgd(0.5))
    options |= {"key": jax.random.key(1), "report": reported.append}
    with pytest.raises((TypeError, ValueError)) as caught:
        inspect.unwrap(training.fit)(model, loss, optimizer, train, **options)
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)
    assert reported == []


PER_EXAMPLE = "it must be one number per example: leave out .mean() or .sum()"
BAD_LOSSES = {
    "mean": (lambda z, y: z.mean(), f"returns float64[] for outputs (4, 3); {PER_EXAMPLE}"),
    "number": (lambda z, y: 0.5, "returns float for outputs (4, 3); it must be an array of floats"),
    "nothing": (
        lambda z, y: None,
        "returns None for outputs (4, 3); it must be an array of floats",
    ),
    "pair": (
        lambda z, y: (z, y),
        "returns (float64[4,3], int32[4]) for outputs (4, 3); it must be",
    ),
    "errors": (lambda z, y: z.argmax(-1) != y, "returns bool[4] for outputs (4, 3); it must be an"),
    "outer": (
        lambda z, y: z.sum(1)[:, None] - z.sum(1)[None],
        "returns float64[4,4] for outputs (4, 3); it must be (4,), one number per example: "
        "do labels or targets have another shape than outputs?",
    ),
    "batch": (lambda z, y: z[0], "returns float64[3] for outputs (4, 3); it must be (4,), one"),
}


@pytest.mark.parametrize("bad", BAD_LOSSES)
def test_a_loss_must_be_one_float_per_example(fitted, bad):
    loss, message = BAD_LOSSES[bad]
    step = training.train_step(LINEAR, loss, optax.sgd(0.5))
    with pytest.raises(TypeError, match=f"^loss: {re.escape(message)}"):
        jax.eval_shape(step, fitted, (X[:4], Y[:4]))


def test_a_loss_may_have_one_float_per_entry_of_an_example(fitted):
    step = training.train_step(LINEAR, lambda z, y: jnp.square(z), optax.sgd(0.5))
    assert jax.eval_shape(step, fitted, (X[:4], Y[:4]))[1].loss.shape == ()


REPEATED = layers.repeat(layers.dense(3), 2)
TAKES_A_KEY = {
    "fit": lambda key: unwrap(training.fit)(
        LINEAR, fcnn.squared_error, optax.sgd(0.1), (X, X), epochs=1, batch_size=4, key=key
    ),
    "create": lambda key: unwrap(training.create)(LINEAR, optax.sgd(0.1), (2, 2), key),
    "serial": lambda key: unwrap(layers.Layer.init)(LINEAR, key, (2, 2)),
    "dense": lambda key: unwrap(layers.Layer.init)(layers.dense(3), key, (2,)),
    "flatten": lambda key: unwrap(layers.Layer.apply)(layers.flatten(), {}, {}, X, key=key),
    "repeat": lambda key: unwrap(layers.Layer.init)(REPEATED, key, (3,)),
    **{
        name: lambda key, init=init: unwrap(init)(key, (3, 3))
        for name, init in {
            "normal": layers.initializers.he,
            "uniform": layers.initializers.glorot_uniform,
            "truncated": layers.initializers.lecun_truncated,
            "orthogonal": layers.initializers.orthogonal(),
            "grouped": layers.initializers.grouped(layers.initializers.he, 3),
        }.items()
    },
}


@pytest.mark.parametrize("name", TAKES_A_KEY)
def test_an_int_is_rejected_as_a_key(name):
    with pytest.raises(TypeError, match=rf"^{name}: key 7 is not a random key; write .*key\(7\)$"):
        TAKES_A_KEY[name](7)
    with pytest.raises(TypeError, match=rf"^{name}: key holds .*\(3,\), not one random key"):
        TAKES_A_KEY[name](np.zeros(3, np.uint32))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y.astype(float), r"y holds float64, not integer labels; write y.astype\(int\)"),
        (X, Y > 0, "y holds bool, not integer labels"),
        (X, Y[:5], "8 examples but 5 labels"),
        (X[:0], Y[:0], "0 examples; at least 1"),
        (X, Y.astype(object), "y holds object, not numbers"),
        (1.5, Y, "x is one number"),
    ],
)
def test_evaluate_rejects_bad_data(fitted, x, y, message):
    with pytest.raises((TypeError, ValueError), match=f"^evaluate: {message}"):
        training.evaluate(LINEAR, fitted, x, y)


def test_errors_on_different_dtypes_show_the_cast():
    f32, f64 = jnp.zeros((2, 2), jnp.float32), jnp.zeros((2, 2))
    b32, b64 = f32[0], f64[0]
    for args, cast in (
        ((f32, f64, b64), "x float32, w float64, b float64; write x.astype(w.dtype)"),
        ((f32, f64), "x float32, w float64; write x.astype(w.dtype)"),
        ((f32, f64, b32), "write w.astype(x.dtype)"),
        ((f64, f32, b64.astype(jnp.bfloat16)), "x.astype(b.dtype), w.astype(b.dtype)"),
    ):
        with pytest.raises(TypeError, match=re.escape(cast)):
            fcnn.dense(*args)


def test_layers_that_only_reshape_take_lists_too():
    y, _ = layers.flatten().apply({}, {}, X.tolist())
    np.testing.assert_array_equal(y, X.reshape(8, 4))
    with pytest.raises(TypeError, match=r"^serial: x None is not an array of numbers$"):
        layers.serial().apply({}, {}, None)


@pytest.mark.parametrize("form", ["objects", "text", "masked", "dates"])
def test_check_rejects_inputs_without_numbers(form):
    with pytest.raises(TypeError, match=r"^check: x (holds|is a masked)"):
        fcnn.check(lambda x, w: w, (NO_NUMBERS[form][0], X))


def test_check_rejects_a_dtype_for_which_it_has_no_tolerance():
    with pytest.raises(
        ValueError, match=r"^check: unknown dtype float8_e4m3fn; expected one of float64"
    ):
        fcnn.check(lambda x: x, (X.astype(ml_dtypes.float8_e4m3fn),))


def test_valid_data_has_no_invalid_entry():
    assert find_invalid(LINEAR, X, Y) == ""


def test_fit_on_examples_sharded_over_an_explicit_mesh_gives_the_same_parameters(fitted):
    """Batches that `fit` and `scan_steps` read from sharded examples have the same sharding."""
    mesh = jax.make_mesh((2,), ("examples",), axis_types=(AxisType.Explicit,))
    sharding = NamedSharding(mesh, PartitionSpec("examples"))
    train_state, _ = fit(*jax.device_put((X, Y), sharding), test=jax.device_put((X, Y), sharding))
    for a, b in zip(*map(jax.tree.leaves, (train_state.params, fitted.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
