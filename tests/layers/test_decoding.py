"""Decoding from a cache equals the whole sequence, for every split, length and kind of layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcnn import layers, models

T, C = 6, 4
CAUSAL = {
    "attention": layers.multi_head_attention(2, causal=True),
    "grouped, window, softcap": layers.multi_head_attention(
        4, groups=2, causal=True, window=3, softcap=2.0
    ),
    "rotary": layers.multi_head_attention(2, causal=True, rotary=100.0, rotary_features=2),
    "rnn": layers.rnn(3),
    "lstm": layers.lstm(3),
    "gru": layers.serial(layers.gru(3), layers.gru(4)),
    "repeat": layers.repeat(
        layers.residual(
            layers.serial(layers.layer_norm(), layers.multi_head_attention(2, causal=True))
        ),
        2,
    ),
    "positional_encoding": layers.serial(layers.positional_encoding(), layers.batch_norm()),
    "parallel": layers.parallel(
        layers.lstm(2), layers.multi_head_attention(2, causal=True), combine="concatenate"
    ),
    "precision": layers.precision(
        layers.multi_head_attention(2, causal=True), params=float, compute=float, output=float
    ),
}


def decoded(model, params, state, x, splits):
    """Outputs of one call for each part of x, continued from the cache."""
    state = model.init_cache(state, x.shape[1:], batch_size=len(x), length=x.shape[1])
    ys = []
    for part in np.split(x, splits, axis=1):
        y, state = model.apply(params, state, part)
        ys.append(y)
    return jnp.concatenate(ys, 1), state


@pytest.mark.parametrize("name", CAUSAL)
def test_decoding_in_parts_equals_the_whole_sequence(name, key):
    model = CAUSAL[name]
    x = np.random.default_rng(0).standard_normal((2, T, C))

    @jax.jit
    def run(key, x):
        params, state = model.init(key, (T, C))
        whole, _ = model.apply(params, state, x)
        return whole, decoded(model, params, state, x, [3, 4])[0]

    np.testing.assert_allclose(*run(key, x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in CAUSAL if n != "precision"])
def test_prompts_of_different_lengths_continue_where_each_ends(name, key):
    """Each sequence is decoded alone, and in one batch whose prompts are padded."""
    model, lengths = CAUSAL[name], np.array([4, 1, 0])
    rng = np.random.default_rng(0)
    prompt, new = rng.standard_normal((3, 4, C)), rng.standard_normal((3, 2, C))

    @jax.jit
    def run(key):
        params, state = model.init(key, (T, C))
        cache = model.init_cache(state, (T, C), batch_size=3, length=T)
        given = {"lengths": lengths} if "lengths" in model.reads else {}
        _, cache = model.apply(params, cache, prompt, **given)
        ys, alone = [], []
        for i in range(2):
            y, cache = model.apply(params, cache, new[:, i : i + 1])
            ys.append(y)
        for n, length in enumerate(lengths):
            x = np.concatenate([prompt[n, :length], new[n]])[None]
            alone.append(model.apply(params, state, x)[0][:, length:])
        return jnp.concatenate(ys, 1), jnp.concatenate(alone)

    np.testing.assert_allclose(*run(key), rtol=1e-9, atol=1e-12)


def test_a_decoder_samples_the_same_tokens_with_and_without_cache(key):
    """Greedy decoding of 5 tokens after prompts of 3 and 1 tokens, as one scan."""
    model = models.transformer(11, depth=2, width=16, heads=4, groups=2)
    prompt, lengths = np.array([[3, 1, 4], [2, 0, 0]]), np.array([3, 1])

    @jax.jit
    def run(key):
        params, state = model.init(key, (T,))
        cache = model.init_cache(state, (T,), batch_size=2, length=8)
        logits, cache = model.apply(params, cache, prompt, lengths=lengths)
        first = jnp.take_along_axis(logits, (lengths - 1)[:, None, None], 1)[:, 0].argmax(-1)

        def step(carry, _):
            token, cache = carry
            logits, cache = model.apply(params, cache, token[:, None])
            return (logits[:, 0].argmax(-1), cache), token

        _, tokens = jax.lax.scan(step, (first, cache), length=5)
        return params, tokens.T

    params, tokens = run(key)
    apply = jax.jit(lambda x: model.apply(params, {}, x)[0])
    for n, length in enumerate(lengths):
        x = np.zeros((1, 8), int)
        x[0, :length] = prompt[n, :length]
        for i in range(5):
            x[0, length + i] = apply(x)[0, length + i - 1].argmax()
        np.testing.assert_array_equal(tokens[n], x[0, length : length + 5])


def test_steps_beyond_the_cache_are_an_error_and_nan_when_compiled(key):
    model = layers.serial(layers.multi_head_attention(2, causal=True))
    params, state = model.init(key, (T, C))
    cache = model.init_cache(state, (T, C), batch_size=2, length=4)
    x = np.ones((2, 3, C))
    _, cache = model.apply(params, cache, x)
    with pytest.raises(ValueError, match="the cache holds 4 steps, too few for step 6"):
        model.apply(params, cache, x)
    deep = layers.repeat(layers.multi_head_attention(2, causal=True), 2)
    params_of_two, _ = deep.init(key, (T, C))
    start = deep.init_cache({}, (T, C), batch_size=2, length=4)
    with pytest.raises(ValueError, match="the cache holds 4 steps, too few for step 6"):
        deep.apply(params_of_two, start, np.ones((2, 6, C)))
    assert deep.apply(params_of_two, start, np.ones((2, 6, C)), lengths=np.array([4, 1]))
    y, _ = jax.jit(model.apply)(params, cache, x)
    np.testing.assert_array_equal(np.isnan(y).all(-1), [[False, True, True]] * 2)


def test_a_cache_keeps_the_state_of_the_model(key):
    model = layers.serial(layers.batch_norm(), layers.lstm(3))
    params, state = model.init(key, (T, C))
    _, state = model.apply(params, state, np.ones((2, T, C)), train=True)
    cache = model.init_cache(state, (T, C), batch_size=2, length=4)
    np.testing.assert_array_equal(cache["batch_norm1"]["mean"], state["batch_norm1"]["mean"])
    assert cache["lstm1"]["h"].shape == cache["lstm1"]["c"].shape == (2, 3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (layers.serial(layers.conv(4, (3,))), r"conv: reads a whole sequence.* \(in conv1\)"),
        (layers.bidirectional(layers.lstm(3)), "bidirectional: reads a whole sequence"),
        (layers.multi_head_attention(2), "write causal=True to decode"),
    ],
)
def test_a_model_that_reads_whole_sequences_has_no_cache(model, message, key):
    with pytest.raises((TypeError, ValueError), match=message):
        model.init_cache({}, (T, C), batch_size=1, length=4)


def test_a_cache_of_another_batch_size_is_rejected(key):
    for model in (layers.lstm(3), layers.multi_head_attention(2, causal=True)):
        params, state = model.init(key, (T, C))
        cache = model.init_cache(state, (T, C), batch_size=2, length=4)
        with pytest.raises(ValueError, match=r"cache has 2 sequences.* write .*batch_size=3"):
            model.apply(params, cache, np.ones((3, 1, C)))
        with pytest.raises(ValueError, match="batch_size 0 must be at least 1"):
            model.init_cache(state, (T, C), batch_size=0, length=4)
