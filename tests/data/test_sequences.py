"""Training on text and on series: `fit` takes their arrays, and learns what is in them."""

import jax
import numpy as np
import optax

import fcnn
from fcnn import layers, training
from fcnn.data import series, text


def trained(model, loss, batch, epochs):
    options = {"epochs": epochs, "batch_size": 4, "key": jax.random.key(0)}
    run = training.fit(model, loss, optax.sgd(0.1, 0.9), batch, **options)
    return run.train_state.params, run.history[-1].training["loss"]


def test_a_language_model_learns_the_next_character():
    vocabulary = text.characters("abcd")
    batch = text.windows(vocabulary.encode("abcd" * 20), 4)
    model = layers.serial(layers.embedding(vocabulary.size, 4), layers.dense(vocabulary.size))
    params, _ = trained(model, fcnn.softmax_cross_entropy, batch, epochs=20)
    logits, _ = model.apply(params, {}, vocabulary.encode("cabd")[None])
    assert vocabulary.decode(logits[0].argmax(-1)) == "dbca"


def test_padded_texts_are_classified():
    texts = ["good", "very good", "bad", "not so good , bad"] * 4
    vocabulary = text.words(texts)
    batch = text.padded([vocabulary.encode(each) for each in texts], pad=-1)
    batch["y"] = np.array([1, 1, 0, 0] * 4)
    embedding = layers.embedding(vocabulary.size, 4)
    model = layers.serial(embedding, layers.global_avg_pool(), layers.dense(2))
    _, loss = trained(model, fcnn.softmax_cross_entropy, batch, epochs=20)
    assert loss < 0.05


def test_a_forecaster_learns_a_recurrence():
    """x[t + 1] = 2 cos(1) x[t] - x[t - 1] for a sine."""
    wave = 3 + np.sin(np.arange(100.0))
    scaling = series.Scaling.fit(wave)
    batch = series.windows(scaling.apply(wave), length=2)
    model = layers.serial(layers.flatten(), layers.dense(1))
    batch["y"] = batch["y"][..., 0]
    params, _ = trained(model, fcnn.mean_squared_error, batch, epochs=20)
    np.testing.assert_allclose(params["dense1"]["w"][:, 0], [-1, 2 * np.cos(1)], atol=1e-3)
