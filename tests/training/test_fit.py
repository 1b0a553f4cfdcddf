"""Properties of `fit`: continued runs, sources, batches, metrics, callbacks, faults."""

import json
import pickle
import re
from functools import partial
from inspect import unwrap
from threading import Thread

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType

import fcnn
from fcnn import data, layers, models, training

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((23, 4)), RNG.integers(0, 3, 23).astype(np.int32)
MODEL = layers.serial(
    layers.dense(6, bias=False), layers.batch_norm(), layers.dropout(0.4), layers.dense(3)
)
PAIRS = [*zip(X, Y, strict=True)]
ADAM = optax.adam(optax.cosine_decay_schedule(1e-2, 40))
ACCURACY = {"accuracy": training.accuracy}
OPTIONS = {"epochs": 5, "batch_size": 5, "key": jax.random.key(1)}  # 4 steps in an epoch


def noise(key, batch):
    return {**batch, "x": batch["x"] + 0.1 * jax.random.normal(key, batch["x"].shape)}


def fit(source=(X, Y), model=MODEL, loss=fcnn.softmax_cross_entropy, optimizer=ADAM, **options):
    return training.fit(model, loss, optimizer, source, **OPTIONS | options)


def stepping(count):
    """A callback that counts its calls, and ends the run at the given number."""

    def after(train_state, own, progress):
        return training.Stop("counted", own + 1) if own + 1 == count else own + 1

    return training.Callback("stepping", lambda train_state: jnp.zeros((), int), after)


def assert_equal(one, other):
    """Assert that two pytrees have the same structure, dtypes and bits."""
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True):
        a, b = (jax.random.key_data(a), jax.random.key_data(b)) if _is_key(a) else (a, b)
        assert jnp.asarray(a).dtype == jnp.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def _is_key(a):
    return jnp.issubdtype(jnp.asarray(a).dtype, jax.dtypes.prng_key)


def without_seconds(history):
    return [progress._replace(seconds=0) for progress in history]


FULL = {
    "validation": (X[:9], Y[:9]),
    "metrics": ACCURACY,
    "augment": noise,
    "every": 3,
    "callbacks": [training.keep_best("accuracy", larger=True), stepping(99)],
}


@pytest.fixture(scope="module")
def whole():
    with jax.numpy_dtype_promotion("standard"):
        return fit(**FULL)


@pytest.mark.parametrize("where", [training.on_device, training.from_host, training.from_indexable])
def test_a_continued_run_equals_an_uninterrupted_one_bit_for_bit(whole, where):
    """Steps are reported in threes, so the first run ends within a chunk, after step 8."""
    source = where(PAIRS if where is training.from_indexable else (X, Y))
    half = fit(source, **FULL | {"epochs": 2})
    assert [progress.step for progress in half.history] == [3, 6, 8]
    saved = pickle.loads(pickle.dumps(jax.tree.map(_plain, half.train_state)))
    start = saved._replace(key=jax.random.wrap_key_data(saved.key))
    end = fit(source, **FULL, start=start)
    assert [progress.step for progress in end.history] == [9, 12, 15, 18, 20]
    for part in ("step", "params", "state", "opt_state", "key"):
        assert_equal(getattr(end.train_state, part), getattr(whole.train_state, part))
    assert without_seconds(end.history)[1:] == without_seconds(whole.history)[3:]


def _plain(a):
    return np.asarray(jax.random.key_data(a)) if _is_key(a) else np.asarray(a)


def test_a_run_that_ends_between_two_chunks_goes_on_with_its_totals(whole):
    """A signal may end a run at any step; here a NaN does, in a copy of the examples."""
    batches = []

    def take(indices):
        batches.append(indices)
        x = X[indices] * (np.nan if len(batches) == 9 else 1)  # the first batch is for compilation
        return {"x": x, "y": Y[indices]}

    cut = fit(training.Source(23, training.on_device((X, Y)).spec, take), **FULL)
    assert (cut.stopped, int(cut.train_state.step)) == ("not finite", 7)
    end = fit(**FULL, start=cut.train_state)
    assert_equal(end.train_state, whole.train_state)
    assert without_seconds(cut.history + end.history) == without_seconds(whole.history)


