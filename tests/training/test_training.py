"""Train steps equal written-out formulas, loops equal single steps, and a network learns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from fcnn import data, layers, models, training
from fcnn.data import load

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 4)), RNG.integers(0, 3, 20).astype(np.int32)
LINEAR = layers.serial(layers.dense(3))
ACCURACY = {"accuracy": training.accuracy}


def test_one_step_of_gradient_descent_equals_the_formula(key):
    step = training.train_step(LINEAR, fcnn.softmax_cross_entropy, optax.sgd(0.5), ACCURACY)
    before = training.create(LINEAR, optax.sgd(0.5), (4,), key)
    after, results = jax.jit(step)(before, (X, Y))
    w, b = (np.asarray(before.params["dense1"][k]) for k in ("w", "b"))
    e = np.exp(X @ w + b)
    p = e / e.sum(1, keepdims=True)
    dz = (p - np.eye(3)[Y]) / len(Y)
    np.testing.assert_allclose(after.params["dense1"]["w"], w - 0.5 * X.T @ dz, atol=1e-12)
    np.testing.assert_allclose(after.params["dense1"]["b"], b - 0.5 * dz.sum(0), atol=1e-12)
    np.testing.assert_allclose(results["loss"], -np.log(p[np.arange(20), Y]).mean(), rtol=1e-12)
    np.testing.assert_allclose(results["accuracy"], (p.argmax(1) == Y).mean())
    assert after.step == 1


def test_scan_steps_equals_single_steps(key):
    step = training.train_step(LINEAR, fcnn.softmax_cross_entropy, optax.adam(1e-2))
    train_state = one_by_one = training.create(LINEAR, optax.adam(1e-2), (4,), key)
    indices = training.shuffled_indices(20, 5, 8, seed=0)
    scanned, results = jax.jit(partial(training.scan_steps, step))(
        train_state, (jnp.array(X), jnp.array(Y)), indices
    )
    for i, batch in enumerate(indices):
        one_by_one, single = jax.jit(step)(one_by_one, (X[batch], Y[batch]))
        np.testing.assert_allclose(results["loss"][i], single["loss"], rtol=1e-12)
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
    params, state = model.init(key, (4,))
    whole, _ = model.apply(params, state, jnp.array(X))
    predict = partial(training.predict, model, params, state)
    for batch_size in (1, 6, 20, 500):
        np.testing.assert_allclose(predict(X, batch_size=batch_size), whole)
    assert predict(jnp.zeros((0, 4))).shape == (0, 3)


def test_predict_passes_side_inputs_on(key):
    model = models.lstm(4, 3)
    x, lengths = RNG.standard_normal((7, 5, 2)), RNG.integers(1, 6, 7)
    params, state = model.init(key, (5, 2))
    whole, _ = model.apply(params, state, x, lengths=lengths)
    found = training.predict(model, params, state, x, batch_size=3, lengths=lengths)
    np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_accuracy_does_not_wrap_predictions_to_uint8():
    outputs = jax.nn.one_hot(jnp.array([259]), 300)
    assert training.accuracy(outputs, jnp.array([3], jnp.uint8)) == 0


def in_float64(images):
    """Pairs (x, y) with x in float64, the dtype of parameters in tests."""
    return images.x.astype(float), images.y


def learned(epochs, mode="hand"):
    digits = load("digits")
    train, validation = data.split(in_float64(digits.train), 0.2, seed=0)
    with fcnn.gradients(mode):
        return training.fit(
            models.cnn((8,), (32,), dropout=0.2),
            fcnn.softmax_cross_entropy,
            optax.adam(3e-3),
            train,
            validation=validation,
            metrics=ACCURACY,
            epochs=epochs,
            batch_size=32,
            key=jax.random.key(0),
        ).history


def test_a_network_learns_digits_with_either_kind_of_gradient():
    """The metrics of the first epoch are equal for hand-derived gradients and autodiff."""
    history = learned(8)
    assert history[-1].validation["accuracy"] > 0.93
    assert history[-1].training["loss"] < history[0].training["loss"] / 4
    (first,) = learned(1, "autodiff")
    assert first.training["loss"] == pytest.approx(history[0].training["loss"], rel=1e-9)
    assert first.training["accuracy"] == history[0].training["accuracy"]
    assert first.validation["accuracy"] == history[0].validation["accuracy"]


def test_a_train_state_prints_as_one_line(key):
    model = layers.serial(layers.dense(3), layers.batch_norm())
    train_state = training.create(model, optax.adam(0.1), (2,), key)
    counts = (
        "params: 15 numbers in 4 arrays, state: 6 numbers in 2 arrays, opt_state: 31 numbers in 9"
    )
    assert str(train_state) == f"TrainState(step 0, {counts} arrays)"
    traced = lambda train_state: print(train_state) or train_state.step
    assert jax.eval_shape(traced, train_state).shape == ()
