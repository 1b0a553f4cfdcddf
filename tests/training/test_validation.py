"""Data in other forms gives the result of plain arrays, or an error that shows what to write."""

import inspect
import re
from functools import partial
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

X = np.random.default_rng(0).integers(-8, 8, (8, 2, 2)) / 8  # exact in every float dtype
Y = np.arange(8, dtype=np.int32) % 3
LINEAR = layers.serial(layers.flatten(), layers.dense(3))
RECURRENT = models.lstm(4, 3)
ACCURACY = {"accuracy": training.accuracy}
KEY = jax.random.key(1)


class Loader:
    """Like torch's DataLoader, which has a data set but no positions."""

    dataset = (X, Y)

    def __iter__(self):
        return iter([(X, Y)])


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
    defaults = {"epochs": 1, "batch_size": 4, "key": jax.random.key(1)}
    return training.fit(LINEAR, loss, optax.sgd(0.5), (x, y), **defaults | options)


@pytest.fixture(scope="module")
def fitted():
    train_state = fit(X, Y).train_state
    return train_state._replace(key=jax.random.key(0), totals=None)


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
    predict = partial(training.predict, LINEAR, fitted.params, fitted.state)
    evaluate = partial(training.evaluate, LINEAR, fitted.params, fitted.state)
    want = predict(X)
    for x in (big, X.tolist()):
        np.testing.assert_array_equal(predict(x), want)
    y, _ = LINEAR.apply(fitted.params, fitted.state, X.astype(">f8"))
    np.testing.assert_array_equal(y, want)
    assert evaluate((big, Y.astype(">i8")), ACCURACY) == evaluate((X, Y), ACCURACY)
    first, second = (train(fitted, (x, Y))[0].params for x in (X, big))
    np.testing.assert_array_equal(first["dense1"]["w"], second["dense1"]["w"])
    np.testing.assert_array_equal(fcnn.relu(X.astype(">f8")), np.maximum(X, 0))
    assert subject_of(jnp.sin, (X.astype(">f4"),)).x[0].dtype == np.float32


