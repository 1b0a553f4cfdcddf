"""The jobs of `experiments.speed` in every library: networks have equal sizes, and losses fall."""

import sys

import jax
import pytest

from experiments.speed.interleave import interleave
from experiments.speed.libraries import LIBRARIES, load
from experiments.speed.step import size
from fcnn.bench import times_faster
from fcnn.cli.bench.jobs import (
    JOBS,
    Cnn,
    Job,
    Lstm,
    Mlp,
    MobileNet,
    ResNet,
    Transformer,
    build,
    draw,
)
from fcnn.layers import shapes

PEERS = [name for name in LIBRARIES if name != "fcnn"]
TINY = [
    Job("cnn", "", 4, (8, 8, 1), Cnn((4, 8), (16,), classes=5)),
    Job("cnn-batch-norm", "", 4, (8, 8, 1), Cnn((4, 8), (), classes=5, batch_norm=True)),
    Job("resnet", "", 4, (8, 8, 1), ResNet(5, (4, 8), 1)),
    Job("mobilenet", "", 4, (8, 8, 1), MobileNet(5, 4, ((4, 1), (8, 2)))),
    Job("mlp", "", 4, (6,), Mlp((16,), classes=5), steps=2),
    Job("lstm", "", 4, (3, 6), Lstm(8, classes=5)),
    Job("transformer", "", 4, (8,), Transformer(5, depth=1, width=8, heads=2, mlp_width=32)),
]
LEARN = [(name, job) for name in LIBRARIES for job in TINY]
LEARN.remove(("fcnn", TINY[2]))  # slow: fcnn.models has only published sizes of ResNet


@pytest.fixture(autouse=True)
def as_users_run_it():
    """Use float32, and the default promotion of JAX, which other libraries need."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
@pytest.mark.parametrize("name", PEERS)
def test_the_network_has_the_number_of_parameters_of_fcnn(name, job):
    """To save time, the batch is one example, and images are 16 x 16."""
    shape = job.shape if len(job.shape) < 3 else (16, 16, job.shape[2])
    job = job._replace(batch=1, shape=shape, steps=1)
    params, _, _ = shapes(build(job.network), job.shape)
    # torch.nn.LSTM has a second bias:
    second = 4 * job.network.hidden if (name, job.name) == ("torch", "lstm") else 0
    found = load(name).prepare(job, *draw(job, seed=0), seed=0).parameters
    assert found == size(params) + second


@pytest.mark.parametrize(("name", "job"), LEARN, ids=[f"{name} {job.name}" for name, job in LEARN])
def test_the_loss_falls(name, job):
    run = load(name).prepare(job, *draw(job, seed=0), seed=0).run
    before = run(job.steps)
    assert run(100 * job.steps) < 0.95 * before


def test_interleave_times_every_library():
    job, names = TINY[4], ["fcnn", "flax", "torch"]
    prepared = {name: load(name).prepare(job, *draw(job, seed=0), seed=0) for name in names}
    assert {each.parameters for each in prepared.values()} == {6 * 16 + 16 + 16 * 5 + 5}
    timings = interleave(prepared, job.steps, rounds=3)
    assert [*timings] == names
    for timing in timings.values():
        assert len(timing.times) == 3
        assert 0 < timing.seconds < 1
    assert timings["fcnn"].first > timings["fcnn"].seconds  # the first run compiles
    assert times_faster(timings["fcnn"].times, timings["fcnn"].times) == 1


def test_an_unknown_library_is_an_error():
    with pytest.raises(ValueError, match="unknown library 'mxnet'; expected one of fcnn, flax"):
        load("mxnet")


def test_a_missing_library_has_a_command_that_installs_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "experiments.speed.in_flax", raising=False)
    monkeypatch.setitem(sys.modules, "flax.linen", None)
    with pytest.raises(ImportError, match=r"needs the module flax.linen; pip install .*\[peers\]'"):
        load("flax")
