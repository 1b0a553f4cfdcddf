"""Whole networks: what they are made of, and that the rungs of the ladder are of equal size."""

import jax
import jax.numpy as jnp
import optax
import pytest

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


def test_cnn_halves_the_image_stage_by_stage():
    table = fcnn.summary(models.cnn((32, 64, 128), (512,)), (28, 28, 1))
    pooled = [row.output for row in table.rows if "max_pool" in row.path]
    assert pooled == [(14, 14, 32), (7, 7, 64), (3, 3, 128)]
    assert table.parameters == 320 + 18496 + 73856 + (1152 * 512 + 512) + 5130
    assert any("dropout" in row.path for row in table.rows)
    assert not any(
        "dropout" in r.path for r in fcnn.summary(models.cnn(dropout=0), (28, 28, 1)).rows
    )


@pytest.mark.parametrize("shape", [(12, 12, 1), (28, 28, 1), (32, 32, 3), (9, 11, 2)])
def test_rungs_are_of_equal_size(shape):
    sizes = {name: fcnn.summary(m, shape).parameters for name, m in models.ladder(shape).items()}
    assert tuple(sizes) == models.RUNGS
    assert all(abs(size / sizes["conv3"] - 1) < 0.05 for size in sizes.values()), sizes


def test_each_rung_turns_one_more_stage_convolutional():
    rungs = models.ladder((12, 12, 1)).values()
    kinds = [
        [r.path.rstrip("0123456789") for r in fcnn.summary(m, (12, 12, 1)).rows] for m in rungs
    ]
    assert [k.count("conv") for k in kinds] == [0, 1, 2, 3, 3]
    assert [k.count("dense") for k in kinds] == [4, 3, 2, 1, 1]
    assert ["global_avg_pool" in k for k in kinds] == [False] * 4 + [True]


def test_every_rung_tells_images_apart(key):
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
def test_ladder_refuses_what_cannot_be_pooled_twice(shape):
    with pytest.raises(ValueError, match=r"images \(.*\) must be \(h, w, c\) of at least 4×4"):
        models.ladder(shape)


def test_ladder_refuses_a_budget_too_small_for_a_dense_stage():
    with pytest.raises(ValueError, match="leave 'dense' no room within"):
        models.ladder((200, 200, 3), width=1)


@pytest.mark.parametrize(
    ("model", "shape", "published"),
    [
        (models.resnet(18), (32, 32, 3), 11_173_962),
        (models.resnet(50, 1000, small=False), (224, 224, 3), 25_557_032),
        (models.lstm(128, 10), (64, 128), 4 * 128 * (128 + 128 + 1) + 128 * 10 + 10),
    ],
)
def test_the_number_of_parameters_is_the_published_one(model, shape, published):
    assert fcnn.summary(model, shape).parameters == published


def test_an_unknown_depth_is_refused():
    with pytest.raises(ValueError, match=r"depth 20 is none of \(18, 34, 50, 101, 152\)"):
        models.resnet(20)


TRAINED = {
    "mlp": (models.mlp((8,)), (4, 4, 1)),
    "cnn": (models.cnn((4, 8), (), batch_norm=True, gap=True), (8, 8, 1)),
    "resnet": (models.resnet(18), (8, 8, 1)),
    "mobilenet": (models.mobilenet(stem=4, blocks=((8, 2), (8, 1))), (8, 8, 1)),
    "lstm": (models.lstm(8), (5, 3)),
    "transformer": (models.transformer(10, depth=2, width=16, heads=2), (6,)),
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_few_steps_lower_the_loss(name, key):
    model, shape = TRAINED[name]
    x = jax.random.normal(key, (4, *shape))
    y = jax.random.randint(key, (4,), 0, 10)
    if name == "transformer":  # tokens in, and the token after each
        x = y = jax.random.randint(key, (4, *shape), 0, 10)
    loss = lambda logits, y: fcnn.softmax_cross_entropy(logits, y).mean(range(1, y.ndim))
    optimizer = optax.sgd(0.05, momentum=0.9)
    start = training.create(model, optimizer, shape, key)
    rows = jnp.tile(jnp.arange(4, dtype=jnp.int32), (10, 1))
    step = training.train_step(model, loss, optimizer)
    _, metrics = jax.jit(lambda now: training.steps(step, now, (x, y), rows))(start)
    assert metrics.loss[-1] < 0.9 * metrics.loss[0]


@pytest.mark.parametrize("name", TRAINED)
def test_one_program_serves_every_platform(name):
    model, shape = TRAINED[name]
    params, state, _ = fcnn.layers.shapes(model, shape)
    x = jax.ShapeDtypeStruct((2, *shape), model.takes)
    loss = lambda params, state, x: model.apply(params, state, x, train=True)[0].sum()
    platforms = ("cpu", "cuda", "tpu")
    exported = jax.export.export(jax.jit(jax.grad(loss)), platforms=platforms)(params, state, x)
    assert exported.platforms == platforms
    shape_of = lambda a: (a.shape, a.dtype)
    assert [*map(shape_of, exported.out_avals)] == [*map(shape_of, jax.tree.leaves(params))]


def test_a_deep_network_is_no_longer_a_program_than_a_shorter_one():
    def size(depth):
        model, shape = models.resnet(depth), (8, 8, 3)
        params, state, _ = fcnn.layers.shapes(model, shape)
        x = jax.ShapeDtypeStruct((2, *shape), float)
        run = lambda params, state, x: model.apply(params, state, x, train=True)
        return len(jax.jit(run).lower(params, state, x).as_text())

    assert size(152) < 1.1 * size(50)
