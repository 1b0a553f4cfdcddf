"""Replayed steps: faults at known places are named, and finite steps equal those of train_step."""

import json
import sys
from functools import partial
from inspect import unwrap
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fcnn
from fcnn import layers, models, training
from fcnn.layers.spec import planned, set_up
from fcnn.training.observer import Observer
from fcnn.training.replay_message import message as message_on
from fcnn.training.replay_report import WIDTH, Replay, ReplayRow
from fcnn.training.step import updating

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((4, 3)), np.array([0, 1, 0, 1])
SGD = optax.sgd(0.5)
LINEAR = layers.serial(layers.dense(2))


def replayed(model, loss, batch, change=lambda params: params, optimizer=SGD, **options):
    """The replay of the first step, with changed parameters."""
    made = training.create(model, optimizer, jnp.shape(batch[0])[1:], jax.random.key(0))
    train_state = made._replace(params=change(made.params))
    return training.replay(model, loss, optimizer, train_state, batch, **options)


def kinds(replay, kind):
    return {row.path: row for row in replay.rows if row.kind == kind}


def test_the_layer_that_overflows_is_named():
    """1e200 fits float64, and its square does not."""
    model = layers.serial(layers.dense(5), layers.relu(), layers.dense(2))
    large = {"dense1/w": jnp.full((3, 5), 1e200), "dense2/w": jnp.full((5, 2), 1e200)}
    x = np.array([[1.0, 0, 0], [0, 0, 0], [1, 1, 0], [-1, 0, 0]])
    change = lambda params: layers.replace(params, large)
    found = replayed(model, fcnn.softmax_cross_entropy, (x, Y), change)
    assert found.first[:2] == ("output", "dense2")
    assert (found.first.nan, found.first.infinite, found.first.examples) == (0, 4, (0, 2))
    assert found.message == (
        "step 1: first not finite: the output of dense2, 4 of 8 entries are inf, in examples 0, 2; "
        "its input is finite, from 0 to 2e+200; parameters of dense2: greatest 1e+200"
    )
    outputs = kinds(found, "output")
    assert [*outputs] == ["dense1", "relu1", "dense2"]
    assert (outputs["dense1"].least, outputs["dense1"].greatest) == (-1e200, 2e200)
    assert (outputs["relu1"].least, outputs["relu1"].greatest) == (0, 2e200)
    assert not kinds(found, "new parameter")["dense1/w"].finite


def test_a_loss_at_log_0_names_the_example():
    loss = lambda y, target: -jnp.log(jnp.abs(y[:, 0]) * target)
    found = replayed(LINEAR, loss, (X, np.array([1.0, 2.0, 0.0, 3.0])))
    assert (found.first.kind, found.first.examples) == ("loss", (2,))
    assert "the loss, 1 of 4 entries is inf, in example 2; the last output is" in found.message
    assert found.message.endswith("y is finite, from 0 to 3")
    assert not kinds(found, "mean loss")[""].finite


def test_a_batch_and_an_augmented_batch_are_named():
    x = X.copy()
    x[3, 1] = np.nan
    found = replayed(LINEAR, fcnn.softmax_cross_entropy, (x, Y))
    assert found.first[:2] == ("batch", "x")
    assert (found.first.nan, found.first.examples) == (1, (3,))
    log = lambda key, batch: {**batch, "x": jnp.log(batch["x"])}
    found = replayed(LINEAR, fcnn.softmax_cross_entropy, (X, Y), augment=log)
    assert found.first[:2] == ("augmented", "x")
    assert found.first.nan == (X < 0).sum()
    assert f"before augmentation it is finite, from {X.min():.2g} to {X.max():.2g}" in found.message


def test_the_backward_pass_that_makes_nan_is_named():
    """d sqrt(x) / dx is infinite at 0, and 0 inf is NaN."""
    root = layers.stateless("sqrt", jnp.sqrt)
    zero = layers.stateless("zero", lambda x: 0 * x)
    model = layers.serial(layers.dense(2), zero, root, layers.dense(2))
    found = replayed(model, fcnn.softmax_cross_entropy, (X, Y))
    assert found.first[:2] == ("gradient of input", "sqrt1")
    assert found.first.examples == (0, 1, 2)
    assert "; the gradient of the output of sqrt1 is finite, from" in found.message
    assert "; the input of sqrt1 is finite, from 0 to 0" in found.message
    assert [*kinds(found, "gradient of output")] == ["dense2", "sqrt1", "zero1", "dense1"]
    finite = {path: row.finite for path, row in kinds(found, "gradient").items()}
    assert finite == {"dense2/b": True, "dense2/w": True, "dense1/b": False, "dense1/w": False}


