"""A model exported once runs on every platform, with any number of examples."""

import jax
import numpy as np
import optax
import pytest
from test_models import TRAINED, narrow as narrow

import fcnn
from fcnn import models, training

PLATFORMS = ("cpu", "cuda", "tpu")
EXPORTED = TRAINED | {"hybrid": (models.hybrid(2, 4, 8, 10), (8, 8, 1))}
(N,) = jax.export.symbolic_shape("n")


def exported(f, *types):
    return jax.export.export(jax.jit(f), platforms=PLATFORMS)(*types)


def types_of(model, shape):
    """The types of params, of state, and of a batch of N examples, where N is symbolic."""
    params, state, _ = fcnn.layers.shapes(model, shape)
    return params, state, jax.ShapeDtypeStruct((N, *shape), model.input_dtype)


def drawn(model, *dims):
    rng = np.random.default_rng(0)
    return rng.integers(0, 10, dims) if model.input_dtype is int else rng.random(dims)


def predicts_alike(model, shape, sizes):
    """Assert that one exported program equals the model for every number of examples."""
    rng, types = np.random.default_rng(0), types_of(model, shape)
    params, state = jax.tree.map(lambda a: rng.uniform(0.1, 0.2, a.shape), types[:2])
    predict = lambda params, state, x: model.apply(params, state, x)[0]
    loaded = exported(predict, *types).call

    @jax.jit
    def run(params, state, batches):
        return [(loaded(params, state, x), predict(params, state, x)) for x in batches]

    for a, b in run(params, state, [drawn(model, n, *shape) for n in sizes]):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_every_model_is_exported():
    assert set(models.__all__) - {"RUNGS", "ladder"} == set(EXPORTED) - {"encoder"}


@pytest.mark.parametrize("name", TRAINED)
def test_one_exported_gradient_is_for_every_platform_and_batch_size(name, narrow):
    model, shape = TRAINED[name]
    params, state, x = types_of(model, shape)
    loss = lambda params, state, x: model.apply(params, state, x, train=True)[0].sum()
    program = exported(jax.grad(loss), params, state, x)
    assert program.platforms == PLATFORMS
    shape_of = lambda a: (a.shape, a.dtype)
    assert [*map(shape_of, program.out_avals)] == [*map(shape_of, jax.tree.leaves(params))]


@pytest.mark.parametrize("name", [n for n in TRAINED if n != "resnet"])
def test_a_loaded_model_predicts_for_another_number_of_examples(name):
    predicts_alike(*TRAINED[name], sizes=(3,))


@pytest.fixture
def small(narrow):
    """Models by name, with a narrow residual network."""
    return EXPORTED | {"resnet": TRAINED["resnet"]}


@pytest.mark.all("2 to 8 s per model, mostly compiling; the first tier tests 3 examples only")
@pytest.mark.parametrize("name", EXPORTED)
def test_a_loaded_model_predicts_for_any_number_of_examples(name, small):
    predicts_alike(*small[name], sizes=(1, 7, 64))


@pytest.mark.all("2 to 8 s per model, mostly compiling; the first tier exports gradients")
@pytest.mark.parametrize("name", EXPORTED)
def test_a_loaded_train_step_takes_another_number_of_examples(name, small, key):
    model, shape = small[name]
    loss = lambda logits, y: fcnn.softmax_cross_entropy(logits, y).mean(range(1, y.ndim))
    optimizer = optax.sgd(0.05, momentum=0.9)
    step = training.train_step(model, loss, optimizer)
    start = jax.jit(lambda key: training.create(model, optimizer, shape, key))(key)
    classes = fcnn.layers.shapes(model, shape)[2].shape
    y = jax.ShapeDtypeStruct((N, *classes[:-1]), int)
    loaded = exported(step, start, (types_of(model, shape)[2], y)).call

    @jax.jit
    def run(start, batch):
        results = loaded(start, batch), step(start, batch)
        return [jax.tree.leaves((new.params, new.state, metrics)) for new, metrics in results]

    labels = np.random.default_rng(0).integers(0, classes[-1], (7, *classes[:-1]))
    for a, b in zip(*run(start, (drawn(model, 7, *shape), labels)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))


@pytest.mark.all("flatbuffers and JAX save the program; the first tier calls it without saving")
def test_a_saved_program_is_loaded():
    model, shape = TRAINED["mlp"]
    types = types_of(model, shape)
    params = jax.tree.map(lambda a: np.ones(a.shape), types[0])
    predict = lambda params, state, x: model.apply(params, state, x)[0]
    loaded = jax.export.deserialize(exported(predict, *types).serialize()).call
    for n in (1, 7, 64):
        x = drawn(model, n, *shape)
        np.testing.assert_allclose(loaded(params, {}, x), predict(params, {}, x), rtol=1e-12)


def test_a_masked_model_and_a_decoder_are_exported_for_any_number_of_examples():
    """One program with lengths, and one that continues a decoding cache."""
    encoder, shape = TRAINED["encoder"]
    params, state, x = types_of(encoder, shape)
    lengths = jax.ShapeDtypeStruct((N,), int)
    masked = lambda params, x, lengths: encoder.apply(params, state, x, lengths=lengths)[0]
    assert str(exported(masked, params, x, lengths).out_avals[0].shape) == "(n, 3)"
    decoder, shape = TRAINED["transformer"]
    params, state, x = types_of(decoder, shape)
    two, three = (decoder.init_cache(state, shape, batch_size=n, length=8) for n in (2, 3))
    symbolic = lambda a, b: (N if i != j else i for i, j in zip(a.shape, b.shape, strict=True))
    type_of = lambda a, b: jax.ShapeDtypeStruct((*symbolic(a, b),), a.dtype)
    cache = jax.tree.map(type_of, two, three)
    program = exported(decoder.apply, params, cache, x)
    assert {str(a.shape) for a in program.out_avals} >= {"(n, 6, 10)", "(2, n, 8, 2, 8)"}