def test_a_finished_run_continues_without_a_step(whole):
    again = fit(**FULL, start=whole.train_state)
    assert again.history == []
    assert_equal(again.train_state.params, whole.train_state.params)


def test_the_state_that_a_run_starts_from_is_not_overwritten(whole):
    states = []
    spy = training.Callback(
        "spy", lambda train_state: (), lambda train_state, own, _: states.append(train_state) or own
    )
    start = training.create(MODEL, ADAM, (4,), jax.random.key(3))
    fit(start=start, callbacks=[spy], epochs=2)
    assert [int(state.step) for state in (start, *states)] == [0, 4, 8]
    assert all(np.isfinite(a).all() for state in states for a in jax.tree.leaves(state.params))


def test_the_best_parameters_have_the_best_validation_result(whole):
    best = whole.train_state.callbacks["keep_best"]
    shown = [progress.validation["accuracy"] for progress in whole.history]
    assert float(best["value"]) == max(shown)
    assert int(best["step"]) == whole.history[shown.index(max(shown))].step
    again = training.evaluate(MODEL, best["params"], best["state"], (X[:9], Y[:9]), ACCURACY)
    assert again["accuracy"] == max(shown)


def test_results_are_means_over_the_examples_of_a_chunk():
    """Without dropout and with a rate of 0, every step has the loss of the first parameters."""
    run = fit(
        model=layers.dense(3), optimizer=optax.sgd(0.0), epochs=1, metrics=ACCURACY, batch_size=23
    )
    params = run.train_state.params
    logits = X @ np.asarray(params["w"]) + np.asarray(params["b"])
    each = np.asarray(fcnn.softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(Y)))
    (progress,) = run.history
    assert progress.training["loss"] == pytest.approx(each.mean(), rel=1e-12)
    assert progress.training["accuracy"] == np.mean(logits.argmax(1) == Y)


def test_each_step_draws_its_own_dropout_and_augmentation():
    """With one example and a rate of 0, only random numbers change the loss."""
    source, drop = (np.ones((1, 99)), Y[:1]), layers.serial(layers.dropout(0.5), layers.dense(3))
    for options in ({"model": drop}, {"model": layers.dense(3), "augment": noise}):
        run = fit(source, optimizer=optax.sgd(0.0), batch_size=1, epochs=4, **options)
        assert len({progress.training["loss"] for progress in run.history}) == 4


@pytest.mark.parametrize("batch_size", [1, 7, 22, 23, 500])
def test_a_short_last_batch_counts_by_its_examples(batch_size):
    outputs = jnp.asarray(X[:, :3])

    def add(matrix, outputs, batch):
        return matrix.at[batch["y"], outputs.argmax(-1)].add(1)

    confusion = training.Metric(jnp.zeros((3, 3), int), add, lambda matrix: matrix)
    found = training.evaluate(
        layers.identity(),
        {},
        {},
        (outputs, Y),
        {"loss": fcnn.softmax_cross_entropy, "confusion": confusion, **ACCURACY},
        batch_size=batch_size,
    )
    each = fcnn.softmax_cross_entropy(outputs, jnp.asarray(Y))
    assert found["loss"] == pytest.approx(float(each.mean()), rel=1e-13)
    assert found["accuracy"] == np.mean(X[:, :3].argmax(1) == Y)
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (Y, np.asarray(outputs.argmax(1))), 1)
    np.testing.assert_array_equal(found["confusion"], expected)


def test_the_mean_of_many_float32_batches_keeps_its_digits():
    """A plain float32 sum of these values is wrong from the fourth digit on."""
    total, values = training.metrics.MeanTotal.zero(), np.float32([0.1, 1.3])
    with jax.enable_x64(False):
        total = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), total)
        plus = lambda total, _: (total.plus(jnp.asarray(values)), None)
        total, _ = jax.jit(lambda t: jax.lax.scan(plus, t, length=300_000))(total)
        assert float(total.value()) == pytest.approx(0.7, rel=1e-7)