def test_a_loss_without_a_finite_gradient_is_named():
    """The norm of 0 is finite, and its gradient is 0 / 0."""
    change = lambda params: layers.replace(params, {"dense1/w": jnp.zeros_like})
    found = replayed(LINEAR, lambda y, _: jnp.sqrt((y**2).sum(1)), (X, Y), change)
    assert found.first[:2] == ("gradient of output", "dense1")
    assert found.first.nan == 8
    assert found.message.endswith("; the loss is finite, but not its gradient")


def test_a_parameter_gradient_an_update_and_a_parameter_are_named():
    scale = layers.leaf(
        "scale",
        lambda params, x, call: x * jnp.sqrt(params["s"])[None],
        lambda key, x: {"s": jnp.zeros(x.shape[-1])},
        parameters=("s",),
    )
    found = replayed(layers.serial(layers.dense(2), scale), fcnn.softmax_cross_entropy, (X, Y))
    assert found.first[:2] == ("gradient", "scale1/s")
    assert "the gradient of the output of scale1 is finite" in found.message
    divided = optax.stateless(lambda g, params: jax.tree.map(lambda a: a / 0.0, g))
    found = replayed(LINEAR, fcnn.softmax_cross_entropy, (X, Y), optimizer=divided)
    assert found.first[:2] == ("update", "dense1/b")
    assert "; the gradient is finite" in found.message
    nan = lambda params: layers.replace(params, {"dense1/b": [0.0, jnp.nan]})
    found = replayed(LINEAR, fcnn.softmax_cross_entropy, (X, Y), nan)
    assert "parameter dense1/b before the step, 1 of 2 entries is NaN" in found.message


def test_each_block_of_repeat_has_its_own_rows():
    """The statistics of each block are those of a loop without `repeat`."""
    block = layers.residual(layers.remat(layers.dense(3)))
    model = layers.serial(layers.repeat(block, 3), layers.dense(2))
    large = lambda w: w.at[1:].set(1e200)
    change = lambda params: layers.replace(params, {"repeat1/body/w": large})
    with fcnn.gradients("autodiff"):
        found = replayed(model, fcnn.softmax_cross_entropy, (X, Y), change)
    assert found.first[:2] == ("output", "repeat1[2]/body")
    own = change(training.create(model, SGD, (3,), jax.random.key(0)).params)["repeat1"]["body"]
    x, expected = X, {}
    with np.errstate(all="ignore"):
        for i in range(3):
            y = x @ np.asarray(own["w"][i]) + np.asarray(own["b"][i])
            x = x + y
            expected |= {f"repeat1[{i}]/body": y}
            expected |= {f"repeat1[{i}]": x} if i == 0 else {}  # later sums round to y
    outputs = kinds(found, "output")
    assert [*outputs] == [*expected, "dense1"]
    for path, y in expected.items():
        good, ends = y[np.isfinite(y)], (outputs[path].least, outputs[path].greatest)
        if good.size:
            np.testing.assert_allclose(ends, (good.min(), good.max()), rtol=1e-12)
        else:
            assert ends == (None, None)
        assert outputs[path].nan + outputs[path].infinite == (~np.isfinite(y)).sum()
    weights = kinds(found, "parameter")["repeat1[1]/body/w"]
    assert (weights.shape, weights.least) == ((3, 3), 1e200)
    backward = [row.path for row in found.rows if row.kind.startswith("gradient")]
    last, middle = (f"repeat1[{i}]/body" for i in (2, 1))
    assert ("dense1/w", last) in pairwise(backward)
    assert (f"{last}/w", middle) in pairwise(backward)


