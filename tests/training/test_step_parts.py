"""Steps in parts, of scaled losses, and steps that are skipped, in `train_step` and `fit`."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType

import fcnn
from fcnn import layers, training
from fcnn.training.shuffle import indices_of_epoch

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((24, 4)), RNG.integers(0, 3, 24).astype(np.int32)
MLP = layers.serial(layers.dense(6), layers.tanh(), layers.dense(3))
NORMED = layers.serial(layers.dense(6), layers.batch_norm(), layers.dropout(0.4), layers.dense(3))
ACCURACY = {"accuracy": training.accuracy}
KEY = jax.random.key(1)
SGD = optax.sgd(0.1, momentum=0.9)


def fit(source=(X, Y), model=MLP, loss=fcnn.softmax_cross_entropy, optimizer=SGD, **options):
    options = {"epochs": 2, "batch_size": 8, "key": KEY, "metrics": ACCURACY} | options
    return training.fit(model, loss, optimizer, source, **options)


def assert_close(one, other, rtol=1e-12):
    for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def assert_equal(one, other):
    assert_close(one, other, 0)


def results(run):
    return [(p.training, p.validation) for p in run.history]


@pytest.fixture(scope="module")
def whole():
    with jax.numpy_dtype_promotion("standard"):
        return fit(validation=(X, Y))


# Accumulation


def test_a_batch_in_parts_gives_the_same_parameters_and_metrics(whole):
    run = fit(validation=(X, Y), accumulate=4)
    assert_close(run.train_state.params, whole.train_state.params)
    for found, expected in zip(results(run), results(whole), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["automatic", "explicit"])
def test_parts_of_a_batch_that_devices_share(whole, kind):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(kind,))
    run = fit(training.sharded((X, Y), mesh), accumulate=4)
    assert_close(run.train_state.params, whole.train_state.params)


def test_parts_thread_the_state_of_the_model_and_draw_their_own_dropout():
    """A step in two parts, and the same by hand: part i has the examples i, i + 2, ..."""
    step = training.train_step(NORMED, fcnn.softmax_cross_entropy, SGD, accumulate=2)
    start = training.create(NORMED, SGD, (4,), KEY)
    new, _ = jax.jit(step)(start, (X, Y))
    state, gradients = start.state, []
    for i in range(2):

        def loss(params, state=state, i=i):
            key = jax.random.fold_in(jax.random.fold_in(start.key, 0), i)
            logits, state = NORMED.apply(params, state, X[i::2], key=key, train=True)
            return fcnn.softmax_cross_entropy(logits, jnp.asarray(Y[i::2])).mean(), state

        g, state = jax.jit(jax.grad(loss, has_aux=True))(start.params)
        gradients.append(g)
    expected = jax.tree.map(lambda p, a, b: p - 0.1 * (a + b) / 2, start.params, *gradients)
    assert_close(new.params, expected)
    assert_close(new.state, state)


def test_outputs_and_losses_of_parts_are_in_the_order_of_the_batch():
    """Also where outputs are a tree, and the loss has one number for each position."""
    seen = {}
    x = jnp.arange(24.0).reshape(6, 2, 2)
    model = layers.parallel(a=layers.identity(), b=layers.dense(2), combine="none")

    def add(total, outputs, batch):
        seen.update(outputs=outputs, x=batch["x"])
        return total

    metrics = {"spy": training.Metric(jnp.zeros(()), add, lambda total: total)}
    loss = lambda outputs, batch: jnp.square(outputs["a"][..., 0])
    step = training.train_step(model, loss, SGD, metrics, accumulate=3)
    given = {"a": x, "b": x}
    start = training.create(model, SGD, {"a": (2, 2), "b": (2, 2)}, KEY)
    _, found = step(start, {"x": given})
    np.testing.assert_array_equal(seen["outputs"]["a"], x)
    np.testing.assert_allclose(found["loss"], (x[..., 0] ** 2).mean())


def test_an_optimizer_can_compute_the_loss_of_all_parts():
    """The function that a line search gets has the loss of the step, with its dropout."""

    def update(updates, state, params, *, value, value_fn, **_):
        return jax.tree.map(jnp.zeros_like, updates), (value, value_fn(params))

    zero = jnp.zeros(())
    spy = optax.GradientTransformationExtraArgs(lambda params: (zero, zero), update)
    step = training.train_step(NORMED, fcnn.softmax_cross_entropy, spy, accumulate=2)
    new, _ = step(training.create(NORMED, spy, (4,), KEY), (X, Y))
    np.testing.assert_allclose(*new.opt_state, rtol=1e-12)


BAD_PARTS = {
    "batch": (
        {"accumulate": 3},
        "batch_size 8 must be a multiple of accumulate, the 3 parts$",
    ),
    "zero": ({"accumulate": 0}, "fit: accumulate 0 must be at least 1"),
    "half": ({"accumulate": 0.5}, "fit: accumulate 0.5 must be an integer"),
    "skip": ({"skip_not_finite": 1}, "fit: skip_not_finite 1 must be True or False"),
    "name": (
        {"skip_not_finite": True, "metrics": {"skipped": training.accuracy}},
        "fit: metric 'skipped': skip_not_finite has a result of this name",
    ),
    "devices": (
        {"accumulate": 8, "source": training.sharded((X, Y), jax.make_mesh((2,), ("data",)))},
        "multiple of accumulate, the 8 parts times 2 devices that share them",
    ),
}


@pytest.mark.parametrize("bad", BAD_PARTS)
def test_fit_rejects_bad_parts_in_one_line(bad):
    options, message = BAD_PARTS[bad]
    options = {"source": (X, Y), "epochs": 1, "batch_size": 8, "key": KEY} | options
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        unwrap(training.fit)(MLP, fcnn.softmax_cross_entropy, SGD, **options)
    assert "\n" not in str(caught.value)


def test_a_step_rejects_a_batch_that_parts_do_not_divide():
    step = training.train_step(MLP, fcnn.softmax_cross_entropy, SGD, accumulate=5)
    with pytest.raises(ValueError, match="accumulate 5 does not divide the batch of 24 examples"):
        jax.eval_shape(step, training.create(MLP, SGD, (4,), KEY), (X, Y))
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Explicit,))
    batch = training.sharded((X, Y), mesh).take(np.arange(10))
    start = jax.device_put(training.create(MLP, SGD, (4,), KEY), jax.NamedSharding(mesh, jax.P()))
    step = training.train_step(MLP, fcnn.softmax_cross_entropy, SGD, accumulate=10)
    with pytest.raises(ValueError, match="accumulate 10: 2 devices cannot share parts of 1 ex"):
        jax.eval_shape(step, start, batch)


# Averaged parameters


def test_fit_validates_the_averaged_parameters():
    """On a mesh, where their shards are put together. `keep_best` keeps these parameters."""
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Explicit,))
    options = {"optimizer": training.averaged(SGD, 0.9), "callbacks": [training.keep_best()]}
    run = fit(training.sharded((X, Y), mesh), validation=(X, Y), epochs=1, **options)
    params = training.averaged_params(run.train_state)
    logits, _ = MLP.apply(jax.tree.map(jnp.asarray, jax.device_get(params)), {}, jnp.asarray(X))
    loss = fcnn.softmax_cross_entropy(logits, jnp.asarray(Y)).mean()
    assert run.history[-1].validation["loss"] == pytest.approx(float(loss), rel=1e-12)
    assert_equal(run.train_state.callbacks["keep_best"]["params"], params)
    assert not np.allclose(params["dense1"]["w"], run.train_state.params["dense1"]["w"])


# Loss scaling


def test_a_scale_that_is_a_power_of_two_changes_no_bit():
    """Operation by operation: a compiler may contract those of the two programs differently."""
    inner = training.optimizer("adam", 0.01, clip=1.0, weight_decay=0.1)
    scaled = training.loss_scaled(inner, initial=2.0**10, growth_interval=1)
    model, found = layers.dense(3, bias=False), []
    with jax.enable_x64(False), jax.disable_jit():
        for made in (inner, scaled):
            step = training.train_step(model, fcnn.softmax_cross_entropy, made)
            state = training.create(model, made, (4,), KEY)
            for _ in range(2):
                state, each = step(state, (X.astype(np.float32), Y))
            found.append((state, each))
    (one, loss), (two, same) = found
    assert_equal(two.params, one.params)
    assert_equal(two.opt_state.inner, one.opt_state)
    assert float(loss["loss"]) == float(same["loss"])
    assert float(training.loss_scale(two.opt_state)) == 2.0**12


def test_a_float16_network_trains_with_a_scale_only():
    """The loss is so small that its gradients underflow in float16."""
    half = layers.precision(MLP, compute=jnp.float16)
    loss = lambda z, y: fcnn.softmax_cross_entropy(z, y) * 1e-7
    with jax.enable_x64(False):
        rate = training.optimizer("sgd", 3e6)
        start = training.create(half, rate, (4,), KEY)
        options = {"model": half, "loss": loss, "batch_size": 24, "epochs": 10}
        source = X.astype(np.float32), Y
        plain = fit(source, optimizer=rate, **options)
        scaled = training.optimizer("sgd", 3e6, loss_scale=True)
        run = fit(source, optimizer=scaled, **options)
        full = fit(source, optimizer=rate, **options | {"model": MLP})
    assert_equal(plain.train_state.params["dense1"], start.params["dense1"])
    assert run.stopped == ""
    losses = [p.training["loss"] for p in run.history]
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(losses, [p.training["loss"] for p in full.history], rtol=0.02)


def test_fit_skips_an_overflow_of_the_gradients_and_halves_the_scale():
    """float16 holds at most 65504: a scale of 2^20 overflows, and 2^17 / 8 examples does not."""
    half = layers.precision(MLP, compute=jnp.float16)
    with jax.enable_x64(False):
        made = training.loss_scaled(SGD, initial=2.0**20)
        start = training.create(half, made, (4,), KEY)
        options = {"optimizer": made, "model": half, "start": start, "every": 1}
        first = fit((X.astype(np.float32), Y), **options, epochs=1)
        skipping = fit((X.astype(np.float32), Y), **options, epochs=1, skip_not_finite=True)
    assert first.stopped == ""
    assert int(first.train_state.step) == 3
    scale = float(training.loss_scale(first.train_state.opt_state))
    assert scale < 2.0**20
    assert np.log2(scale) % 1 == 0
    assert_equal(skipping.train_state.params, first.train_state.params)
    assert {p.training["skipped"] for p in skipping.history} == {0}


# Steps that are not finite


def bad_rows(*rows):
    x = X.copy()
    x[[*rows], 1] = np.nan
    return x


@pytest.mark.parametrize("where", [training.on_device, training.from_host])
def test_steps_that_are_not_finite_are_skipped_and_counted(where):
    """The other steps are those of a run that has no such batch."""
    run = fit(where((bad_rows(5), Y)), skip_not_finite=True)
    assert run.stopped == ""
    assert int(run.train_state.step) == 6
    assert [p.training["skipped"] for p in run.history] == [1.0, 1.0]
    step = jax.jit(training.train_step(MLP, fcnn.softmax_cross_entropy, SGD, ACCURACY))
    state = training.create(MLP, SGD, (4,), KEY)
    losses = []
    for i in np.concatenate([indices_of_epoch(state.key, epoch, 24, 8) for epoch in range(2)]):
        if 5 in i:
            state = state._replace(step=state.step + 1)
            continue
        state, found = step(state, (X[i], Y[i]))
        losses.append(found)
    assert_close(run.train_state.params, state.params)
    for chunk, two in zip(run.history, (losses[:2], losses[2:]), strict=True):
        for name in ("loss", "accuracy"):
            mean = np.mean([found[name] for found in two])
            assert chunk.training[name] == pytest.approx(mean, rel=1e-12)


def test_a_run_without_bad_steps_is_the_same(whole):
    run = fit(validation=(X, Y), skip_not_finite=True)
    assert [p.training.pop("skipped") for p in run.history] == [0.0, 0.0]
    assert_close(run.train_state.params, whole.train_state.params)
    for found, expected in zip(results(run), results(whole), strict=True):
        assert_close(found, expected)


def test_a_run_without_bad_steps_has_the_same_bits():
    """Operation by operation: a compiler may contract those of the two programs differently."""
    model = layers.dense(3, bias=False)
    options = {"model": model, "batch_size": 24, "metrics": {}, "epochs": 1}
    with jax.disable_jit():
        one, two = (fit(**options, skip_not_finite=skip) for skip in (False, True))
    assert_equal(one.train_state.params, two.train_state.params)


def test_a_chunk_of_skipped_steps_ends_training_with_the_state_before_it():
    y = RNG.standard_normal(24)
    loss = lambda z, y: (z[:, 0] - y) ** 2
    options = {"loss": loss, "optimizer": optax.sgd(1e200), "metrics": {}, "every": 3}
    run = fit((X, y), skip_not_finite=True, epochs=5, **options)
    assert run.stopped == "not finite"
    assert run.message.startswith("the loss of example")
    assert f"step {int(run.train_state.step) + 1}" in run.message
    assert [p.training["skipped"] for p in run.history] == [2.0]
    assert int(run.train_state.step) == 3


def test_a_gradient_that_is_not_finite_is_skipped_though_the_update_is_finite():
    """The sign of an infinite gradient is 1, but the velocity would stay infinite."""
    loss = lambda z, batch: jnp.sqrt(0 * z[:, 0])
    lion = optax.GradientTransformation(
        lambda params: (), lambda g, state, params: (jax.tree.map(jnp.zeros_like, g), state)
    )
    run = fit({"x": X}, loss=loss, optimizer=lion, metrics={}, skip_not_finite=True)
    assert run.stopped == "not finite"
    assert run.message == "the gradient of dense1/b in step 1 is not finite, at loss 0"
    assert int(run.train_state.step) == 0