def test_entries_of_a_batch_reach_the_model_the_loss_and_metrics():
    x = RNG.standard_normal((12, 5, 2))
    lengths, weights = RNG.integers(1, 6, 12), RNG.uniform(0.5, 2, 12)
    labels = Y[:12]

    def loss(outputs, batch):
        return batch["weights"] * fcnn.softmax_cross_entropy(outputs, batch["y"])

    model = models.lstm(4, 3)
    source = {"x": x, "y": labels, "lengths": lengths, "weights": weights}
    options = {"epochs": 1, "batch_size": 12, "key": jax.random.key(0)}
    run = training.fit(model, loss, optax.sgd(0.0), source, validation=source, **options)
    params = run.train_state.params
    logits, _ = model.apply(params, {}, x, lengths=lengths)
    expected = float((weights * fcnn.softmax_cross_entropy(logits, jnp.asarray(labels))).mean())
    (progress,) = run.history
    assert progress.training["loss"] == pytest.approx(expected, rel=1e-12)
    assert progress.validation["loss"] == pytest.approx(expected, rel=1e-12)


def test_x_may_be_a_pytree():
    model = layers.parallel(a=layers.dense(3), b=layers.dense(3), combine="sum")
    run = fit({"x": {"a": X, "b": X[:, :2]}, "y": Y}, model, epochs=8, optimizer=optax.sgd(0.3))
    assert run.history[-1].training["loss"] < run.history[0].training["loss"]