def test_a_finite_step_equals_the_train_step():
    noise = lambda key, batch: {**batch, "x": batch["x"] + jax.random.normal(key, (4, 3))}
    blocks = layers.repeat(layers.remat(layers.serial(layers.dense(3), layers.dropout(0.3))), 2)
    model = layers.serial(layers.batch_norm(), blocks, layers.dropout(0.3), layers.dense(2))
    adam, loss = optax.adam(0.1), fcnn.softmax_cross_entropy
    start = training.create(model, adam, (3,), jax.random.key(0))._replace(step=jnp.int32(6))
    found = training.replay(model, loss, adam, start, (X, Y), augment=noise)
    new, seen = jax.jit(updating(model, loss, adam, noise))(start, (X, Y))
    assert found.first is None
    loss = seen.each_loss.mean()
    assert found.message.startswith(f"step 7: everything is finite; loss {loss:.3g}; greatest gra")
    np.testing.assert_allclose(kinds(found, "mean loss")[""].least, loss, rtol=1e-12)
    np.testing.assert_allclose(kinds(found, "augmented")["x"].least, seen.batch["x"].min())
    trees = {"gradient": seen.gradient, "update": seen.change, "new parameter": new.params}
    for kind, tree in {**trees, "new state": new.state}.items():
        rows = kinds(found, kind)
        for path, a in layers.select(tree).items():
            in_repeat = path.startswith("repeat1")
            for i, each in enumerate(a if in_repeat else a[None]):
                row = rows.pop(path.replace("repeat1", f"repeat1[{i}]") if in_repeat else path)
                extremes = each.min(), each.max()
                np.testing.assert_allclose((row.least, row.greatest), extremes, rtol=1e-8)
        assert not rows
    assert int(start.step) == 6


MODELS = {
    "mlp": (models.mlp((8,)), (4, 4, 1), {}),
    "cnn": (models.cnn((4,), (8,), batch_norm=True), (4, 4, 1), {}),
    "mobilenet": (models.mobilenet(stem=4, blocks=((8, 2), (8, 1))), (8, 8, 1), {}),
    "lstm": (models.lstm(8, depth=2, bidirectional=True), (5, 3), {"lengths": np.array([5, 2])}),
    "encoder": (
        models.transformer(10, classes=3, depth=2, width=8, heads=2, dropout=0.1),
        (6,),
        {"mask": np.ones((2, 6), bool)},
    ),
    "ladder": (models.hybrid(2, 4, 8, 3), (8, 8, 1), {}),
    "resnet": (None, (8, 8, 1), {}),
}


LARGE = pytest.mark.all(
    "2 to 5 CPU seconds; in the first tier, this test observes mlp, cnn, lstm and encoder, whose "
    "blocks are repeated too"
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=LARGE if name in ("resnet", "mobilenet", "ladder") else ())
        for name in MODELS
    ],
)
def test_each_layer_of_a_summary_is_observed(name, monkeypatch):
    """Steps are traced, not compiled. ResNet has two narrow stages with every kind of block."""
    module = sys.modules["fcnn.models.resnet"]
    monkeypatch.setattr(module, "WIDTHS", (4, 8))
    monkeypatch.setattr(module, "BLOCKS", {18: ((2, 3), False)})
    model, shape, inputs = MODELS[name]
    model = model or models.resnet(18)
    x = np.zeros((2, *shape), np.int32 if name == "encoder" else float)
    params, state, _ = set_up(model, *planned(model, shape, None, {}))
    observer, key = Observer(), jax.random.key(0)
    apply = partial(observer.observed(model).apply, x=x, key=key, train=True, **inputs)
    jax.eval_shape(apply, params, state)
    seen = [layer for layer in observer.layers if layer.innermost]
    rows = fcnn.summary(model, shape, **{k: a.shape[1:] for k, a in inputs.items()}).rows
    assert [layer.path.replace("[]", "") for layer in seen] == [row.path for row in rows]
    assert [layer.path.count("[]") for layer in seen] == [int(row.times > 1) for row in rows]
    own = [observer.marked(path)[0] for path in layers.select(params)]
    assert {*own} <= {layer.path for layer in seen}


def test_all_models_are_observed():
    made = {name for name in models.__all__ if name not in ("RUNGS", "hybrid")}
    assert {"transformer" if name == "encoder" else name for name in MODELS} == made


