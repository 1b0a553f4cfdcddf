"""The contract of layers: one pass of setup, named parts, pytrees, side inputs, error messages."""

import inspect
import re
import time
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from fcnn import layers, models

IMAGE = (6, 6, 4)
x = jnp.ones((2, *IMAGE))


def counted(layer, counts, name):
    """The layer, whose setups are counted by name."""

    def setup(key, x, plan):
        counts[name] = counts.get(name, 0) + 1
        return layer.setup(key, x, plan)

    return replace(layer, setup=setup)


def nested(depth, counts):
    """Serial, residual, parallel and repeat inside one another, with counted layers."""
    leaf = lambda kind: counted(layers.dense(4), counts, f"{kind}{depth}")
    if depth == 0:
        return leaf("dense")
    inner = nested(depth - 1, counts)
    body = layers.residual(layers.serial(leaf("first"), layers.residual(inner, leaf("shortcut"))))
    both = layers.parallel(body, leaf("branch"), combine="sum")
    return layers.serial(layers.repeat(layers.remat(both), 2), leaf("last"))


@pytest.mark.parametrize(
    "run",
    [
        lambda model, key: model.init(key, (4,)),
        lambda model, key: fcnn.summary(model, (4,)),
        lambda model, key: layers.shapes(model, (4,)),
        lambda model, key: model.init_cache({}, (4,), batch_size=2, length=3),
    ],
    ids=["init", "summary", "shapes", "init_cache"],
)
def test_each_setup_runs_once_however_deep_the_layers_are_nested(run, key):
    counts = {}
    run(nested(5, counts), key)
    assert len(counts) == 5 * 4 + 1
    assert set(counts.values()) == {1}


def test_a_summary_compiles_and_allocates_nothing(monkeypatch):
    """XLA is not called, and no array is made."""
    model = models.transformer(50, depth=3, width=16, heads=2)
    jax.random.key(0)  # the one array that a summary uses
    compiled, before = [], len(jax.live_arrays())
    monkeypatch.setattr(
        "jax._src.compiler.compile_or_get_cached", lambda *a, **k: compiled.append(a)
    )
    table = fcnn.summary(model, (2**20,), batch_size=2**10)  # an array of it would have 1 PB
    assert not compiled
    assert len(jax.live_arrays()) <= before + 1
    assert table.parameters == sum(a.size for a in jax.tree.leaves(layers.shapes(model, (4,))[0]))


def test_the_summary_of_resnet_152_is_quick_and_counts_its_blocks():
    """He et al. state 11.3e9 multiply-adds and 60.2 million parameters."""
    model = models.resnet(152, 1000, small=False)
    start = time.perf_counter()
    table = fcnn.summary(model, (224, 224, 3))
    assert time.perf_counter() - start < 20  # 0.5 s on two idle cores; this finds repeated setups
    assert table.parameters == 60_192_808
    assert round(table.multiply_adds / 1e9, 1) == 11.5
    assert max(row.times for row in table.rows) == 35
    assert table.state == sum(row.parameters for row in table.rows if "batch_norm" in row.path)


def test_a_summary_counts_the_batch_and_the_dtype():
    model = layers.serial(layers.conv(8, (3, 3)), layers.batch_norm())
    one = fcnn.summary(model, IMAGE)
    four = fcnn.summary(layers.precision(model), IMAGE, batch_size=4, dtype="float32")
    assert four.multiply_adds == 4 * one.multiply_adds
    assert four.parameters == one.parameters
    assert (one.state, four.state) == (16, 16)
    assert one.rows[0].activation_bytes == 6 * 6 * 8 * 8
    assert "state" in str(one).splitlines()[0]


def test_residual_of_token_ids_is_initialized_and_applied(key):
    model = layers.serial(
        layers.residual(layers.embedding(5, 4), layers.embedding(5, 4)), layers.dense(2)
    )
    params, state = model.init(key, (3,))
    ids = np.array([[0, 4, 2]])
    tables = [params["residual1"][part]["table"] for part in ("body", "shortcut")]
    expected = fcnn.dense(sum(t[ids] for t in tables), **params["dense1"])
    np.testing.assert_allclose(model.apply(params, state, ids)[0], expected, rtol=1e-12)
    assert not np.array_equal(*tables)


