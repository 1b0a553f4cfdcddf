"""Train steps equal written-out formulas, loops equal single steps, and a network learns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from fcnn import layers, models, training
from fcnn.data import load

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 4)), RNG.integers(0, 3, 20).astype(np.int32)
LINEAR = layers.serial(layers.dense(3))


def test_one_step_of_gradient_descent_equals_the_formula(key):
    step = training.train_step(LINEAR, fcnn.softmax_cross_entropy, optax.sgd(0.5))
    before = training.create(LINEAR, optax.sgd(0.5), (4,), key)
    after, metrics = jax.jit(step)(before, (X, Y))
    w, b = (np.asarray(before.params["dense1"][k]) for k in ("w", "b"))
    e = np.exp(X @ w + b)
    p = e / e.sum(1, keepdims=True)
    dz = (p - np.eye(3)[Y]) / len(Y)
    np.testing.assert_allclose(after.params["dense1"]["w"], w - 0.5 * X.T @ dz, atol=1e-12)
    np.testing.assert_allclose(after.params["dense1"]["b"], b - 0.5 * dz.sum(0), atol=1e-12)
    np.testing.assert_allclose(metrics.loss, -np.log(p[np.arange(20), Y]).mean(), rtol=1e-12)
    np.testing.assert_allclose(metrics.accuracy, (p.argmax(1) == Y).mean())
    assert after.step == 1


def test_scan_steps_equals_single_steps(key):
    step = training.train_step(LINEAR, fcnn.softmax_cross_entropy, optax.adam(1e-2))
    train_state = one_by_one = training.create(LINEAR, optax.adam(1e-2), (4,), key)
    indices = training.shuffled_indices(20, 5, 8, seed=0)
    scanned, metrics = jax.jit(partial(training.scan_steps, step))(
        train_state, (jnp.array(X), jnp.array(Y)), indices
    )
    for i, batch in enumerate(indices):
        one_by_one, m = jax.jit(step)(one_by_one, (X[batch], Y[batch]))
        np.testing.assert_allclose(metrics.loss[i], m.loss, rtol=1e-12)
    for a, b in zip(
        jax.tree.leaves(scanned.params), jax.tree.leaves(one_by_one.params), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_training_of_seeds_under_vmap_equals_training_of_each_seed():
    model = models.cnn((4,), (8,), classes=3, dropout=0.5)
    x = RNG.standard_normal((16, 4, 4, 1))
    y, indices = (
        RNG.integers(0, 3, 16).astype(np.int32),
        training.shuffled_indices(16, 4, 6, seed=0),
    )
    step = training.train_step(model, fcnn.softmax_cross_entropy, optax.adam(1e-2))
    run = lambda key: (
        training.scan_steps(
            step,
            training.create(model, optax.adam(1e-2), (4, 4, 1), key),
            (jnp.array(x), jnp.array(y)),
            indices,
        )[0].params
    )
    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.jit(jax.vmap(run))(keys)
    for i, key in enumerate(keys):
        single = jax.jit(run)(key)
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(single), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("examples", "batch", "number"), [(20, 5, 8), (7, 3, 9), (3, 5, 4), (1, 2, 3)]
)
def test_every_example_is_used_once_before_any_is_used_again(examples, batch, number):
    indices = training.shuffled_indices(examples, batch, number, seed=1)
    assert indices.shape == (number, batch)
    counts = np.array(
        [np.bincount(indices.ravel()[:k], minlength=examples) for k in range(1, indices.size)]
    )
    assert (np.ptp(counts, axis=1) <= 1).all()
    assert (
        not np.array_equal(indices, training.shuffled_indices(examples, batch, number, seed=2))
        or examples == 1
    )


def test_shuffled_indices_rejects_0_examples():
    with pytest.raises(ValueError, match="0 examples in batches of 5"):
        training.shuffled_indices(0, 5, 1, seed=0)


def test_predict_in_batches_equals_apply(key):
    model = layers.serial(layers.dense(3), layers.batch_norm(), layers.dropout(0.5))
    train_state = training.create(model, optax.sgd(1.0), (4,), key)
    whole, _ = model.apply(train_state.params, train_state.state, jnp.array(X))
    for batch_size in (1, 6, 20, 500):
        np.testing.assert_allclose(
            training.predict(model, train_state, jnp.array(X), batch_size=batch_size), whole
        )
    assert training.predict(model, train_state, jnp.zeros((0, 4))).shape == (0, 3)
    accuracy = training.evaluate(model, train_state, jnp.array(X), jnp.array(Y))
    np.testing.assert_allclose(accuracy, (np.asarray(whole).argmax(1) == Y).mean(), rtol=1e-6)


def quiet(epoch):
    pass


def fit(**options):
    defaults = {"epochs": 3, "batch_size": 6, "key": jax.random.key(1), "report": quiet} | options
    return training.fit(LINEAR, fcnn.softmax_cross_entropy, optax.adam(1e-2), (X, Y), **defaults)


def test_fit_from_the_host_equals_fit_on_the_device():
    (on_device, history), (from_host, other) = fit(), fit(device_bytes=0)
    for a, b in zip(
        jax.tree.leaves(on_device.params), jax.tree.leaves(from_host.params), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    np.testing.assert_allclose([e.loss for e in history], [e.loss for e in other], rtol=1e-10)


def test_images_stay_uint8_until_the_step():
    """Training on uint8 pixels equals training on floats in [0, 1]."""
    pixels = np.random.default_rng(0).integers(0, 256, X.shape, np.uint8)
    options = {"epochs": 2, "batch_size": 6, "key": jax.random.key(1), "report": quiet}
    ends = []
    for first, x in ((layers.rescale(), pixels), (layers.identity(), pixels / 255)):
        model = layers.serial(first, layers.dense(3))
        train_state, _ = training.fit(
            model, fcnn.softmax_cross_entropy, optax.adam(1e-2), (x, Y), test=(x, Y), **options
        )
        ends.append(train_state.params["dense1"]["w"])
    np.testing.assert_allclose(*ends, rtol=1e-9)


def test_fit_reports_each_epoch_with_its_test_accuracy():
    reported = []
    train_state, history = fit(report=reported.append, test=(X, Y))
    assert reported == history
    assert [e.epoch for e in history] == [1, 2, 3]
    assert train_state.step == 9
    accuracy = training.evaluate(LINEAR, train_state, jnp.array(X), jnp.array(Y))
    assert history[-1].test_accuracy == pytest.approx(float(accuracy))


def test_two_runs_of_fit_give_equal_parameters():
    a, b = (fit()[0].params["dense1"]["w"] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_fit_raises_an_error_if_the_loss_is_not_finite():
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) in epoch 1: the learning rate"):
        training.fit(
            LINEAR,
            fcnn.squared_error,
            optax.sgd(1e200),
            (X, X[:, :3]),
            epochs=2,
            batch_size=5,
            key=jax.random.key(0),
            report=quiet,
        )


def test_fit_rejects_bad_test_sets_and_counts():
    with pytest.raises(ValueError, match="fit: test: 20 examples but 1 targets"):
        fit(test=(X, Y[:1]))
    with pytest.raises(ValueError, match="20 examples in batches of 0"):
        fit(batch_size=0)
    with pytest.raises(ValueError, match="fit: test: 0 examples in batches of 6; both must"):
        fit(test=(X[:0], Y[:0]))
    with pytest.raises(ValueError, match="epochs -1 must not be negative"):
        fit(epochs=-1)


def test_accuracy_does_not_wrap_predictions_to_uint8():
    outputs = jax.nn.one_hot(jnp.array([259]), 300)
    assert training.step.accuracy(outputs, jnp.array([3], jnp.uint8)) == 0


def test_fit_rejects_examples_and_targets_of_different_lengths():
    with pytest.raises(ValueError, match="20 examples but 19 targets"):
        training.fit(
            LINEAR,
            fcnn.softmax_cross_entropy,
            optax.sgd(1.0),
            (X, Y[:-1]),
            epochs=1,
            batch_size=5,
            key=jax.random.key(0),
        )


def in_float64(images):
    """Pairs (x, y) with x in float64, the dtype of parameters in tests."""
    return images.x.astype(float), images.y


def learned(epochs, mode="hand"):
    data = load("digits")
    with fcnn.gradients(mode):
        _, history = training.fit(
            models.cnn((8,), (32,), dropout=0.2),
            fcnn.softmax_cross_entropy,
            optax.adam(3e-3),
            in_float64(data.train),
            test=in_float64(data.test),
            epochs=epochs,
            batch_size=32,
            key=jax.random.key(0),
            report=quiet,
        )
    return history


def test_a_network_learns_digits_with_either_kind_of_gradient():
    """The metrics of the first epoch are equal for hand-derived gradients and autodiff."""
    history = learned(8)
    assert history[-1].test_accuracy > 0.93
    assert history[-1].loss < history[0].loss / 4
    (first,) = learned(1, "autodiff")
    assert first.loss == pytest.approx(history[0].loss, rel=1e-9)
    assert first[2:4] == history[0][2:4]


def test_a_train_state_prints_as_one_line(key):
    model = layers.serial(layers.dense(3), layers.batch_norm())
    train_state = training.create(model, optax.adam(0.1), (2,), key)
    counts = (
        "params: 15 numbers in 4 arrays, state: 6 numbers in 2 arrays, opt_state: 31 numbers in 9"
    )
    assert str(train_state) == f"TrainState(step 0, {counts} arrays)"
    traced = lambda train_state: print(train_state) or train_state.step
    assert jax.eval_shape(traced, train_state).shape == ()