@pytest.mark.parametrize("where", [training.on_device, training.from_host])
def test_fit_takes_lists_memory_maps_and_big_endian_arrays(tmp_path, fitted, where):
    big = mapped(X.astype(">f4"), tmp_path)
    for x, y in ((X.tolist(), Y.tolist()), (big, Y.astype(">i8"))):
        source = where((x, y))
        found = training.fit(
            LINEAR,
            fcnn.softmax_cross_entropy,
            optax.sgd(0.5),
            source,
            epochs=1,
            batch_size=4,
            key=jax.random.key(1),
            validation=source,
        )
        both = (found.train_state.params, fitted.params)
        for a, b in zip(*map(jax.tree.leaves, both), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        assert found.history[0].validation["loss"] > 0


def test_float_targets_have_the_dtype_of_the_parameters():
    targets = X[:, 0, :1].repeat(3, 1)
    found = fit(X.astype(np.float16), targets.astype(np.float32), fcnn.squared_error)
    assert np.isfinite(found.history[0].training["loss"])


def test_fit_takes_validation_examples_on_another_device():
    here, there = jax.local_devices()[0], jax.local_devices()[-1]
    assert here != there
    x, y = (jax.device_put(a, here) for a in (X, Y))
    validation = tuple(jax.device_put(a, there) for a in (X, Y))
    assert fit(x, y, validation=validation).history != []


STATE = training.create(LINEAR, optax.sgd(0.5), (2, 2), KEY)
NAN_STATE = STATE._replace(params=jax.tree.map(lambda a: a * np.nan, STATE.params))
DATASET = data.Dataset("d", (X, Y), (X, Y), ())
EXPECTED = r"examples must be a pair \(x, y\), a dict with x, or a source, not"
BAD_FITS = {
    "uint8": ((X.astype(np.uint8), Y), {}, r"x holds uint8, not floats; .* for pixels .* / 255"),
    "complex": ((X.astype(complex), Y), {}, r"write x.real.astype\(jnp.float32\)"),
    "objects": ((X.astype(object), Y), {}, "^fit: x holds object, not numbers"),
    "text labels": ((X, Y.astype(str)), {}, "^fit: y holds str, not numbers"),
    "float labels": ((X, Y.astype(float)), {}, r"labels hold float64, .*; write labels.astype"),
    "a number": ((1.5, Y), {}, "^fit: x is one number, without an axis of examples"),
    "a data set": (DATASET, {}, f"^fit: {EXPECTED} Dataset; write data.train, where data is"),
    "x alone": (X, {}, rf"^fit: {EXPECTED} ndarray; write \(x, y\), or"),
    "a list": ([X, Y], {}, rf"^fit: {EXPECTED} list; write \(np.array\(x\), np.array\(y\)\), or"),
    "a generator": (iter([(X, Y)]), {}, "from_indexable.*: without positions, it could not be"),
    "a loader": (Loader(), {}, r"write from_indexable\(loader.dataset\), which has positions"),
    "three arrays": ((X, Y, Y), {}, r'write \{"x": x, "y": y, "weights": weights\}'),
    "a share": ((X, Y), {"validation": 0.2}, "write train, validation = fcnn.data.split"),
    "layers in a list": ((X, Y), {"model": [LINEAR]}, r"write fcnn.layers.serial\(...\)"),
    "without x": ({"images": X, "y": Y}, {}, "^fit: examples has images, y, but no x"),
    "empty": ((X[:0], Y[:0]), {}, "^fit: 0 examples; at least 1"),
    "fewer targets": ((X, Y[:-1]), {}, "^fit: x has 8 examples, but y has 7"),
    "one example": ((X[0], Y[:1]), {}, r"a single example needs a batch axis: write x\[None\]"),
    "an entry that nothing reads": (
        {"x": X, "y": Y, "weights": Y},
        {},
        "^fit: batch entry 'weights' is not read: the model reads nothing besides x; leave it out",
    ),
    "a name that the model reads, misspelt": (
        {"x": X, "y": Y, "length": Y},
        {"model": RECURRENT},
        "^fit: batch entry 'length' is not read: the model reads lengths; leave",
    ),
    "a loss of y without y": ({"x": X}, {}, "^loss: reads y, but the batch has x"),
    "float labels for validation": (
        (X, Y),
        {"validation": (X, Y.astype(float)), "metrics": ACCURACY},
        r"labels hold float64, not class numbers",
    ),
    "accuracy of floats": (
        (X, X[:, 0]),
        {"loss": lambda z, y: z[:, 0], "metrics": ACCURACY},
        r"accuracy: y holds float64, not integer labels; write y.astype\(int\)",
    ),
    "other image size": (
        (X, Y),
        {"validation": (X[:, :1], Y)},
        r"^fit: validation: dense1?: .*\(8, 2\).*\(4, 3\)",
    ),
    "labels in a column": (
        (X, Y[:, None]),
        {"loss": lambda z, y: z[:, 0], "metrics": ACCURACY},
        r"accuracy: y has shape \(4, 1\); expected \(4,\), one label per row of outputs \(4, 3\)",
    ),
    "validation is short": (
        (X, Y),
        {"validation": (X, Y[:-1])},
        "^fit: validation: x has 8 examples, but y has 7",
    ),
    "validation is empty": ((X, Y), {"validation": (X[:0], Y[:0])}, "^fit: validation: 0 examples"),
    "a batch of more than all": ((X, Y), {"batch_size": 9}, "batch_size 9 exceeds the 8 examples"),
    "augmentation not made": (
        (X, Y),
        {"augment": data.augment.shift},
        r"^fit: augment is shift itself; write shift\(...\)",
    ),
    "NaN as start": (
        (X, Y),
        {"start": NAN_STATE},
        "^fit: start: dense1/b is not finite",
    ),
    "bad label for validation": (
        (X, Y),
        {"validation": (X, Y + 1)},
        r"^fit: validation: y\[2\] is 3, but the model has classes 0 to 2$",
    ),
    "bad label": ((X, Y + 1), {}, r"^fit: y\[2\] is 3, but the model has classes 0 to 2"),
    "half an epoch": ((X, Y), {"epochs": 1.5}, "^fit: epochs 1.5 must be an integer"),
    "negative epochs": ((X, Y), {"epochs": -1}, "^fit: epochs -1 must not be negative"),
    "text batch": ((X, Y), {"batch_size": "4"}, "^fit: batch_size '4' must be an integer"),
    "no batch": ((X, Y), {"batch_size": 0}, "^fit: batch_size 0 must be at least 1"),
    "every 0": ((X, Y), {"every": 0}, "^fit: every 0 must be at least 1"),
    "an int as key": ((X, Y), {"key": 0}, r"^fit: key 0 is not a random key; write jax.random.key"),
    "loss by name": ((X, Y), {"loss": "hinge"}, "^fit: loss 'hinge' is not a function of"),
    "metrics in a list": (
        (X, Y),
        {"metrics": [training.accuracy]},
        r"is not a dict; write metrics=\{'accuracy': fcnn.training.accuracy\}",
    ),
    "metric by name": ((X, Y), {"metrics": {"a": "top"}}, "^fit: metric 'a' is 'top'; expected"),
    "metric of one number": (
        (X, Y),
        {"metrics": {"a": lambda z, y: z.mean()}},
        r"metric .a. returns float64\[\] for .*; it must be one number per example: leave",
    ),
    "loss as metric": ((X, Y), {"metrics": {"loss": training.accuracy}}, "leave out 'loss'"),
    "optimizer by name": ((X, Y), {"optimizer": "adam"}, r"'adam' is not .*; write optax.adam\("),
    "optimizer not made": (
        (X, Y),
        {"optimizer": optax.adam},
        r"is not an optimizer of optax; write",
    ),
    "model not made": ((X, Y), {"model": models.mlp}, r"is not a layer; write mlp\(\)"),
    "a number as augmentation": ((X, Y), {"augment": 2}, r"augment 2 is not a function of \(key,"),
    "callback not made": (
        (X, Y),
        {"callbacks": [training.print_progress]},
        r"is not a Callback; write fcnn.training.print_progress\(\)",
    ),
    "one callback": ((X, Y), {"callbacks": training.print_progress()}, r"write callbacks=\[...\]"),
    "two callbacks of one name": (
        (X, Y),
        {"callbacks": [training.print_progress()] * 2},
        "callbacks print_progress, print_progress: a name occurs twice",
    ),
    "early stopping without validation": (
        (X, Y),
        {"callbacks": [training.early_stopping(patience=1)]},
        r"early_stopping reads the validation loss; write validation=\(x, y\)",
    ),
    "an unknown metric": (
        (X, Y),
        {
            "callbacks": [training.keep_best("acc", larger=True)],
            "validation": (X, Y),
            "metrics": ACCURACY,
        },
        "reads the validation acc, which is not measured; expected one of accuracy, loss",
    ),
    "parameters as start": (
        (X, Y),
        {"start": {"w": X}},
        "start is a dict, not a TrainState; write start=run.tr",
    ),
    "start of another model": (
        (X, Y),
        {"start": training.create(LINEAR, optax.sgd(0.5), (3, 3), KEY)},
        r"^fit: start: params/dense1/w is floats\(9, 3\), but the model has floats\(4, 3\)",
    ),
    "start of another optimizer": (
        (X, Y),
        {"start": training.create(LINEAR, optax.adam(0.5), (2, 2), KEY)},
        r"start: opt_state/.* is .*, but the optimizer has missing",
    ),
    "start behind the end": (
        (X, Y),
        {"start": training.create(LINEAR, optax.sgd(0.5), (2, 2), KEY)._replace(step=9)},
        "start is at step 9, but the run ends at step 2; write a larger epochs",
    ),
}


@pytest.mark.parametrize("bad", BAD_FITS)
def test_fit_rejects_bad_arguments_in_one_line_before_the_first_step(bad):
    """Tests check annotations and users do not, so this test calls `fit` without that check."""
    source, options, message = BAD_FITS[bad]
    options = {"loss": fcnn.softmax_cross_entropy, "epochs": 1, "batch_size": 4} | options
    loss, called = options.pop("loss"), []
    model = options.pop("model", LINEAR)
    optimizer = options.pop("optimizer", optax.sgd(0.5))
    options = {"callbacks": [training.print_progress(called.append)], "key": KEY} | options
    with pytest.raises((TypeError, ValueError)) as caught:
        inspect.unwrap(training.fit)(model, loss, optimizer, source, **options)
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)
    assert called == []


