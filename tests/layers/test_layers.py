"""Every layer: shapes, parameters by name, gradients, error messages."""

import inspect
import re
from functools import partial
from html import unescape

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn import layers
from fcnn.layers import parameter_free

IMAGE = (6, 6, 4)
# Each of the 6 rows of an image is a time step.
SEQUENCE = layers.stateless("sequence", lambda x: x.reshape(x.shape[0], 6, 24))
WITHOUT_OPTIONS = (
    *("identity", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("sigmoid", "log_sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "hard_swish", "softplus"),
    *("softsign", "squareplus", "glu", "swiglu", "softmax", "log_softmax", "prelu", "frelu"),
    *("instance_norm", "layer_norm", "rms_norm", "global_avg_pool", "global_max_pool", "flatten"),
)
EVERY = {
    "conv": layers.conv(3, (3, 3), stride=2),
    "conv without b": layers.conv(4, (3, 3), groups=2, bias=False),
    "conv, reflected": layers.conv(2, (3, 3), padding_mode="reflect"),
    "conv_transpose": layers.conv_transpose(2, (3, 3), stride=2, groups=2),
    "separable_conv": layers.separable_conv(3, (3, 3), multiplier=2, stride=2),
    "dense": layers.dense(5),
    "max_pool": layers.max_pool(2),
    "avg_pool": layers.avg_pool(3, stride=1, padding="same"),
    "lp_pool": layers.lp_pool(2, p=3),
    "adaptive_avg_pool": layers.adaptive_avg_pool(2),
    "adaptive_max_pool": layers.adaptive_max_pool((4, 3)),
    "resize_nearest": layers.resize_nearest((12, 9)),
    "resize_linear": layers.resize_linear(8),
    "batch_norm": layers.batch_norm(),
    "group_norm": layers.group_norm(2),
    "min_max_scale": layers.min_max_scale(to=(-1.0, 1.0)),
    "dropout": layers.dropout(0.5),
    "classic_dropout": layers.classic_dropout(0.5),
    "spatial_dropout": layers.spatial_dropout(0.5),
    "stochastic_depth": layers.stochastic_depth(0.5),
    "rnn": layers.serial(SEQUENCE, layers.rnn(3, activation="relu")),
    "lstm": layers.serial(SEQUENCE, layers.lstm(3), layers.lstm(2)),
    "gru": layers.serial(SEQUENCE, layers.bidirectional(layers.gru(3, sequence=False))),
    "parallel": layers.parallel(layers.dense(3), layers.conv(3, (3, 3)), combine="concatenate"),
    "repeat": layers.repeat(layers.serial(layers.dense(4), layers.tanh()), 2),
    "remat": layers.remat(layers.serial(layers.dense(3), layers.tanh())),
    "rescale": layers.rescale(0.5, offset=-1),
    "frelu without b": layers.frelu((3, 2), bias=False),
    **{name: getattr(layers, name)() for name in WITHOUT_OPTIONS},
}
every_layer = pytest.mark.parametrize("layer", EVERY.values(), ids=EVERY)


@every_layer
def test_shapes_equal_the_shapes_of_init_and_apply(layer, key):
    """The number of examples is symbolic. No array of params and state is weakly typed."""
    (n,) = jax.export.symbolic_shape("n")
    params, state = jax.eval_shape(lambda key: layer.init(key, IMAGE), key)
    run = lambda *args: layer.apply(*args, key=key, train=True)
    y, _ = jax.eval_shape(run, params, state, jax.ShapeDtypeStruct((n, *IMAGE), float))
    expected_params, expected_state, out = layers.shapes(layer, IMAGE)
    assert (y.shape, y.dtype) == ((n, *out.shape), out.dtype)
    shape_of = lambda tree: jax.tree.map(lambda a: (a.shape, a.dtype), tree)
    assert shape_of((params, state)) == shape_of((expected_params, expected_state))
    assert not any(a.weak_type for a in jax.tree.leaves((params, state)))


@every_layer
def test_gradients_reach_every_parameter(layer, key):
    """Parameters and gradients have the shapes that `shapes` gives."""
    expected, _, _ = layers.shapes(layer, IMAGE)

    @jax.jit
    def run(key, x):
        params, state = layer.init(key, IMAGE)
        loss = lambda params: jnp.sin(layer.apply(params, state, x, key=key, train=True)[0]).sum()
        return params, jax.grad(loss)(params)

    params, grads = run(key, np.random.default_rng(0).standard_normal((3, *IMAGE)))
    for shape, w, g in zip(*map(jax.tree.leaves, (expected, params, grads)), strict=True):
        assert shape.shape == w.shape == g.shape
        assert (np.asarray(g) != 0).any()


def test_every_operator_has_a_layer():
    """Losses and operators used in pairs, such as im2col and col2im, need no layer.

    Operators on weights, on labels or inside attention need no layer either.
    """
    losses = {op.name for op in fcnn.ops.OPS if "loss" in op.forward.__module__.split(".")}
    pairs = {"im2col", "col2im", "max_pool_with_indices", "max_unpool"}
    inside = {"weight_standardization", "one_hot", "dot_product_attention"}
    inside |= {"attention_weights", "rotary_embedding"}
    without = losses | pairs | inside
    assert {op.name for op in fcnn.ops.OPS} - without <= set(layers.__all__)
    of_x_alone = {op.name for op in fcnn.ops.OPS if op.arrays == ("x",)}
    assert set(parameter_free.__all__) == (of_x_alone - pairs) | {"flatten", "rescale"}


def test_serial_names_its_layers_and_leaves_out_empty_parameters(key):
    block = layers.serial(layers.conv(4, (3, 3)), layers.batch_norm(), layers.relu())
    model = layers.serial(block, block, layers.flatten(), layers.dense(2))
    params, state = model.init(key, IMAGE)
    assert list(params) == ["serial1", "serial2", "dense1"]
    assert {k: list(v) for k, v in params["serial1"].items()} == {
        "conv1": ["w", "b"],
        "batch_norm1": ["scale", "bias"],
    }
    assert list(state) == ["serial1", "serial2"]
    assert not np.array_equal(*(params[s]["conv1"]["w"] for s in ("serial1", "serial2")))
    y, new = jax.jit(partial(model.apply, train=True))(params, state, np.ones((2, *IMAGE)))
    assert y.shape == (2, 2)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert not np.array_equal(new["serial1"]["batch_norm1"]["mean"], 0)


def test_serial_of_nothing_is_the_identity(key):
    model = layers.serial()
    assert model.init(key, (3,)) == ({}, {})
    np.testing.assert_array_equal(model.apply({}, {}, jnp.arange(3.0))[0], jnp.arange(3.0))


def test_residual_adds_its_shortcut(key):
    x = jax.random.normal(key, (2, *IMAGE))
    body = layers.conv(4, (3, 3))
    params, state = (plain := layers.residual(body)).init(key, IMAGE)
    around = body.apply(params["body"], {}, x)[0]
    np.testing.assert_allclose(plain.apply(params, state, x)[0], x + around)
    wider = layers.residual(layers.conv(8, (3, 3)), layers.conv(8, (1, 1), bias=False))
    params, state = wider.init(key, IMAGE)
    assert list(params) == ["body", "shortcut"]
    assert wider.apply(params, state, x)[0].shape == (2, 6, 6, 8)


def test_residual_rejects_a_shortcut_of_another_shape(key):
    model = layers.residual(layers.conv(8, (3, 3)))
    with pytest.raises(
        ValueError, match=r"body output \(1, 6, 6, 8\) and shortcut output \(1, 6, 6, 4\) differ"
    ):
        layers.shapes(model, IMAGE)


@pytest.mark.parametrize("train", [True, False])
def test_repeat_equals_its_blocks_applied_in_turn(train, key):
    block = layers.serial(layers.dense(4), layers.batch_norm(), layers.dropout(0.5))
    three = layers.repeat(block, 3)

    def in_turn(params, state, x):
        states = []
        for i in range(3):
            p, s = jax.tree.map(lambda a, i=i: a[i], (params, state))
            x, s = block.apply(p, s, x, key=jax.random.fold_in(key, i), train=train)
            states.append(s)
        return x, jax.tree.map(lambda *s: jnp.stack(s), *states)

    def repeated(params, state, x):
        return three.apply(params, state, x, key=key, train=train)

    @jax.jit
    def run(x):
        params, state = three.init(key, IMAGE)

        def gradient(f):
            def loss(params, x):
                y, new = f(params, state, x)
                return jnp.sin(y).sum(), (y, new)

            return jax.grad(loss, (0, 1), has_aux=True)(params, x)

        return params, gradient(repeated), gradient(in_turn)

    params, ours, expected = run(np.random.default_rng(0).standard_normal((2, *IMAGE)))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    jax.tree.map(close, ours, expected)
    w = params["dense1"]["w"]
    assert w.shape == (3, 4, 4)
    assert not np.array_equal(w[0], w[1])


def test_repeat_rejects_a_block_that_changes_the_shape(key):
    with pytest.raises(ValueError, match=r"input \(6, 6, 4\) and output \(6, 6, 8\) differ; use"):
        layers.repeat(layers.conv(8, (3, 3)), 2).init(key, IMAGE)
    with pytest.raises(ValueError, match="n 0 must be at least 1"):
        layers.repeat(layers.relu(), 0)


def test_the_error_of_dropout_without_a_key_shows_the_line_to_write(key):
    layer = layers.dropout(0.5)
    x = jnp.ones((2, 3))
    np.testing.assert_array_equal(layer.apply({}, {}, x)[0], x)
    with pytest.raises(
        ValueError, match=r"write model.apply\(params, state, x, key=key, train=True\)"
    ):
        layer.apply({}, {}, x, train=True)


def test_two_dropouts_in_one_model_drop_different_entries(key):
    both = layers.serial(layers.dropout(0.5), layers.dropout(0.5))
    kept = both.apply({}, {}, jnp.ones((1, 10_000)), key=key, train=True)[0] > 0
    assert 0.2 < float(kept.mean()) < 0.3


def test_the_error_of_missing_state_shows_the_line_to_write(key):
    model = layers.serial(layers.batch_norm())
    params, _ = model.init(key, (3,))
    with pytest.raises(
        ValueError, match=r"no mean in state; write params, state = model.init\(key,"
    ):
        model.apply(params, {}, jnp.ones((2, 3)))


def test_bad_options_are_rejected():
    with pytest.raises(
        TypeError, match=r"serial: relu is a function, not .* write layers\.relu\(\)"
    ):
        inspect.unwrap(layers.serial)(layers.dense(3), fcnn.relu)
    with pytest.raises(
        TypeError, match=r"repeat: relu is a function, not .* write layers\.relu\(\)"
    ):
        inspect.unwrap(layers.repeat)(layers.relu, 2)
    with pytest.raises(TypeError, match=r"stateless\('tanh', tanh\)"):
        inspect.unwrap(layers.parallel)(jnp.tanh)
    with pytest.raises(TypeError, match=r"residual: 3 is not a layer; write layers\.relu"):
        inspect.unwrap(layers.residual)(3)
    with pytest.raises(
        TypeError, match=r"window 3 needs one entry per spatial axis, as in \(3, 3\)"
    ):
        inspect.unwrap(layers.conv)(4, 3)
    with pytest.raises(ValueError, match=r"rate 1\.5 must lie in"):
        layers.dropout(1.5)
    with pytest.raises(ValueError, match=r"conv: features 0 must be at least 1"):
        layers.conv(0, (3, 3))
    with pytest.raises(ValueError, match=r"lstm: features 0 must be at least 1"):
        layers.lstm(0)
    with pytest.raises(TypeError, match=r"dense: features 1\.5 must be an integer"):
        inspect.unwrap(layers.dense)(1.5)
    with pytest.raises(ValueError, match=r"conv: each entry of window 0 must be at least 1"):
        layers.conv(3, (3, 0))


def test_flatten_accepts_0_examples():
    assert layers.flatten().apply({}, {}, jnp.ones((0, 2, 3)))[0].shape == (0, 6)


def test_a_layer_rejects_an_option_that_its_operator_lacks():
    with pytest.raises(TypeError, match="strides"):
        layers.max_pool(2, strides=1)
    assert "stride" in inspect.signature(layers.max_pool).parameters
    assert "x" not in inspect.signature(layers.max_pool).parameters


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            layers.conv(3, (3,)),
            r"input \(6, 6, 4\) needs 1 spatial axis for window \(3,\), and an axis of channels",
        ),
        (layers.conv(3, (3, 3), groups=3), "groups 3 does not divide 4 channels"),
        (layers.serial(layers.max_pool(7)), r"window \(7, 7\) exceeds"),
    ],
)
def test_a_layer_rejects_an_input_of_unsupported_shape(layer, message):
    with pytest.raises(ValueError, match=message):
        fcnn.summary(layer, IMAGE)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            np.ones((8, 6, 6, 4)),
            r"relu: shape is an array \(8, 6, 6, 4\), not .* write \(6, 6, 4\), or x.shape\[1:\]",
        ),
        (6, r"relu: shape 6, not a tuple of integers; write \(6,\)"),
        ((6.0, 4), r"relu: shape \(6.0, 4\), not a tuple of integers"),
    ],
)
def test_init_rejects_a_shape_that_is_not_a_tuple_of_integers(shape, message, key):
    with pytest.raises(TypeError, match=message) as caught:
        layers.relu().init(key, shape)
    assert "\n" not in str(caught.value)
    assert layers.relu().init(key, [6, 4]) == ({}, {})