def test_an_optimizer_that_reads_the_loss_gets_it():
    plateau = optax.chain(
        optax.sgd(0.0), optax.contrib.reduce_on_plateau(factor=0.5, patience=2, cooldown=0)
    )
    run = fit(optimizer=plateau, model=layers.dense(3), batch_size=23, epochs=9)
    scale = float(optax.tree.get(run.train_state.opt_state, "scale"))
    assert scale == 0.5 ** (8 // 2)


def test_an_optimizer_with_a_line_search_gets_the_function():
    run = fit(optimizer=optax.lbfgs(), model=layers.dense(3), batch_size=23, epochs=12, every=1)
    newton = run.history[-1].training["loss"]
    assert (
        newton
        < fit(optimizer=optax.sgd(0.1), model=layers.dense(3), epochs=12)
        .history[-1]
        .training["loss"]
    )


KINDS = {"automatic": AxisType.Auto, "explicit": AxisType.Explicit}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on", [False, True], ids=["from host", "on device"])
def test_data_parallel_training_equals_training_on_one_device(kind, on):
    """In float64, so that an error is not hidden by rounding; the last batch is short."""
    x, y = np.concatenate([X, X[:1]]), np.concatenate([Y, Y[:1]])
    mesh = jax.make_mesh((2,), ("data",), axis_types=(KINDS[kind],))
    source = training.sharded((x, y), mesh)
    if on:
        where = jax.sharding.NamedSharding(mesh, jax.P("data"))
        source = training.on_device(jax.device_put((x, y), where))
    options = {"batch_size": 6, "epochs": 3, "metrics": ACCURACY, "validation": (X, Y)}
    one = fit((x, y), **options)
    two = fit(source, **options | {"validation": training.sharded((X, Y), mesh)})
    for part in ("params", "state"):
        for a, b in zip(
            *(jax.tree.leaves(getattr(run.train_state, part)) for run in (one, two)), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    for a, b in zip(one.history, two.history, strict=True):
        assert a.validation == pytest.approx(b.validation, rel=1e-10)
    (first, *_) = jax.tree.leaves(two.train_state.params)
    assert len(first.sharding.device_set) == 2
    back = fit((x, y), **options | {"epochs": 4}, start=two.train_state)
    assert back.stopped == ""


@pytest.mark.parametrize("kind", KINDS)
def test_each_device_has_its_share_of_a_batch(kind):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(KINDS[kind],))
    batch = training.sharded((X, Y), mesh).take(np.arange(6))
    for a in (batch["x"], batch["y"]):
        assert [shard.data.shape[0] for shard in a.addressable_shards] == [3, 3]


def test_a_batch_must_be_divisible_by_the_devices():
    source = training.sharded((X, Y), jax.make_mesh((2,), ("data",)))
    with pytest.raises(ValueError, match="batch_size 5 must be a multiple of the 2 devices that"):
        fit(source)


def test_a_source_of_ones_own_draws_examples_by_index():
    asked = []

    def take(indices):
        asked.extend(indices.tolist())
        return {"x": X[indices], "y": Y[indices]}

    spec = {"x": jax.ShapeDtypeStruct((4,), float), "y": jax.ShapeDtypeStruct((), np.int32)}
    run = fit(training.Source(23, spec, take))
    assert_equal(run.train_state.params, fit().train_state.params)
    assert {*asked} == {*range(23)}


BAD_SOURCES = {
    "generator": (lambda: training.from_indexable(iter([])), "a list_iterator has no positions"),
    "empty": (lambda: training.from_indexable([]), "from_indexable: 0 examples"),
    "not a pair": (lambda: training.from_indexable([1.0]), "example 0 must be a pair .* not float"),
    "not a mesh": (
        lambda: unwrap(training.sharded)((X, Y), 2),
        r"mesh 2 is not a mesh of devices; write jax.make_mesh",
    ),
    "axis": (
        lambda: training.sharded((X, Y), jax.make_mesh((2,), ("data",)), "model"),
        "axis 'model' is not in the mesh; expected 'data'",
    ),
    "ragged": (
        lambda: fit(training.from_indexable([*PAIRS, (X[0, :3], Y[0])])),
        r"from_indexable: x of example 23 is \(3,\), but of example 0 \(4,\)",
    ),
}


@pytest.mark.parametrize("bad", BAD_SOURCES)
def test_bad_sources_are_rejected_in_one_line(bad):
    make, message = BAD_SOURCES[bad]
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def bad_at(i, j=1):
    x = X.copy()
    x[i, j] = np.inf
    return x


NOT_FINITE = {
    "x": ((bad_at(21), Y), {}, r"x\[21, 1\] is inf in step \d"),
    "x on the host": (training.from_host((bad_at(21), Y)), {}, r"x\[21, 1\] is inf in step \d"),
    "targets": (
        (X, bad_at(20)[:, :3]),
        {"loss": fcnn.squared_error},
        r"y\[20, 1\] is inf in step \d",
    ),
    "a label on the host": (
        training.from_host((X, np.where(np.arange(23) == 20, 3, Y))),
        {},
        r"y\[20\] is 3, but the model has classes 0 to 2, in step \d",
    ),
    "a loss of one example": (
        {"x": X},
        {"loss": lambda z, batch: z[:, 0] * jnp.log(jnp.abs(batch["x"][:, 0] - X[20, 0]))},
        r"the loss of example 20 is -?inf in step \d: the learning rate may be too high",
    ),
    "a gradient": (
        {"x": X},
        {"loss": lambda z, batch: jnp.sqrt(0 * z[:, 0]), "model": layers.dense(3)},
        r"the update of b in step 1 is not finite, at loss 0",
    ),
    "rate": (
        (X, X[:, :3]),
        {"loss": fcnn.squared_error, "optimizer": optax.sgd(1e200), "model": layers.dense(3)},
        r"the loss of example \d+ is inf in step 2: the learning rate may be too high",
    ),
}


@pytest.mark.parametrize("kind", NOT_FINITE)
def test_a_result_that_is_not_finite_ends_training_with_the_last_finite_state(kind, capsys):
    source, options, message = NOT_FINITE[kind]
    loss = options.pop("loss", fcnn.softmax_cross_entropy)
    run = fit(source, loss=loss, **options)
    assert run.stopped == "not finite"
    assert re.search(message, run.message), run.message
    assert capsys.readouterr().err == f"fit: not finite: {run.message}\n"
    step = int(run.train_state.step)
    assert f"step {step + 1}" in run.message
    for a in jax.tree.leaves((run.train_state.params, run.train_state.state)):
        assert np.isfinite(a).all()


def test_batch_norm_statistics_that_overflow_end_training():
    """The loss stays finite: only the running variance is not."""
    model = layers.serial(layers.batch_norm(), layers.dense(3))
    with jax.enable_x64(False):
        run = fit((np.float32(X) * np.float32(1e25), Y), model, optimizer=optax.sgd(0.1))
    assert run.stopped == "not finite"
    assert "the update of batch_norm1/var in step 1 is not finite" in run.message


def regression(outputs, y):
    return (outputs[:, 0] - y) ** 2


BLAME = {  # a diverging run, whose integers are not labels, or are ignored labels
    "integer targets": ({"source": (X, Y * 40), "model": layers.dense(1), "loss": regression}, 1e5),
    "ignored labels": (
        {
            "source": (X, np.where(Y == 1, -1, Y)),
            "model": layers.serial(layers.dense(8), layers.relu(), layers.dense(3)),
            "loss": partial(fcnn.softmax_cross_entropy, ignore_index=-1),
        },
        1e200,
    ),
}


@pytest.mark.parametrize("kind", BLAME)
def test_integers_that_are_no_labels_are_not_blamed(kind):
    options, rate = BLAME[kind]
    run = fit(optimizer=optax.sgd(rate), epochs=60, **options)
    assert run.stopped == "not finite"
    assert "classes" not in run.message


def test_parameters_that_augmentation_makes_nan_are_explained():
    augment = lambda key, batch: {**batch, "x": batch["x"] / 0}
    run = fit(augment=augment)
    assert re.search(r"^x of example \d+ is (-?inf|nan) in step 1, after augmentation", run.message)


def test_bfloat16_parameters_are_trained():
    params, state = jax.tree.map(
        lambda a: a.astype(jnp.bfloat16), MODEL.init(jax.random.key(0), (4,))
    )
    start = training.create(MODEL, ADAM, (4,), jax.random.key(0), params=params, state=state)
    run = fit(start=start, epochs=1)
    assert all(a.dtype == jnp.bfloat16 for a in jax.tree.leaves(run.train_state.params))
    assert np.isfinite(run.history[0].training["loss"])


def test_a_jitted_loss_of_the_batch_is_taken():
    @jax.jit
    def loss(outputs, batch):
        return fcnn.softmax_cross_entropy(outputs, batch["y"]) * dict(batch)["w"]

    source = {"x": X, "y": Y, "w": np.ones(23)}
    run = fit(source, loss=loss, metrics={"again": loss}, epochs=1)
    assert run.history[0].training["again"] == pytest.approx(run.history[0].training["loss"])


def test_fit_works_without_jit():
    with jax.disable_jit():
        run = fit(epochs=1, model=layers.dense(3), validation=(X, Y))
    same = fit(epochs=1, model=layers.dense(3))
    for a, b in zip(*(jax.tree.leaves(r.train_state.params) for r in (run, same)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_confusion_matrix_is_counted_on_a_mesh(kind):
    def add(matrix, outputs, batch):
        return matrix.at[batch["y"], outputs.argmax(-1)].add(1)

    mesh = jax.make_mesh((2,), ("data",), axis_types=(KINDS[kind],))
    metrics = {"confusion": training.Metric(jnp.zeros((3, 3), int), add, lambda matrix: matrix)}
    options = {"batch_size": 6, "epochs": 1, "metrics": metrics}
    one = fit((X, Y), validation=(X, Y), **options)
    source = training.sharded((X, Y), mesh)
    two = fit(source, validation=source, **options)
    for part in ("training", "validation"):
        found = [getattr(run.history[0], part)["confusion"] for run in (one, two)]
        np.testing.assert_array_equal(*found)
        assert found[0].sum() == (18 if part == "training" else 23)


def test_a_weighted_metric_is_the_weighted_mean():
    """A value without weight may be NaN, as that of a padded position."""
    weights = RNG.uniform(size=23)
    weights[5] = 0
    values = np.where(np.arange(23) == 5, np.nan, X[:, 0])
    metric = lambda outputs, batch: (batch["v"] + 0 * outputs[:, 0], batch["w"])
    source = {"x": X, "v": values, "w": weights}
    found = training.evaluate(layers.identity(), {}, {}, source, {"m": metric}, batch_size=7)
    assert found["m"] == pytest.approx(np.average(np.nan_to_num(values), weights=weights))


def test_binary_accuracy_compares_signs_with_labels():
    logits, y = jnp.array([[2.0], [-1.0], [3.0]]), jnp.array([[1], [0], [0]])
    np.testing.assert_array_equal(training.binary_accuracy(logits, y), [[1], [1], [0]])
    with pytest.raises(ValueError, match=r"outputs \(3, 1\) have one class; write binary_accuracy"):
        training.accuracy(logits, y[:, 0])
    with pytest.raises(ValueError, match=r"outputs \(3, 1\) and y \(3,\) must be equal"):
        training.binary_accuracy(logits, y[:, 0])


@pytest.mark.parametrize("make", [training.keep_best, training.early_stopping])
def test_whether_larger_is_better_must_be_known(make):
    options = {"patience": 3} if make is training.early_stopping else {}
    with pytest.raises(ValueError, match="metric 'accuracy': are larger values better"):
        make("accuracy", **options)


def test_parameters_need_the_state_that_belongs_to_them(whole):
    params, state = whole.train_state.params, whole.train_state.state
    with pytest.raises(ValueError, match="create: params without state, but the model has state"):
        training.create(MODEL, ADAM, (4,), jax.random.key(0), params=params)
    made = training.create(MODEL, ADAM, (4,), jax.random.key(0), params=params, state=state)
    assert_equal((made.params, made.state), (params, state))


def test_a_finished_run_says_that_nothing_is_left(whole, capsys):
    again = fit(**FULL, start=whole.train_state)
    assert again.message == "nothing to train: the state is at step 20 of 20"
    assert capsys.readouterr().err == f"fit: {again.message}\n"


def test_states_of_other_callbacks_are_kept():
    options = {"validation": (X, Y), "model": layers.dense(3)}
    run = fit(callbacks=[training.keep_best(), stepping(99)], epochs=1, **options)
    end = fit(start=run.train_state, epochs=2, callbacks=[stepping(99)], **options)
    assert int(end.train_state.callbacks["stepping"]) == 2
    assert_equal(end.train_state.callbacks["keep_best"], run.train_state.callbacks["keep_best"])


BAD_CALLBACKS = {
    "an object as state": (lambda s: "text", lambda s, own, p: own, "its state has a str 'text'"),
    "Stop itself": (lambda s: (), lambda s, own, p: training.Stop, "its state has a type"),
}


@pytest.mark.parametrize("bad", BAD_CALLBACKS)
def test_the_state_of_a_callback_is_a_pytree_of_arrays(bad):
    init, after, message = BAD_CALLBACKS[bad]
    callbacks = [training.Callback("bad", init, after)]
    if bad == "Stop itself":
        assert message in fit(callbacks=callbacks).message
    else:
        with pytest.raises(TypeError, match=f"^fit: callback bad: {message}"):
            fit(callbacks=callbacks)


@pytest.mark.parametrize("reason", [3, "", "low"])
def test_any_reason_stops(reason):
    callback = training.Callback("any", lambda s: (), lambda s, own, p: training.Stop(reason))
    run = fit(callbacks=[callback])
    assert (len(run.history), run.stopped) == (1, f"{reason}" or "stopped by any")


BAD_METRICS = {
    "another length": (lambda z, y: jnp.zeros(3), r"'m' returns float64\[3\] for outputs \(5, 3\)"),
    "broadcast": (
        lambda z, y: jnp.abs(z[:, :1] - y[None]),
        r"returns float64\[5,5\] for outputs \(5, 3\); .* do y and outputs have different shapes",
    ),
    "complex": (lambda z, y: z[:, 0] + 1j, "one real number per example"),
    "NumPy": (
        lambda z, y: np.asarray(z)[:, 0],
        "metric 'm': TracerArrayConversionError: NumPy and",
    ),
    "another name": (
        lambda z, b: b["y"],
        "metric 'm': y has no entries by name; call its second parameter `batch` to get",
    ),
    "three parameters": (lambda z, y, w: z[:, 0], "metric 'm': .* missing 1 required positional"),
    "another dtype": (
        training.Metric(0, lambda total, z, batch: total + z.sum(), float),
        r"metric 'm': add returns float64\[\], but init is int64\[\]",
    ),
    "another structure": (
        training.Metric(0.0, lambda total, z, batch: (total, z.sum()), float),
        r"metric 'm': add returns \(float64\[\], float64\[\]\), but init is float64\[\]",
    ),
    "an entry that is missing": (
        lambda z, batch: batch["labels"],
        "batch has no entry 'labels'; it",
    ),
}


@pytest.mark.parametrize("bad", BAD_METRICS)
def test_bad_metrics_are_rejected_before_training(bad):
    metric, message = BAD_METRICS[bad]
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        fit(metrics={"m": metric})
    assert "\n" not in str(caught.value)


def test_a_continued_run_may_measure_other_metrics():
    def counts(classes):
        zeros = jnp.zeros(classes, int)
        add = lambda total, z, batch: total + jnp.zeros_like(total).at[0].set(len(batch["x"]))
        return {"n": training.Metric(zeros, add, lambda total: total)}

    half = fit(metrics=counts(3), epochs=1)
    cut = half.train_state._replace(step=jnp.asarray(2, jnp.int32))  # in the middle of a chunk
    end = fit(metrics=counts(5), epochs=1, start=cut)
    assert end.history[0].training["n"].tolist() == [10, 0, 0, 0, 0]


def test_a_metric_whose_value_raises_loses_nothing():
    broken = training.Metric(0.0, lambda total, z, batch: total + z.sum(), lambda total: 1 / 0)
    run = fit(metrics={"m": broken})
    assert run.stopped == "error in a metric or validation"
    assert "ZeroDivisionError: division by zero (test_fit.py:" in run.message
    assert_equal(run.train_state.params, fit(epochs=1).train_state.params)


def test_early_stopping_ends_a_run_that_no_longer_improves():
    stop = training.early_stopping(patience=2)
    run = fit(validation=(X, Y), optimizer=optax.sgd(0.0), model=layers.dense(3), callbacks=[stop])
    assert run.stopped.startswith("validation loss did not improve in 2 chunks of steps; best ")
    assert len(run.history) == 3


def test_early_stopping_continues_its_count():
    options = {"validation": (X, Y), "optimizer": optax.sgd(0.0), "model": layers.dense(3)}
    stop = [training.early_stopping(patience=3)]
    half = fit(**options, callbacks=stop, epochs=2)
    assert half.stopped == ""
    assert len(fit(**options, callbacks=stop, start=half.train_state, epochs=9).history) == 2


def test_a_callback_that_raises_loses_nothing(capsys):
    def after(train_state, own, progress):
        if progress.epoch == 2:
            raise KeyError("accuracy")
        return own

    broken = training.Callback("broken", lambda train_state: (), after)
    run = fit(callbacks=[broken, stepping(99)])
    assert run.stopped == "error in broken"
    assert run.message.startswith("KeyError: 'accuracy' (test_fit.py:")
    assert int(run.train_state.step) == 8
    assert int(run.train_state.callbacks["stepping"]) == 2
    assert len(run.history) == 2
    assert "error in broken: KeyError" in capsys.readouterr().err
    assert_equal(run.train_state.params, fit(epochs=2).train_state.params)


@pytest.mark.parametrize("part", ["source", "validation"])
def test_a_source_that_raises_after_some_steps_loses_nothing(part, capsys):
    """The first reads are those of compilation, of the first chunk and of its validation."""
    whole, calls = fit(validation=(X, Y)), []

    def take(indices):
        calls.append(len(indices))
        if len(calls) > (8 if part == "source" else 2):
            raise OSError("images/7.png: no such file")
        return {"x": X[indices], "y": Y[indices]}

    broken = training.Source(23, training.on_device((X, Y)).spec, take)
    sources = {"source": (X, Y), "validation": (X, Y)} | {part: broken}
    run = fit(**sources)
    name = "the source" if part == "source" else "a metric or validation"
    assert run.stopped == f"error in {name}"
    assert "OSError: images/7.png: no such file (test_fit.py:" in run.message
    assert run.message in capsys.readouterr().err
    assert int(run.train_state.step) == (7 if part == "source" else 8)
    assert [p.step for p in run.history] == [4]
    end = fit(validation=(X, Y), start=run.train_state)
    assert_equal(end.train_state.params, whole.train_state.params)
    assert_equal(end.train_state.opt_state, whole.train_state.opt_state)


def test_a_metrics_file_has_each_step_once(tmp_path, whole):
    path = tmp_path / "metrics.jsonl"
    options = {**FULL, "callbacks": [training.metrics_file(path), *FULL["callbacks"]]}
    half = fit(**options | {"epochs": 2})
    fit(**options | {"epochs": 3}, start=half.train_state)
    end = fit(**options, start=half.train_state)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 6, 8, 9, 12, 15, 18, 20]
    assert rows[-1]["validation"] == end.history[-1].validation
    with pytest.raises(FileExistsError, match="has results of another run; name a new file"):
        fit(**options | {"epochs": 1})


def test_a_metrics_file_that_cannot_be_written_is_an_error_before_training(tmp_path):
    with pytest.raises(OSError, match="No such file or directory"):
        fit(callbacks=[training.metrics_file(tmp_path / "none" / "metrics.jsonl")])


def test_progress_is_printed_as_one_line():
    lines = []
    fit(callbacks=[training.print_progress(lines.append)], epochs=2, validation=(X, Y), every=3)
    assert lines[0] == "compiling …"
    steps = [line.split(":")[0] for line in lines[1:]]
    assert steps == ["step     3", "step     6", "epoch   2"]
    assert all("; validation loss " in line and line.endswith(" s") for line in lines[1:])


def test_a_closed_standard_output_does_not_end_training():
    def closed(line):
        raise BrokenPipeError

    assert fit(callbacks=[training.print_progress(closed)], epochs=1).stopped == ""


def test_fit_works_in_a_thread():
    runs = []
    thread = Thread(target=lambda: runs.append(_fit_with_promotion()))
    thread.start()
    thread.join()
    assert_equal(runs[0].train_state.params, fit(epochs=1).train_state.params)


def _fit_with_promotion():
    with jax.numpy_dtype_promotion("standard"):
        return fit(epochs=1)


def test_augmented_labels_reach_loss_and_metrics():
    images = RNG.uniform(size=(12, 4, 4, 1))

    def loss(logits, y):
        return fcnn.soft_cross_entropy(logits, y if y.ndim == 2 else fcnn.one_hot(y, classes=3))

    model = layers.serial(layers.flatten(), layers.dense(3))
    run = training.fit(
        model,
        loss,
        optax.sgd(0.1),
        (images, Y[:12]),
        augment=data.augment.mixup(1.0, classes=3),
        metrics=ACCURACY,
        validation=(images, Y[:12]),
        **OPTIONS,
    )
    assert run.stopped == ""
