"""The jobs in every library: the same networks, and they learn."""

import sys

import jax
import pytest

from fcnn.layers import shapes
from fcnn.peers import JOBS, LIBRARIES, Job, draw, load
from fcnn.peers.in_fcnn import build
from fcnn.peers.jobs import Cnn, Lstm, Mlp, MobileNet, ResNet, Transformer
from fcnn.peers.race import race
from fcnn.peers.stepping import size

PEERS = [name for name in LIBRARIES if name != "fcnn"]
TINY = [
    Job("cnn", 4, (8, 8, 1), Cnn((4, 8), (16,), classes=5)),
    Job("cnn batch norm", 4, (8, 8, 1), Cnn((4, 8), (), classes=5, batch_norm=True)),
    Job("resnet", 4, (8, 8, 1), ResNet(5, (4, 8), 1)),
    Job("mobilenet", 4, (8, 8, 1), MobileNet(5, 4, ((4, 1), (8, 2)))),
    Job("mlp", 4, (6,), Mlp((16,), classes=5), steps=2),
    Job("lstm", 4, (3, 6), Lstm(8, classes=5)),
    Job("transformer", 4, (8,), Transformer(5, depth=1, width=8, heads=2, wide=32)),
]
LEARN = [(name, job) for name in LIBRARIES for job in TINY]
LEARN.remove(("fcnn", TINY[2]))  # fcnn.models has a ResNet in its published sizes alone: slow


@pytest.fixture(autouse=True)
def as_users_run_it():
    """Float32, and promotion as it comes: peers are not written for less."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
@pytest.mark.parametrize("name", PEERS)
def test_the_network_is_the_same(name, job):
    """To the number of its parameters, on fewer and smaller examples."""
    shape = job.shape if len(job.shape) < 3 else (16, 16, job.shape[2])
    job = job._replace(batch=1, shape=shape, steps=1)
    params, _, _ = shapes(build(job.network), job.shape)
    second = 4 * job.network.hidden if (name, job.name) == ("torch", "lstm") else 0  # biases
    found = load(name).prepare(job, *draw(job, seed=0), seed=0).parameters
    assert found == size(params) + second


@pytest.mark.parametrize(("name", "job"), LEARN, ids=[f"{name} {job.name}" for name, job in LEARN])
def test_the_loss_falls(name, job):
    run = load(name).prepare(job, *draw(job, seed=0), seed=0).run
    before = run(job.steps)
    assert run(100 * job.steps) < 0.95 * before


def test_a_race_times_every_library():
    laps = race(TINY[4], ["fcnn", "flax", "torch"], rounds=3)
    assert {lap.parameters for lap in laps.values()} == {6 * 16 + 16 + 16 * 5 + 5}
    for lap in laps.values():
        assert len(lap.steps) == 3
        assert 0 < lap.seconds < 1
    assert laps["fcnn"].first > laps["fcnn"].seconds  # it compiled
    assert laps["fcnn"].times_faster(laps["fcnn"]) == 1


def test_another_library_is_refused():
    with pytest.raises(ValueError, match="peers: 'mxnet' is none of fcnn, flax"):
        load("mxnet")


def test_a_missing_library_says_how_to_get_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "fcnn.peers.in_flax", raising=False)
    monkeypatch.setitem(sys.modules, "flax.linen", None)
    with pytest.raises(ImportError, match=r"no module flax.linen; pip install 'fcnn\[peers\]'"):
        load("flax")
