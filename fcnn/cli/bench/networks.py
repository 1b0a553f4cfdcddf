"""fcnn bench models: the forward pass and the train step of networks."""

from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import fcnn
from fcnn import training
from fcnn.bench import timed
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, megabytes, ms_min, named, rate
from fcnn.cli.bench.jobs import JOBS, LEARNING_RATE, Job, batches, build, draw

PASSES = 3  # passes of a train step: forward, dx and dw, which have equal FLOP


class Row(NamedTuple):
    name: str
    title: str
    batch: int
    parameters: int
    flop: float  # of the train step, counted from shapes
    first: float  # seconds of the first train step, compilation included
    forward: list[float]  # seconds
    step: list[float]
    temporary: int  # bytes that the step allocates besides arguments and outputs


def _options(tool):
    add_names(tool, "model", JOBS)
    add_dtype(tool)


def _measure(job: Job, chosen) -> Row:
    model, optimizer = build(job.network), optax.adam(LEARNING_RATE)
    to = lambda a: a.astype(chosen.dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a
    x, y = jax.tree.map(lambda a: to(jnp.asarray(a)), batches(job, *draw(job, seed=0))[0])
    created = training.create(model, optimizer, job.shape, jax.random.key(0))
    params, state = jax.tree.map(to, (created.params, created.state))
    opt_state = optimizer.init(params)
    train_state = created._replace(params=params, state=state, opt_state=opt_state)
    step = training.train_step(model, fcnn.softmax_cross_entropy, optimizer)
    start = perf_counter()
    jax.block_until_ready(jax.jit(step)(train_state, (x, y)))
    first = perf_counter() - start
    forward = lambda params, state, x: model.apply(params, state, x, train=False)[0]
    programs = {"forward": (forward, (params, state, x)), "step": (step, (train_state, (x, y)))}
    timings = timed(programs, rounds=chosen.rounds)
    cost = fcnn.summary(model, job.shape)
    return Row(
        job.name,
        job.title,
        job.batch,
        cost.parameters,
        2.0 * PASSES * job.batch * cost.multiply_adds,
        first,
        timings["forward"].times,
        timings["step"].times,
        timings["step"].temporary_bytes,
    )


def _cells(row, top):
    what = (row.name, row.title, f"{row.batch}", f"{row.parameters:,}")
    times = (f"{row.first:.1f}", ms_min(row.forward), ms_min(row.step))
    return (*what, *times, *rate(row.flop, row.step, top), megabytes(row.temporary))


BENCH = Bench(
    "fcnn bench models",
    help="networks: compilation, forward pass, train step",
    description="Time fcnn's networks: the first train step, with compilation; the forward pass; "
    "train steps (forward, backward, Adam). FLOP are counted from shapes; a train step counts as "
    "three forward passes. The peak is the rate of a matrix product, measured in the same run. "
    "The memory column is what a train step allocates besides its arguments and outputs.",
    packages=("optax",),
    options=_options,
    choose=lambda chosen: named(JOBS, chosen.names, "model"),
    measure=_measure,
    row=Row,
    head=lambda _: (
        "name",
        "network",
        "batch",
        "parameters",
        "first step s",
        "forward ms (min)",
        "train step ms (min)",
        "GFLOP/s",
        "% of peak",
        "memory MB",
    ),
    cells=_cells,
)
