"""fcnn bench models: the networks of fcnn's peers, forward and a train step."""

from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import fcnn
from fcnn import training
from fcnn.bench import timed
from fcnn.cli.bench.bench import Bench, add_dtype, add_names, megabytes, ms, named, rate
from fcnn.peers import JOBS, Job, draw
from fcnn.peers.in_fcnn import build
from fcnn.peers.jobs import RATE, batches

PASSES = 3  # multiply-adds of a train step over the forward pass's: dx and dw cost as much each


class Row(NamedTuple):
    network: str
    batch: int
    parameters: int
    flop: float  # of the train step, counted from shapes
    first: float  # seconds of the first train step, compilation included
    forward: list[float]  # seconds
    step: list[float]
    temporary: int  # bytes that the step holds besides arguments and outcome


def _options(tool):
    add_names(tool, "NETWORK", (job.name for job in JOBS))
    add_dtype(tool)


def _measure(job: Job, chosen) -> Row:
    model, optimizer = build(job.network), optax.adam(RATE)
    to = lambda a: a.astype(chosen.dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a
    x, y = jax.tree.map(lambda a: to(jnp.asarray(a)), batches(job, *draw(job, seed=0))[0])
    now = training.create(model, optimizer, job.shape, jax.random.key(0))
    now = now._replace(params=jax.tree.map(to, now.params), state=jax.tree.map(to, now.state))
    now = now._replace(opt_state=optimizer.init(now.params))
    step = training.train_step(model, fcnn.softmax_cross_entropy, optimizer)
    start = perf_counter()
    jax.block_until_ready(jax.jit(step)(now, (x, y)))
    first = perf_counter() - start
    forward = lambda params, state, x: model.apply(params, state, x, train=False)[0]
    programs = {"forward": (forward, (now.params, now.state, x)), "step": (step, (now, (x, y)))}
    times = timed(programs, rounds=chosen.rounds)
    cost = fcnn.summary(model, job.shape)
    return Row(
        job.name,
        job.batch,
        cost.parameters,
        2.0 * PASSES * job.batch * cost.multiply_adds,
        first,
        times["forward"].times,
        times["step"].times,
        times["step"].temporary_bytes,
    )


def _cells(row, top):
    first, each = f"{row.first:.1f}", (ms(row.forward), ms(row.step))
    work = (*rate(row.flop, row.step, top), megabytes(row.temporary))
    return (f"{row.network}, batch {row.batch}", f"{row.parameters:,}", first, *each, *work)


BENCH = Bench(
    "models",
    help="networks: compilation, forward, a train step",
    description="Time fcnn's networks: the first train step, which compiles, the forward pass, and "
    "train steps (forward, backward, Adam). FLOP are counted from shapes, a step's as three "
    "forward passes; the peak is a matrix product's, measured in the same run.",
    packages=("optax",),
    options=_options,
    choose=lambda chosen: named(JOBS, chosen),
    measure=_measure,
    row=Row,
    head=lambda _: (
        "network",
        "parameters",
        "first step s",
        "forward ms (min)",
        "train step ms (min)",
        "GFLOP/s",
        "% of peak",
        "MB held",
    ),
    cells=_cells,
)