def test_two_branches_take_their_entries_of_a_dict(key):
    """Each branch has its own dtype, and its own lengths."""
    text = lambda: layers.serial(layers.embedding(9, 4), layers.lstm(3, sequence=False))
    model = layers.serial(
        layers.parallel(title=text(), body=text(), image=layers.flatten(), combine="concatenate"),
        layers.dense(2),
    )
    params, state = model.init(key, {"title": (5,), "body": (7,), "image": IMAGE})
    rng = np.random.default_rng(0)
    given = {"title": rng.integers(0, 9, (2, 5)), "body": rng.integers(0, 9, (2, 7)), "image": x}
    lengths = {"title": np.array([5, 2]), "body": np.array([0, 7])}
    with pytest.raises(TypeError, match=r"flatten: removes positions and does not read lengths"):
        model.apply(params, state, given, lengths=np.array([1, 1]))
    with pytest.raises(TypeError, match=r"lengths is a dict of titel; .* \(in parallel1/title"):
        model.apply(params, state, given, lengths={"titel": np.array([1, 1])})
    y, _ = model.apply(params, state, given, lengths=lengths)
    branches = params["parallel1"]
    read = lambda name: layers.lstm(3, sequence=False).apply(
        branches[name]["lstm1"], {}, branches[name]["embedding1"]["table"][given[name]],
        lengths=lengths[name],
    )[0]  # fmt: skip
    features = np.concatenate([read("title"), read("body"), np.reshape(x, (2, -1))], 1)
    np.testing.assert_allclose(y, fcnn.dense(features, **params["dense1"]), rtol=1e-12)


def test_parallel_without_names_gives_every_branch_x(key):
    model = layers.parallel(layers.dense(3), layers.dense(3), layers.identity())
    params, state = model.init(key, IMAGE)
    one, two, same = model.apply(params, state, x)[0]
    assert list(params) == ["dense1", "dense2"]
    assert one.shape == two.shape == (2, 6, 6, 3)
    np.testing.assert_array_equal(same, x)
    total = layers.parallel(layers.dense(3), layers.dense(3), combine="sum")
    np.testing.assert_allclose(total.apply(params | {}, state, x)[0], one + two)


def test_parts_have_names_of_their_own(key):
    model = layers.serial(
        stem=layers.conv(4, (3, 3)),
        stage=layers.serial([layers.batch_norm(), layers.relu()]),
        head=layers.serial(pool=layers.global_avg_pool(), logits=layers.dense(3)),
    )
    params, _ = model.init(key, IMAGE)
    assert list(layers.select(params)) == [
        *("stem/w", "stem/b", "stage/batch_norm1/scale", "stage/batch_norm1/bias"),
        *("head/logits/w", "head/logits/b"),
    ]
    paths = [row.path for row in fcnn.summary(model, IMAGE).rows]
    assert paths == ["stem", "stage/batch_norm1", "stage/relu1", "head/pool", "head/logits"]
    assert [name for name, _ in model.parts] == ["stem", "stage", "head"]


PARAMS = {"stage1": {"w": np.ones((2, 3)), "b": np.ones(3)}, "stage2": {"w": np.zeros((3, 1))}}


def test_patterns_select_freeze_and_replace_parameters():
    assert list(layers.select(PARAMS, "stage[12]/w")) == ["stage1/w", "stage2/w"]
    assert list(layers.select(PARAMS, "*/b", "stage2/*")) == ["stage1/b", "stage2/w"]
    assert layers.matches(PARAMS, "stage1/*") == {
        "stage1": {"w": True, "b": True},
        "stage2": {"w": False},
    }
    new = layers.replace(PARAMS, {"stage1/b": [1, 2, 3], "*/w": lambda w: w + 1})
    np.testing.assert_array_equal(new["stage1"]["b"], [1.0, 2, 3])
    np.testing.assert_array_equal(new["stage2"]["w"], np.ones((3, 1)))
    np.testing.assert_array_equal(PARAMS["stage2"]["w"], np.zeros((3, 1)))
    assert new["stage1"]["b"].dtype == float
    frozen = optax.masked(optax.set_to_zero(), layers.matches(PARAMS, "stage1/*"))
    optimizer = optax.chain(optax.sgd(1.0), frozen)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), optimizer.init(PARAMS))
    assert [float(u.sum()) for u in layers.select(updates).values()] == [0, 0, -3]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: layers.select(PARAMS, "stage3/*"), r"select: no parameter matches 'stage3/\*'"),
        (lambda: layers.matches(PARAMS, "stage1/v"), "matches 'stage1/v'; did you mean stage1/w?"),
        (lambda: layers.matches(PARAMS), r"no pattern; write matches\(params, 'stem/\*'\)"),
        (lambda: layers.replace(PARAMS, {"x": 1}), "replace: no parameter matches 'x'"),
        (
            lambda: layers.replace(PARAMS, {"stage1/b": np.ones(2)}),
            r"replace: stage1/b \(2,\) needs shape \(3,\)",
        ),
    ],
)
def test_paths_that_match_nothing_are_rejected(run, message):
    with pytest.raises(ValueError, match=message):
        run()


