"""Models: layers, sizes, train steps, and a ladder whose rungs have equal sizes."""

import sys
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import fcnn
from fcnn import models, training


def test_mlp_is_dense_relu_dense():
    table = fcnn.summary(models.mlp((128, 64)), (28, 28, 1))
    assert [row.path for row in table.rows] == [
        "flatten1",
        "dense1",
        "relu1",
        "dense2",
        "relu2",
        "dense3",
    ]
    assert table.parameters == 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10


def test_each_stage_of_cnn_halves_the_image():
    table = fcnn.summary(models.cnn((32, 64, 128), (512,)), (28, 28, 1))
    pooled = [row.output for row in table.rows if "max_pool" in row.path]
    assert pooled == [(14, 14, 32), (7, 7, 64), (3, 3, 128)]
    assert table.parameters == 320 + 18496 + 73856 + (1152 * 512 + 512) + 5130
    assert any("dropout" in row.path for row in table.rows)
    assert not any(
        "dropout" in r.path for r in fcnn.summary(models.cnn(dropout=0), (28, 28, 1)).rows
    )


ladder = cache(models.ladder)


@pytest.mark.parametrize("shape", [(12, 12, 1), (28, 28, 1), (32, 32, 3), (9, 11, 2)])
def test_rungs_are_of_equal_size(shape):
    sizes = {name: fcnn.summary(m, shape).parameters for name, m in ladder(shape).items()}
    assert tuple(sizes) == models.RUNGS
    assert all(abs(size / sizes["conv3"] - 1) < 0.05 for size in sizes.values()), sizes


def test_each_rung_has_one_more_convolutional_stage():
    rungs = ladder((12, 12, 1)).values()
    kinds = [
        [r.path.rstrip("0123456789") for r in fcnn.summary(m, (12, 12, 1)).rows] for m in rungs
    ]
    assert [k.count("conv") for k in kinds] == [0, 1, 2, 3, 3]
    assert [k.count("dense") for k in kinds] == [4, 3, 2, 1, 1]
    assert ["global_avg_pool" in k for k in kinds] == [False] * 4 + [True]


def test_every_rung_gives_different_images_different_logits(key):
    @jax.jit
    def run(x):
        for name, model in models.ladder((8, 8, 1), classes=3, width=4).items():
            params, state = model.init(key, (8, 8, 1))
            logits[name] = model.apply(params, state, x)[0]
        return logits

    logits = {}
    for y in run(jax.random.normal(key, (2, 8, 8, 1))).values():
        assert y.shape == (2, 3)
        assert jnp.isfinite(y).all()
        assert not jnp.array_equal(*y)


@pytest.mark.parametrize("shape", [(3, 8, 1), (8, 8), (64,)])
def test_ladder_rejects_images_that_cannot_be_pooled_twice(shape):
    with pytest.raises(ValueError, match=r"image shape \(.*\) must be \(h, w, c\) of at least 4×4"):
        models.ladder(shape)


def test_ladder_rejects_a_budget_too_small_for_a_dense_stage():
    with pytest.raises(ValueError, match=r"'dense' has at least [\d,]+ parameters, more than the"):
        models.ladder((200, 200, 3), width=1)


@pytest.mark.parametrize(
    ("model", "shape", "published"),
    [
        (models.resnet(18), (32, 32, 3), 11_173_962),
        (models.resnet(50, 1000, small=False), (224, 224, 3), 25_557_032),
        (models.lstm(128, 10), (64, 128), 4 * 128 * (128 + 128 + 1) + 128 * 10 + 10),
    ],
)
def test_the_number_of_parameters_equals_the_published_number(model, shape, published):
    assert fcnn.summary(model, shape).parameters == published


def test_resnet_rejects_an_unknown_depth():
    with pytest.raises(
        ValueError, match=r"unknown depth 20; expected one of \(18, 34, 50, 101, 152\)"
    ):
        models.resnet(20)


TRAINED = {
    "mlp": (models.mlp((8,)), (4, 4, 1)),
    "cnn": (models.cnn((4, 8), (), batch_norm=True, gap=True), (8, 8, 1)),
    "resnet": (models.resnet(18), (8, 8, 1)),
    "mobilenet": (models.mobilenet(stem=4, blocks=((8, 2), (8, 1))), (8, 8, 1)),
    "lstm": (models.lstm(8), (5, 3)),
    "transformer": (models.transformer(10, depth=2, width=16, heads=2), (6,)),
    "encoder": (models.transformer(10, classes=3, depth=2, width=16, heads=4, groups=2), (6,)),
}


def batch_of_four(model, shape):
    """Examples and labels. The label of each token of a decoder is the token itself."""
    rng, out = np.random.default_rng(0), fcnn.layers.shapes(model, shape)[2].shape
    x, y = rng.standard_normal((4, *shape)), rng.integers(0, out[-1], (4, *out[:-1]))
    if model.input_dtype is int:
        x = rng.integers(0, 10, (4, *shape))
    return (x, y) if x.shape != y.shape else (x, x)