def test_an_ignored_label_is_no_error():
    y = np.where(Y == 2, -1, Y)
    loss = partial(fcnn.softmax_cross_entropy, ignore_index=-1)
    assert fit(X, y, loss).stopped == ""


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
    assert jax.eval_shape(step, fitted, (X[:4], Y[:4]))[1]["loss"].shape == ()


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


BAD_EVALUATIONS = {
    "float labels": ((X, Y.astype(float)), {}, r"accuracy: y holds float64, not integer labels"),
    "booleans": ((X, Y > 0), {}, "accuracy: y holds bool, not integer labels"),
    "fewer labels": ((X, Y[:5]), {}, "evaluate: x has 8 examples, but y has 5"),
    "empty": ((X[:0], Y[:0]), {}, "evaluate: 0 examples; at least 1"),
    "objects": ((X, Y.astype(object)), {}, "evaluate: y holds object, not numbers"),
    "a number": ((1.5, Y), {}, "evaluate: x is one number"),
    "a train state": (
        (X, Y),
        {"params": training.Metric},
        "params is a type, not a dict; write train_state.params",
    ),
    "no metrics": ((X, Y), {"metrics": training.accuracy}, "metrics .* is not a dict; write"),
    "an unread entry": ({"x": X, "y": Y, "z": Y}, {}, "evaluate: batch entry 'z' is not read"),
    "batch_size": ((X, Y), {"batch_size": 0}, "evaluate: batch_size 0 must be at least 1"),
    "labels out of range": (
        (X, Y + 5),
        {"metrics": {"loss": fcnn.softmax_cross_entropy}},
        r"evaluate: y\[0\] is 5, but the model has classes 0 to 2$",
    ),
}