MODEL = layers.serial(
    layers.serial(layers.conv(4, (3, 3)), layers.batch_norm(), name="block"),
    layers.flatten(),
    layers.dense(2),
)


WARM = layers.leaf(
    "warm", lambda p, x, call: x / call.inputs["temperature"], reads=("temperature",)
)
CROSS = layers.multi_head_attention(2, context="memory")
CROSS_PARAMS, _ = CROSS.init(jax.random.key(0), (3, 4), memory=(5, 4))
leaf, with_state = (inspect.unwrap(f) for f in (layers.leaf, layers.with_state))
init, apply = (inspect.unwrap(f) for f in (layers.Layer.init, layers.Layer.apply))


def edited(path, value=None):
    """Parameters of MODEL without one entry, or with another one."""
    params, state = MODEL.init(jax.random.key(0), IMAGE)
    flat = layers.select(params)
    flat.pop(path, None)
    if value is not None:
        flat[path] = value
    tree = {}
    for name, a in flat.items():
        *within, last = name.split("/")
        at = tree
        for part in within:
            at = at.setdefault(part, {})
        at[last] = a
    return tree, state


@pytest.mark.parametrize(
    ("run", "kind", "message"),
    [
        (lambda: MODEL.init(jax.random.key(0), 64), TypeError, r"shape 64, .*; write \(64,\)"),
        (lambda: init(MODEL, 0, IMAGE), TypeError, r"key 0 .*; write jax.random.key\(0\)"),
        (
            lambda: MODEL.apply({}, {}, x),
            ValueError,
            r"no parameter block1/conv1/w; write params, state = model.init\(key, shape\)",
        ),
        (
            lambda: MODEL.apply(*edited("block1/conv1/b"), x),
            ValueError,
            "no parameter block1/conv1/b",
        ),
        (
            lambda: MODEL.apply(*edited("dense1/bias", np.ones(2)), x),
            ValueError,
            r"unknown parameters dense1/bias; expected b, w",
        ),
        (
            lambda: MODEL.apply(*edited("dense2/b", np.ones(2)), x),
            ValueError,
            r"unknown parameters dense2; expected block1, dense1, flatten1; did you mean dense1",
        ),
        (
            lambda: MODEL.apply(edited("")[0], {}, x),
            ValueError,
            r"no mean in state; write .* \(in block1/batch_norm1\)",
        ),
        (
            lambda: apply(MODEL, edited(""), {}, x),
            TypeError,
            r"params \(\{.* is not a dict; write params, state = model.init\(key, shape\)",
        ),
        (
            lambda: MODEL.apply(*edited(""), x[0]),
            ValueError,
            r"x with a batch axis would fit: write x\[None\]",
        ),
        (lambda: apply(MODEL, *edited(""), x, train=1), TypeError, "train 1 must be True or False"),
        (
            lambda: MODEL.apply(*edited(""), x, context=x),
            TypeError,
            "serial: no layer reads the input context; it reads lengths, mask",
        ),
        (
            lambda: layers.dense(2).apply({"w": np.ones((4, 2))}, {}, x),
            ValueError,
            "dense: no parameter b; write params, state",
        ),
        (lambda: inspect.unwrap(layers.conv)(8, 3), TypeError, r"window 3 needs .* \(3, 3\)"),
        (
            lambda: layers.conv(8, (3, 3), padding="SAME").init(jax.random.key(0), IMAGE),
            ValueError,
            "padding 'SAME'.*'?same'?",
        ),
        (
            lambda: layers.serial(layers.dense(2), layers.dense(2), b=layers.dense(1)),
            TypeError,
            "some layers have names and others not",
        ),
        (lambda: layers.serial(**{"a/b": layers.relu()}), ValueError, "the name 'a/b' contains"),
        (lambda: layers.parallel(), TypeError, r"has no layers; write parallel\(f, g\)"),
        (
            lambda: inspect.unwrap(layers.repeat)([layers.relu()], 2),
            TypeError,
            r"repeat: a list is not a layer; write layers\.serial\(\[\.\.\.\]\)",
        ),
        (
            lambda: apply(MODEL, edited("")[1], edited("")[0], x),
            ValueError,
            "params and state are exchanged",
        ),
        (
            lambda: layers.conv(2, (3, 3)).apply(
                *layers.conv(2, (3, 3)).init(jax.random.key(0), (6, 6, 1)), x[..., 0]
            ),
            ValueError,
            r"x with an axis of channels would fit: write x\[..., None\]",
        ),
        (
            lambda: MODEL.apply(*edited(""), x, trian=True),
            TypeError,
            "no layer reads the input trian; .*; did you mean train?",
        ),
        (
            lambda: jax.jit(partial(apply, MODEL))(*edited(""), x, train=True),
            TypeError,
            r"train is traced; write jax.jit\(..., static_argnames='train'\)",
        ),
        (
            lambda: inspect.unwrap(layers.serial)(name=layers.dense(2)),
            TypeError,
            "name <layer dense> is not a string; a layer cannot have the name 'name'",
        ),
        (
            lambda: inspect.unwrap(layers.serial)({"a": layers.relu()}),
            TypeError,
            r"a dict is not a layer; write layers.serial\(\*\*layers_by_name\)",
        ),
        (
            lambda: WARM.init(jax.random.key(0), (3,)),
            ValueError,
            "warm: no input temperature; write model.init.*temperature=",
        ),
        (
            lambda: WARM.apply({}, {}, np.ones((1, 3))),
            ValueError,
            r"warm: no input temperature; write model.apply\(..., temperature=temperature\)",
        ),
        (
            lambda: leaf("a", lambda p, x, call: x, reads="temperature"),
            TypeError,
            r"a: reads 'temperature' must be a tuple; write \('temperature',\)",
        ),
        (
            lambda: leaf("a", lambda p, x, call: x, positions="every"),
            ValueError,
            "a: unknown positions 'every'; expected one of",
        ),
        (
            lambda: leaf("a", lambda p, x, call: x, reads=("key",)),
            ValueError,
            "a: reads key, which is an option of apply: call.key has it",
        ),
        (
            lambda: layers.serial(with_state("own", lambda *a: a[2], lambda *a: ({}, {}))).apply(
                {}, {}, x
            ),
            TypeError,
            r"own: forward returned a ArrayImpl; it must return y, state, .* \(in own1\)",
        ),
        (
            lambda: leaf(
                "own", lambda p, x, call: x, lambda key, x: {"v": x}, parameters=("w",)
            ).init(jax.random.key(0), (3,)),
            ValueError,
            "own: init made the parameters v, but parameters has w",
        ),
        (
            lambda: layers.serial(layers.batch_norm(), layers.lstm(4)).init_cache(
                {}, (3, 2), batch_size=1, length=2
            ),
            ValueError,
            r"no mean in state; .* \(in batch_norm1\)",
        ),
        (
            lambda: layers.serial(layers.lstm(4)).init_cache(
                {"lstm1": {"w": x}}, (3, 2), batch_size=1, length=2
            ),
            ValueError,
            "serial: unknown state lstm1/w; expected c, h",
        ),
        (
            lambda: layers.serial(*[layers.dense(2)] * 11, layers.stateless("dense1", abs)),
            ValueError,
            r"serial: two layers get the name dense11; write serial\(name=layer, ...\)",
        ),
        (lambda: layers.serial(**{"": layers.relu()}), ValueError, "serial: a name is empty"),
        (
            lambda: layers.parallel(
                layers.parallel(layers.relu()), layers.relu(), combine="sum"
            ).apply({}, {}, x),
            TypeError,
            "parallel: an output is a tuple; 'sum' needs arrays",
        ),
        (
            lambda: layers.replace({"a": jnp.zeros(2, int)}, {"a": [0.5, 1.0]}),
            TypeError,
            "replace: a holds int64, but the new array float64",
        ),
        (
            lambda: layers.lstm(2).apply(
                layers.lstm(2).init(jax.random.key(0), (3, 4))[0],
                {"h": np.zeros((1, 2))},
                np.ones((1, 3, 4)),
            ),
            ValueError,
            "lstm: no state c; write params, state",
        ),
        (
            lambda: layers.select(PARAMS, "stage1"),
            ValueError,
            r"no parameter matches 'stage1'; write 'stage1/\*'",
        ),
        (
            lambda: layers.multi_head_attention(2, context="memory").init(
                jax.random.key(0), (3, 4), memory=np.ones((1, 5, 4))
            ),
            TypeError,
            r"memory: shape is an array \(1, 5, 4\), .*; write \(5, 4\)",
        ),
        (
            lambda: CROSS.apply(CROSS_PARAMS, {}, np.ones((2, 3, 4)), memory=np.ones((1, 5, 4))),
            ValueError,
            r"memory \(1, 5, 4\) needs shape \(2, s, features\) for x \(2, 3, 4\)",
        ),
        (
            lambda: CROSS.apply(CROSS_PARAMS, {}, np.ones((2, 3, 4)), memory=np.ones((2, 5, 3))),
            ValueError,
            r"memory \(2, 5, 3\) has 3 features, but wk takes 4",
        ),
        (
            lambda: MODEL.apply(*edited(""), {"image": x}),
            TypeError,
            r"conv: x .*image",
        ),
        (
            lambda: layers.relu().apply({}, {}, (x, x)),
            TypeError,
            r"relu: x is a tuple of arrays, not one array; write jnp.stack\(x\)",
        ),
        (
            lambda: layers.dense(2).init(jax.random.key(0), {"a": (3,)}),
            TypeError,
            "dense: x is a dict of a, not one array; write parallel",
        ),
        (
            lambda: layers.parallel(a=layers.relu(), b=layers.relu()).apply({}, {}, {"a": x}),
            ValueError,
            "parallel: x has the entries a, but the layers are a, b",
        ),
        (
            lambda: layers.dense(2).init(jax.random.key(0), (-1,)),
            ValueError,
            r"dense: shape \(-1,\) has a negative size",
        ),
        (
            lambda: layers.dropout(True),
            TypeError,
            "dropout: rate True must be a number",
        ),
        (
            lambda: inspect.unwrap(layers.multi_head_attention)(2, rotary=True),
            TypeError,
            "multi_head_attention: rotary True must be a number",
        ),
        (
            lambda: inspect.unwrap(layers.multi_head_attention)(2, window=0),
            ValueError,
            "multi_head_attention: window 0 must be at least 1",
        ),
        (
            lambda: inspect.unwrap(layers.replace)(PARAMS, [("stem/b", 1)]),
            TypeError,
            r"replace: a list is not a dict; write replace\(params, \{'stem/b': array\}\)",
        ),
        (
            lambda: inspect.unwrap(layers.matches)(PARAMS, 3),
            TypeError,
            r"matches: 3 is not a path or pattern; write 'stem/\*'",
        ),
        (
            lambda: MODEL.apply(edited("")[0], {"conv": {}}, x),
            ValueError,
            "serial: unknown state conv; expected block1, dense1, flatten1",
        ),
        (
            lambda: layers.parallel(layers.relu(), combine="mean"),
            ValueError,
            "unknown combine 'mean'; expected one of",
        ),
        (
            lambda: fcnn.summary(
                layers.parallel(layers.dense(2), layers.dense(3), combine="sum"), (4,)
            ),
            ValueError,
            r"outputs \(1, 2\), \(1, 3\) do not fit 'sum'",
        ),
        (
            lambda: inspect.unwrap(fcnn.summary)(fcnn.relu, (3,)),
            TypeError,
            r"is not a layer; write fcnn.models.mlp\(\)",
        ),
        (
            lambda: layers.precision(layers.dense(2), compute=int),
            TypeError,
            "compute .* is not a dtype of floats; write jnp.bfloat16",
        ),
        (
            lambda: layers.embedding(3, 2).apply({"table": np.ones((3, 2))}, {}, np.ones((1, 2))),
            TypeError,
            "embedding: ids hold float64",
        ),
    ],
)
def test_a_mistake_is_one_line_that_shows_what_to_write(run, kind, message):
    with pytest.raises(kind, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_an_error_names_the_path_of_its_layer(key):
    model = layers.serial(stage=layers.repeat(layers.residual(layers.conv(4, (3,))), 2))
    with pytest.raises(ValueError, match=r"^conv: input") as caught:
        model.init(key, IMAGE)
    assert re.fullmatch(r"conv: input .* \(in stage/body\)", str(caught.value))
    with pytest.raises(ValueError, match=r"^dropout: no key; .* \(in two/dropout1\)$"):
        layers.serial(one=layers.relu(), two=layers.serial(layers.dropout(0.5))).apply(
            {}, {}, x, train=True
        )


def test_parameters_are_made_under_jit_and_vmap(key):
    model = models.cnn((4,), (), batch_norm=True)
    eager = model.init(key, IMAGE)
    under_jit = jax.jit(lambda key: model.init(key, IMAGE))(key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), eager, under_jit)
    many = jax.vmap(lambda key: model.init(key, IMAGE)[0])(jax.random.split(key, 3))
    assert many["conv1"]["w"].shape == (3, 3, 3, 4, 4)


