"""A small experiment that behaves as `--mode` states. `python toy.py [options]` runs it."""

import sys
import time
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from experiments.framework.claim import Claim, NotJudged, Pairs
from experiments.framework.experiment import Experiment, Part
from experiments.framework.options import Seeded
from experiments.framework.runner import main
from experiments.framework.table import Table

Mode = Literal[
    "held",
    "failed",
    "undecided",
    "nan",
    "one device",
    "diverges",
    "raises",
    "compiles",
    "slow",
    "some",
    "other names",
    "an array",
    "trains",
]
CALLS = []  # names of measured parts


@dataclass(frozen=True)
class Config(Seeded):
    mode: Mode = "held"
    figure: bool = False
    """Draw a figure that fails."""
    big: int = 0
    """Bytes of an additional file."""
    rate: float = 1.0


def parts(config, prepared):
    return [Part(f"{net}, seed {s}", (net, s)) for s in range(config.seeds) for net in ("a", "b")]


def measure(config, prepared, todo, log):
    for i, part in enumerate(todo):
        net, seed = part.payload
        if config.mode == "compiles" and i == 1:
            lowered = jax.jit(unrolled).lower(jnp.ones((4, 4)))
            log.note("compiling for long …")
            lowered.compile()
        if config.mode == "slow" and i >= 1:
            for step in range(600):
                log.show(f"step {step}", step / 600)
                time.sleep(0.05)
        if config.mode == "diverges" and i == 2:
            raise FloatingPointError("the loss of b is nan; lower --rate")
        if config.mode == "raises" and i == 2:
            raise RuntimeError("no memory\nis left")
        if config.mode == "trains" and i >= 1:
            print("training", flush=True)
            time.sleep(5)  # like fit, it returns what it has after a signal
        if config.mode == "some" and i == 2:
            return
        if config.mode == "other names":
            yield "another", {}
        if config.mode == "an array":
            yield part.name, {"value": jnp.ones(2)}
        CALLS.append(part.name)
        gain = {"failed": -1, "undecided": 0}.get(config.mode, 1)
        value = gain * (net == "a") + seed % 2 * (0.01 if net == "a" else 0.02)
        yield part.name, {"net": net, "value": float("nan") if config.mode == "nan" else value}


def unrolled(x):
    """A program that XLA compiles for many seconds, in one call."""
    for i in range(6000):
        x = jnp.sin(x @ x + i)
    return x


def evidence(finished):
    of = lambda net: [r["value"] for r in finished.values() if r["net"] == net]
    return [NotJudged("one device")] if MODE == "one device" else [Pairs(of("a"), of("b"))]


def figure(axes, finished):
    if SHOWN:
        raise RuntimeError("no axes")


MODE, SHOWN, BIG = "held", False, 0


def prepare(config):
    global MODE, SHOWN, BIG
    MODE, SHOWN, BIG = config.mode, config.figure, config.big
    return config, None


TOY = Experiment(
    name="toy",
    title="A toy",
    claims=(Claim("a exceeds b", "value, a − b", "greater"),),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=lambda f: [Table(("part", "value"), [(k, f"{r['value']:.2f}") for k, r in f.items()])],
    files=lambda finished: {"big.txt": "x" * BIG} if BIG else {},
    figures={"wrong": figure},
    data=lambda prepared: "no data",
)

if __name__ == "__main__":
    sys.exit(main(TOY, sys.argv[1:]))