def learns(model, shape, key):
    """Whether ten train steps on four examples lower the loss. One program runs all steps."""
    x, y = batch_of_four(model, shape)
    loss = lambda logits, y: fcnn.softmax_cross_entropy(logits, y).mean(range(1, y.ndim))
    optimizer = optax.sgd(0.05, momentum=0.9)
    indices = np.tile(np.arange(4, dtype=np.int32), (10, 1))
    step = training.train_step(model, loss, optimizer)

    @jax.jit
    def run(key, x, y):
        start = training.create(model, optimizer, shape, key)
        return training.scan_steps(step, start, (x, y), indices)[1]["loss"]

    losses = run(key, x, y)
    return losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", [n for n in TRAINED if n != "resnet"])
def test_a_few_steps_lower_the_loss(name, key):
    assert learns(*TRAINED[name], key)


@pytest.fixture
def narrow(monkeypatch):
    """Give resnet(18) two narrow stages with every kind of block: widening, strided, repeated."""
    monkeypatch.setattr(sys.modules["fcnn.models.resnet"], "WIDTHS", (8, 16))
    monkeypatch.setattr(sys.modules["fcnn.models.resnet"], "BLOCKS", {18: ((2, 3), False)})
    monkeypatch.setitem(TRAINED, "resnet", (models.resnet(18), (8, 8, 1)))


def test_a_few_steps_lower_the_loss_of_a_narrow_residual_network(key, narrow):
    assert learns(*TRAINED["resnet"], key)


@pytest.mark.all("10 s, mostly compiling; the first tier trains a narrow resnet of the same blocks")
def test_a_few_steps_lower_the_loss_of_resnet_18(key):
    assert learns(*TRAINED["resnet"], key)


def step_and_its_arguments(name):
    """A train step of a model, the function that makes its first state, and a batch."""
    model, shape = TRAINED[name]
    loss = lambda logits, y: fcnn.softmax_cross_entropy(logits, y).mean(range(1, y.ndim))
    optimizer = optax.sgd(0.05, momentum=0.9)
    create = lambda: training.create(model, optimizer, shape, jax.random.key(0))
    return training.train_step(model, loss, optimizer), create, batch_of_four(model, shape)


def shardings(start, batch, kind):
    """Shard examples over one axis of the mesh, and features of weights over the other axis."""
    mesh = jax.make_mesh((2, 2), ("examples", "features"), axis_types=(kind,) * 2)
    over = lambda *axes: NamedSharding(mesh, PartitionSpec(*axes))
    features = lambda a: (*(None,) * (a.ndim - 1), "features")
    weight = lambda a: over(*features(a)) if a.ndim and a.shape[-1] % 2 == 0 else over()
    return jax.tree.map(weight, start), jax.tree.map(lambda _: over("examples"), batch)


def keeps_its_sharding(name):
    step, create, batch = step_and_its_arguments(name)
    args = jax.eval_shape(create), batch
    placed = lambda a, s: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=s)
    start, batch = jax.tree.map(placed, args, shardings(*args, AxisType.Explicit))
    after, _ = jax.eval_shape(step, start, batch)
    same = jax.tree.map(lambda a, b: jax.typeof(a) == jax.typeof(b), start, after)
    return all(jax.tree.leaves(same))


@pytest.mark.parametrize("name", [n for n in TRAINED if n != "resnet"])
def test_a_train_step_keeps_the_sharding_of_its_state(name):
    assert keeps_its_sharding(name)


@pytest.mark.all("20 s in all; the first tier checks the sharding of every operator in both modes")
@pytest.mark.parametrize("name", TRAINED)
def test_a_train_step_under_autodiff_keeps_the_sharding_of_its_state(name):
    with fcnn.gradients("autodiff"):
        assert keeps_its_sharding(name)


@pytest.mark.all("5 s each in XLA's partitioner; the first tier checks the shardings in the types")
@pytest.mark.parametrize("name", TRAINED)
def test_a_train_step_on_a_mesh_equals_the_train_step_on_one_device(name, narrow):
    step, create, batch = step_and_its_arguments(name)
    args = jax.jit(create)(), batch
    expected, _ = jax.jit(step)(*args)
    for kind in (AxisType.Explicit, AxisType.Auto):
        sharded, _ = jax.jit(step)(*jax.device_put(args, shardings(*args, kind)))
        for a, b in zip(*map(jax.tree.leaves, (expected.params, sharded.params)), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_the_program_of_a_deeper_resnet_has_about_the_same_size(key):
    def size(depth):
        model, shape = models.resnet(depth), (8, 8, 3)
        run = lambda key, x: model.apply(*model.init(key, shape), x, train=True)
        return len(str(jax.jit(run).trace(key, np.ones((2, *shape))).jaxpr))

    assert size(152) < 1.1 * size(50)