def test_precision_computes_in_bfloat16_and_keeps_float32(key):
    """Parameters, gradients, running statistics and outputs are float32; products are bfloat16."""
    net = layers.serial(layers.conv(4, (3, 3)), layers.batch_norm(momentum=0.99), layers.flatten())
    model = layers.serial(layers.rescale(), layers.precision(layers.serial(net, layers.dense(2))))
    pixels = np.random.default_rng(0).integers(0, 256, (8, *IMAGE), np.uint8)

    def loss(params, state):
        y, state = model.apply(params, state, pixels, train=True)
        return y.sum(), (y, state)

    params, state = model.init(key, IMAGE)
    gradient = jax.value_and_grad(loss, has_aux=True)
    (_, (y, new_state)), g = jax.jit(gradient)(params, state)
    assert {a.dtype for a in jax.tree.leaves((params, state, g, y, new_state))} == {
        jnp.dtype("float32")
    }
    plain = layers.serial(layers.rescale(), layers.serial(net, layers.dense(2)))
    exact = plain.apply(
        *jax.tree.map(lambda a: a.astype(float), (params, state)), pixels, train=True
    )
    y, exact = np.asarray(y), np.asarray(exact[0])
    error = np.abs(y - exact).max() / np.abs(exact).max()
    assert 2**-12 < error < 2**-6  # bfloat16 rounds by up to 2**-9
    var = new_state["serial1"]["serial1"]["batch_norm1"]["var"]
    assert ((var != 1) & (abs(var - 1) < 0.02)).all()  # bfloat16 has no number so near to 1