def test_a_line_search_reports_the_first_pass_only():
    adam, searched = Observer(), Observer()
    for observer, optimizer in ((adam, optax.adam(0.1)), (searched, optax.lbfgs())):
        start = training.create(LINEAR, optimizer, (3,), jax.random.key(0))
        update = updating(observer.observed(LINEAR), fcnn.softmax_cross_entropy, optimizer)
        jax.eval_shape(update, start, (X, Y))
    assert [a.path for a in searched.layers] == [a.path for a in adam.layers] == ["dense1", ""]


def test_an_overflow_of_float16_names_the_sum_of_a_residual():
    """The two terms fit float16, and their sum does not."""
    body = layers.leaf("large", lambda params, x, call: x * 1.0)
    model = layers.serial(layers.precision(layers.residual(body), compute=jnp.float16))
    found = replayed(model, lambda y, target: y[:, 0], (X * 0 + 4e4, Y))
    assert (found.first.kind, found.first.path, found.first.dtype) == (
        "output",
        "residual1",
        "float16",
    )
    assert found.first.infinite == found.first.shape[0] * found.first.shape[1]
    assert "each output inside it is finite, from 4e+04 to 4e+04" in found.message
    assert [row.dtype for row in found.rows if row.kind == "output"] == ["float16"] * 2 + [
        "float32"
    ]


def report(step, rows):
    return Replay(step, tuple(rows), message_on(step, rows, []))


def row(kind, path="", infinite=0, nan=0):
    return ReplayRow(kind, path, (4, 2), "float32", -1.0, 1.0, nan, infinite)


def test_infinite_entries_of_masks_and_of_optimizers_are_no_fault():
    allowed = [row("batch", "attention_mask", 1), row("optimizer state", "0/value", 1)]
    results = [row("loss"), row("mean loss"), row("new parameter", "w")]
    assert report(1, [*allowed, *results]).first is None
    broken = report(1, [*allowed, row("batch", "y", nan=2), *results])
    assert broken.first.path == "y"
    assert broken.message.endswith("are NaN; the loss and the new parameters are finite")
    assert report(1, [row("batch", "attention_mask", nan=1), *results]).first is not None


def test_a_table_has_100_columns_and_json_has_plain_values():
    long = "/".join(f"block{i}" for i in range(30))
    replay = report(3, [row("output", long), row("output", "x" * 200, 8, 8), row("mean loss")])
    *table, message = str(replay).splitlines()
    assert max(map(len, table)) <= WIDTH
    assert table[2].split()[1].startswith("block0/…/block")
    assert table[2].split()[1].endswith("/block29")
    assert message == replay.message in repr(replay)
    assert "8 NaN and 8 inf of 8 entries" in message
    read = json.loads(json.dumps(replay.to_json(), allow_nan=False))
    assert (read["step"], read["message"], len(read["rows"])) == (3, message, 3)
    assert (
        read["first"]
        == read["rows"][1]
        == replay.first._asdict() | {"shape": [4, 2], "examples": []}
    )


START = training.TrainState(jnp.int32(0), {}, {}, (), jax.random.key(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 3}, r"replay: model 3 is not a layer; write fcnn.models.mlp\(\)"),
        ({"loss": 3}, r"replay: loss 3 is not a function of \(outputs, y\); write fcnn\."),
        ({"optimizer": 3}, r"replay: optimizer 3 is not an optimizer of optax; write optax"),
        ({"augment": 3}, r"replay: augment 3 is not a function of \(key, batch\); write fcnn"),
        (
            {"train_state": {}},
            r"replay: train_state \{\} is not a TrainState; write run.train_state",
        ),
        (
            {"batch": X},
            r"replay: batch must be a pair \(x, y\) or a dict with x, not an array \(4, 3\)",
        ),
        ({"batch": (X, Y[:3])}, r"replay: x has 4 examples, but y has 3"),
    ],
)
def test_arguments_of_another_kind_are_rejected(change, message):
    right = {"model": LINEAR, "loss": fcnn.squared_error, "optimizer": SGD, "train_state": START}
    right |= {"batch": (X, Y), "augment": None} | change
    augment = right.pop("augment")
    with pytest.raises((TypeError, ValueError), match=message):
        unwrap(training.replay)(*right.values(), augment=augment)