@pytest.mark.parametrize("bad", BAD_EVALUATIONS)
def test_evaluate_rejects_bad_data(fitted, bad):
    source, options, message = BAD_EVALUATIONS[bad]
    given = {"params": fitted.params, "metrics": ACCURACY} | options
    params, metrics = given.pop("params"), given.pop("metrics")
    with pytest.raises((TypeError, ValueError), match=message):
        unwrap(training.evaluate)(LINEAR, params, fitted.state, source, metrics, **given)


def test_predict_rejects_inputs_with_another_number_of_examples(fitted):
    with pytest.raises(ValueError, match="predict: lengths has 5 examples, but x has 8"):
        training.predict(LINEAR, fitted.params, fitted.state, X, lengths=Y[:5])


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


def test_fit_on_examples_sharded_over_an_explicit_mesh_gives_the_same_parameters(fitted):
    """Batches that `fit` and `scan_steps` read from sharded examples have the same sharding."""
    mesh = jax.make_mesh((2,), ("examples",), axis_types=(AxisType.Explicit,))
    sharding = NamedSharding(mesh, PartitionSpec("examples"))
    x, y = jax.device_put((X, Y), sharding)
    train_state = fit(x, y, validation=(x, y)).train_state
    for a, b in zip(*map(jax.tree.leaves, (train_state.params, fitted.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