def test_remat_keeps_less_and_gives_the_same_gradients(key):
    block = layers.serial(layers.dense(4), layers.tanh(), layers.dense(4), layers.tanh())
    plain, again = layers.repeat(block, 3), layers.repeat(layers.remat(block), 3)

    def gradient(model):
        params, state = model.init(key, IMAGE)
        loss = lambda params: model.apply(params, state, x)[0].sum()
        return jax.grad(loss)(params)

    found = jax.jit(lambda: (gradient(plain), gradient(again)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), *found)
    kept = lambda model: fcnn.summary(model, IMAGE, cost=True).training.residual_bytes
    assert kept(again) < 0.6 * kept(plain)
    flop = lambda model: fcnn.summary(model, IMAGE, cost=True).training.flop
    products = 2 * 3 * 2 * 36 * 4 * 4  # forward FLOP of two dense layers in three blocks
    assert flop(plain) == 3 * products
    assert flop(again) == 4 * products


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.dense(8), (4,)),
        (layers.conv(6, (3, 3), groups=2), (5, 5, 4)),
        (layers.conv(4, (3, 3), stride=2), (6, 6, 4)),
        (layers.conv(4, (3, 3), groups=4), (6, 6, 4)),
        (layers.conv(4, (3, 3), dilation=2), (6, 6, 4)),
        (layers.conv_transpose(4, (2, 2), stride=2), (3, 3, 4)),
        (layers.lstm(4), (5, 4)),
        (layers.repeat(layers.repeat(layers.dense(4), 2), 3), (4,)),
    ],
)
def test_the_flop_of_training_are_three_forward_passes(layer, shape):
    """Forward, dx and dw have equal FLOP. A dense layer in front makes dx necessary."""
    front = layers.dense(4)
    model = layers.serial(front, layer)
    table = fcnn.summary(model, shape, batch_size=2, cost=True)
    first = fcnn.summary(front, shape, batch_size=2).multiply_adds
    inner = table.multiply_adds - first
    assert table.training.flop == 2 * (3 * inner + 2 * first)
    assert table.training.residual_bytes > 0