def test_summary_counts_match_a_count_by_hand():
    model = layers.serial(
        layers.conv(8, (3, 3), stride=2), layers.relu(), layers.flatten(), layers.dense(10)
    )
    table = fcnn.summary(model, (6, 6, 4))
    paths = [row.path for row in table.rows]
    assert paths == ["conv1", "relu1", "flatten1", "dense1"]
    assert [row.output for row in table.rows] == [(3, 3, 8), (3, 3, 8), (72,), (10,)]
    assert [row.parameters for row in table.rows] == [3 * 3 * 4 * 8 + 8, 0, 0, 72 * 10 + 10]
    assert [row.multiply_adds for row in table.rows] == [9 * 8 * 9 * 4, 0, 0, 720]
    assert table.activation_bytes == (72 + 72 + 72 + 10) * 8  # 8 bytes for float64
    assert (table.parameters, table.multiply_adds) == (296 + 730, 2592 + 720)
    lines = str(table).splitlines()
    assert lines[0].split() == [
        "layer",
        "output",
        "parameters",
        "multiply-adds",
        "activation",
        "bytes",
    ]
    assert lines[-1].split() == ["total", "1,026", "3,312", "1,808"]


def test_a_notebook_shows_the_summary_as_an_html_table():
    """The HTML table has the cells of the printed table, and escapes names."""
    odd = layers.stateless("<b>", lambda x: x)
    table = fcnn.summary(layers.serial(layers.dense(2), odd), (3,))
    html = table._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    cells = [unescape(" ".join(re.findall(r"<t[dh]>(.*?)</t[dh]>", row))).split() for row in rows]
    assert cells == [line.split() for line in str(table).splitlines() if "--" not in line]
    assert "&lt;b&gt;1" in html


def test_summary_counts_every_block_of_repeat():
    table = fcnn.summary(layers.repeat(layers.dense(3), 4), (3,))
    assert [(row.path, row.times) for row in table.rows] == [("dense", 4)]
    assert (table.parameters, table.multiply_adds) == (4 * 12, 4 * 9)
    assert "dense ×4" in str(table)


def test_summary_lists_the_body_and_the_shortcut_of_a_residual():
    model = layers.serial(layers.residual(layers.conv(4, (3, 3)), layers.conv(4, (1, 1))))
    paths = [row.path for row in fcnn.summary(model, IMAGE).rows]
    assert paths == ["residual1/body", "residual1/shortcut"]
