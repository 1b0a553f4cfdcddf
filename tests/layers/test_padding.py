"""Masks and lengths: padding changes nothing that is real, in outputs and in gradients.

A layer that mixes positions and does not read the mask or the lengths rejects them by name.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcnn import layers, models
from fcnn.layers import parameter_free

N, T, C = 3, 6, 4
LENGTHS = np.array([6, 4, 1])
REAL = np.arange(T) < LENGTHS[:, None]
PADDING = {"lengths": {"lengths": LENGTHS}, "mask": {"mask": REAL}}
ATTENTION = {
    "self-attention": layers.multi_head_attention(2),
    "causal": layers.multi_head_attention(2, causal=True),
    "window, softcap": layers.multi_head_attention(2, groups=1, window=2, softcap=2.0),
    "rotary": layers.multi_head_attention(2, rotary=100.0, bias=False),
}
BLOCK = layers.serial(layers.layer_norm(), ATTENTION["self-attention"], layers.dense(C))
# Each layer takes x (n, t, c). Some change the number of features or remove the positions.
SEQUENCE = {
    **ATTENTION,
    "rnn": layers.rnn(3),
    "lstm": layers.lstm(3),
    "gru": layers.gru(3),
    "last lstm": layers.lstm(3, sequence=False),
    "batch_norm": layers.batch_norm(),
    "global_avg_pool": layers.global_avg_pool(),
    "global_max_pool": layers.global_max_pool(),
    "dense": layers.dense(3),
    "conv": layers.conv(3, (3,)),
    "conv_transpose": layers.conv_transpose(3, (3,)),
    "separable_conv": layers.separable_conv(3, (3,)),
    "frelu": layers.frelu((3,)),
    "prelu": layers.prelu(),
    "layer_norm": layers.layer_norm(),
    "rms_norm": layers.rms_norm(),
    "instance_norm": layers.instance_norm(),
    "group_norm": layers.group_norm(2),
    "positional_encoding": layers.positional_encoding(),
    "max_pool": layers.max_pool(2, stride=1),
    "avg_pool": layers.avg_pool(2, stride=1),
    "lp_pool": layers.lp_pool(2, p=2),
    "adaptive_avg_pool": layers.adaptive_avg_pool(2),
    "adaptive_max_pool": layers.adaptive_max_pool(2),
    "resize_nearest": layers.resize_nearest(5),
    "resize_linear": layers.resize_linear(5),
    "softmax over steps": layers.softmax(axis=1),
    "serial": layers.serial(layers.dense(C), layers.lstm(C), layers.global_avg_pool()),
    "removed, then mixed": layers.serial(layers.lstm(4, sequence=False), layers.flatten()),
    "residual": layers.residual(BLOCK, layers.dense(C)),
    "parallel": layers.parallel(BLOCK, layers.gru(3), combine="concatenate"),
    "named branches": layers.parallel(a=BLOCK, b=layers.gru(3)),
    "repeat": layers.repeat(BLOCK, 2),
    "bidirectional": layers.bidirectional(layers.serial(layers.dense(C), layers.lstm(3))),
    "bidirectional attention": layers.bidirectional(ATTENTION["causal"]),
    "last bidirectional": layers.bidirectional(layers.gru(3, sequence=False)),
    "remat": layers.remat(BLOCK),
    "precision": layers.precision(BLOCK, params="float64", compute="float64", output="float64"),
    "dropout": layers.dropout(0.5),
    "spatial_dropout": layers.spatial_dropout(0.5),
    "stochastic_depth": layers.stochastic_depth(0.5),
    "classic_dropout": layers.classic_dropout(0.5),
    "leaf": layers.leaf("leaf", lambda params, x, call: x * 2),
    "with_state": layers.with_state("own", lambda p, s, x, call: (-x, {}), lambda *a: ({}, {})),
    "stateless": layers.stateless("own", lambda x: x + 1),
    "stateless, mixed": layers.stateless(
        "own", lambda x: x - x.mean(1, keepdims=True), positions="mixed"
    ),
    **{f"{name} alone": getattr(layers, name)() for name in ("flatten", "min_max_scale")},
}
ELEMENTWISE = [
    name
    for name in parameter_free.__all__
    if not {"window", "size", "to"} & inspect.signature(getattr(layers, name)).parameters.keys()
    and name != "flatten"
]
SEQUENCE["elementwise"] = layers.parallel(*(getattr(layers, name)() for name in ELEMENTWISE))
REJECTED = {
    *("conv", "conv_transpose", "separable_conv", "frelu", "instance_norm", "group_norm"),
    *("max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool"),
    *("resize_nearest", "resize_linear", "softmax over steps", "stateless, mixed"),
    *("flatten alone", "min_max_scale alone"),
}
MASK_REJECTED = {
    *("rnn", "lstm", "gru", "last lstm", "serial", "removed, then mixed", "parallel"),
    *("named branches", "bidirectional", "last bidirectional"),
}
# a layer that reads the mask and the lengths, in front of each layer, and passes x on
READER = layers.leaf("reader", lambda params, x, call: x, reads=("lengths", "mask"))


def outcome(layer, inputs, key):
    """Outputs, gradients and new state for two inputs that differ in padding only."""
    model = layers.serial(READER, layer)
    rng = np.random.default_rng(0)
    x, other = rng.standard_normal((2, N, T, C))
    two = np.stack([x, np.where(REAL[..., None], x, 100 * other)])
    params, state = model.init(key, (T, C))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda a: a + 0.1 * rng.standard_normal(a.shape), params)

    def loss(params, x):
        y, new_state = model.apply(params, state, x, key=key, train=True, **inputs)
        if layer.positions != "removed":
            y = jax.tree.map(lambda a: jnp.where(REAL[..., None], a, 0), y)
        return sum(jnp.sin(a).sum() for a in jax.tree.leaves(y)), (y, new_state)

    return jax.jit(jax.vmap(jax.value_and_grad(loss, (0, 1), has_aux=True), (None, 0)))(params, two)


@pytest.mark.parametrize("name", [name for name in SEQUENCE if name not in REJECTED])
@pytest.mark.parametrize("kind", PADDING)
def test_padding_changes_nothing_that_is_real(name, kind, key):
    if kind == "mask" and name in MASK_REJECTED:
        with pytest.raises(TypeError, match=r"does not read mask; it reads lengths \(in .*\)"):
            outcome(SEQUENCE[name], PADDING[kind], key)
        return
    found = outcome(SEQUENCE[name], PADDING[kind], key)
    one, two = (jax.tree.map(lambda a, i=i: np.asarray(a[i]), found) for i in (0, 1))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), one, two)
    dx = one[1][1]
    np.testing.assert_array_equal(dx[~REAL], 0)
    assert (dx[REAL] != 0).any()


@pytest.mark.parametrize("name", sorted(REJECTED))
@pytest.mark.parametrize("kind", PADDING)
def test_a_layer_that_mixes_positions_rejects_padding_that_it_does_not_read(name, kind, key):
    layer = SEQUENCE[name]
    model = layers.serial(READER, layer)
    message = (
        rf"{layer.name}: (mixes|removes) positions and does not read {kind} \(in {layer.name}1\)"
    )
    with pytest.raises(TypeError, match=message):
        model.apply(*model.init(key, (T, C)), jnp.ones((N, T, C)), **PADDING[kind])


def test_every_layer_is_tested():
    """Layers whose x is not a sequence of floats, and functions that are not layers, are named."""
    makes_layers = {
        name
        for name in layers.__all__
        if inspect.isfunction(f := inspect.unwrap(getattr(layers, name)))
        and inspect.signature(f).return_annotation is layers.Layer
    }
    tested = {name.split(",")[0].split(" ")[0] for name in SEQUENCE} | set(ELEMENTWISE)
    assert makes_layers - tested - {"embedding", "multi_head_attention"} == set()


def test_each_example_of_a_padded_batch_equals_the_example_alone(key):
    """Absolute positions in both directions: the reversed sequence begins at position 0 too."""
    both = layers.bidirectional(
        layers.serial(layers.positional_encoding(), layers.multi_head_attention(2, causal=True))
    )
    x = np.random.default_rng(0).standard_normal((N, T, C))

    @jax.jit
    def run(key):
        params, state = both.init(key, (T, C))
        y = lambda x, **inputs: both.apply(params, state, x, **inputs)[0]
        alone = [y(x[n : n + 1, :length])[0] for n, length in enumerate(LENGTHS)]
        return [y(x, **inputs) for inputs in PADDING.values()], alone

    batches, alone = run(key)
    for y in batches:
        np.testing.assert_allclose(y[REAL], np.concatenate(alone), atol=1e-12)


def test_a_masked_encoder_ignores_padding_tokens(key):
    model = models.transformer(9, classes=3, depth=2, width=8, heads=2)
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, N, T))
    two = np.where(REAL, one, other)

    @jax.jit
    def run(key, one, two):
        params, state = model.init(key, (T,))
        logits = lambda x, **inputs: model.apply(params, state, x, **inputs)[0]
        by = lambda **inputs: (logits(one, **inputs), logits(two, **inputs))
        short = logits(one[2:, :1])
        return by(lengths=LENGTHS), by(mask=REAL), by(), short

    lengths, mask, plain, short = run(key, one, two)
    np.testing.assert_allclose(*lengths, rtol=1e-12)
    np.testing.assert_allclose(*mask, rtol=1e-12)
    np.testing.assert_allclose(lengths[0], mask[0], rtol=1e-12)
    np.testing.assert_allclose(lengths[0][2:], short, rtol=1e-12)
    assert not np.allclose(*plain)


def test_cross_attention_reads_a_context_with_its_own_padding(key):
    """Queries have 5 features, the context has 3; decoder blocks read it through repeat."""
    cross = layers.multi_head_attention(2, context="memory")
    block = layers.serial(layers.residual(cross), layers.dense(4))
    model = layers.serial(layers.dense(4), layers.repeat(block, 2))
    rng = np.random.default_rng(0)
    x, memory, other = (rng.standard_normal(s) for s in ((N, 2, 5), (N, T, 3), (N, T, 3)))
    changed = np.where(REAL[..., None], memory, other)

    @jax.jit
    def run(key):
        params, state = model.init(key, (2, 5), memory=(T, 3))
        y = lambda memory, **inputs: model.apply(params, state, x, memory=memory, **inputs)[0]
        pairs = [
            (y(memory, **i), y(changed, **i))
            for i in ({"memory_lengths": LENGTHS}, {"memory_mask": REAL}, {})
        ]
        return params, pairs

    params, (lengths, mask, plain) = run(key)
    assert params["repeat1"]["residual1"]["body"]["wk"].shape == (2, 3, 2, 2)
    np.testing.assert_allclose(*lengths, rtol=1e-12)
    np.testing.assert_allclose(*mask, rtol=1e-12)
    assert not np.allclose(*plain)
    with pytest.raises(ValueError, match=r"no memory; write model\.init\(key, shape, memory=\("):
        model.init(key, (2, 5))


def test_attention_mask_joins_the_mask_of_real_positions(key):
    """An added mask of floats and a boolean mask, beside lengths, equal one boolean mask."""
    layer = layers.multi_head_attention(2)
    x = np.random.default_rng(0).standard_normal((N, T, C))
    band = np.abs(np.subtract.outer(range(T), range(T)))[None, None] < 3
    params, state = layer.init(key, (T, C))
    y = lambda **inputs: layer.apply(params, state, x, **inputs)[0]
    whole = y(attention_mask=band & REAL[:, None, None])
    joined = y(attention_mask=band, lengths=LENGTHS)
    added = y(attention_mask=np.where(band, 0.0, -np.inf), mask=REAL)
    for found in (joined, added):
        np.testing.assert_allclose(found[REAL], whole[REAL], atol=1e-12)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"mask": REAL.astype(int)}, r"mask holds int64, not booleans; write mask\.astype\(bool\)"),
        ({"mask": REAL[:, :3]}, r"mask \(3, 3\) needs shape \(3, 6\) for x \(3, 6, 4\)"),
        ({"lengths": LENGTHS / 2}, r"lengths hold float64, not integers; write lengths\.astype"),
        ({"lengths": LENGTHS[:2]}, r"lengths \(2,\) need shape \(3,\)"),
        ({"length": LENGTHS}, r"no layer reads the input length; it reads lengths, mask"),
    ],
)
def test_inputs_that_do_not_fit_are_rejected(inputs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        layers.global_avg_pool().apply({}, {}, np.ones((N, T, C)), **inputs)


def test_padding_with_an_id_outside_the_table_leaves_every_gradient_finite(key):
    model = models.transformer(9, classes=2, depth=1, width=8, heads=2)
    tokens = np.where(REAL, 3, -1)

    @jax.jit
    def gradients(key):
        params, state = model.init(key, (T,))
        loss = lambda params, **inputs: model.apply(params, state, tokens, **inputs)[0].sum()
        return [jax.grad(loss)(params, **inputs) for inputs in PADDING.values()]

    one, two = gradients(key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), one, two)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(one))