def test_a_layer_of_your_own_reads_a_number():
    """A number has no batch axis, and repeat and serial pass it on."""
    model = layers.serial(layers.repeat(WARM, 2), WARM)
    params, state = model.init(jax.random.key(0), (3,), temperature=2.0)
    y, _ = model.apply(params, state, np.ones((1, 3)), temperature=2.0)
    np.testing.assert_array_equal(y, np.full((1, 3), 1 / 8))


def test_precision_scales_uint8_images_inside_and_counts_its_bytes(key):
    model = layers.precision(layers.serial(layers.rescale(), layers.conv(4, (3, 3))))
    params, state = model.init(key, IMAGE)
    y, _ = model.apply(params, state, np.ones((1, *IMAGE), np.uint8))
    assert (y.dtype, y.shape) == (jnp.float32, (1, 6, 6, 4))
    row = fcnn.summary(model, IMAGE).rows[-1]
    assert row.activation_bytes == 6 * 6 * 4 * 2  # 2 bytes for bfloat16


def test_a_decoding_cache_has_the_dtype_of_the_computation(key):
    """Decoding in bfloat16 differs from the whole sequence by rounding only."""
    model = layers.precision(models.transformer(9, depth=2, width=16, heads=2))
    tokens = np.random.default_rng(0).integers(0, 9, (2, 5))

    @jax.jit
    def run(key):
        params, state = model.init(key, (5,))
        cache = model.init_cache(state, (5,), batch_size=2, length=5)
        first, cache = model.apply(params, cache, tokens[:, :2])
        rest, cache = model.apply(params, cache, tokens[:, 2:])
        return jnp.concatenate([first, rest], 1), model.apply(params, state, tokens)[0], cache

    decoded, whole, cache = run(key)
    np.testing.assert_allclose(decoded, whole, atol=2**-5)
    dtypes = {a.dtype for a in jax.tree.leaves(cache)}
    assert dtypes == {jnp.dtype("bfloat16"), jnp.dtype("int32")}


class Pair(NamedTuple):
    one: jax.Array
    two: jax.Array


def test_x_may_be_any_pytree():
    """A named tuple and nested dicts reach a layer of one's own; a list is one array."""
    add = layers.stateless("add", lambda x: x.one + x.two)
    given = Pair(np.ones((1, 2)), np.ones((1, 2)))
    params, state = add.init(jax.random.key(0), Pair((2,), (2,)))
    np.testing.assert_array_equal(add.apply(params, state, given)[0], [[2.0, 2.0]])
    deep = layers.stateless("deep", lambda x: x["a"]["b"][0] * 2)
    np.testing.assert_array_equal(deep.apply({}, {}, {"a": {"b": (given.one,)}})[0], [[2.0, 2.0]])
    np.testing.assert_array_equal(layers.relu().apply({}, {}, [[-1.0, 2.0]])[0], [[0.0, 2.0]])


def test_a_name_with_brackets_is_a_path():
    assert list(layers.select({"c[1]": {"w": np.ones(1)}, "c1": np.ones(1)}, "c[1]/w")) == [
        "c[1]/w"
    ]
