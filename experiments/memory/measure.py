"""Training of each kind of network on each task, at each length, and gradients through time."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Any

import numpy as np
import optax

import fcnn
from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.options import Seeded, default_shown
from experiments.framework.trained import STEPS, Trials
from experiments.framework.tuned import RATES as USUAL
from experiments.memory.gradients import through_time
from experiments.memory.networks import KINDS, network, units_of
from experiments.memory.order import equivariant
from experiments.memory.tasks import GRADIENT_LENGTHS, LENGTHS, TASKS, Task
from fcnn.data import Images

ORDER = "order"
RATES = (*USUAL, 6e-2, 2e-1)
BATCH, CLIP = 32, 1.0
USUAL_STEPS, FULL_STEPS = 400, 1600
VALIDATION, TEST = 500, 1000  # examples
SMOKE = 5  # the only length with --smoke


@dataclass(frozen=True)
class Config(Seeded):
    full: bool = False
    """A longer run, with four times as many training steps."""

    steps: Annotated[
        int | None, default_shown(f"{USUAL_STEPS}; {FULL_STEPS} with --full", "INT")
    ] = None
    """Training steps of each network, a multiple of 25."""


def prepare(config: Config) -> tuple[Config, None]:
    default = STEPS if config.smoke else FULL_STEPS if config.full else USUAL_STEPS
    steps = default if config.steps is None else config.steps
    if steps < STEPS or steps % STEPS:
        better = max(1, round(steps / STEPS)) * STEPS
        what = f"--steps {steps} must be a positive multiple of {STEPS}"
        raise ValueError(f"{what}; write --steps {better}")
    return replace(config, steps=steps), None


def parts(config: Config, prepared: None) -> list[Part]:
    pairs = product(TASKS, ("LSTM",) if config.smoke else KINDS)
    trained = [Part(f"{task}, {kind}", (task, kind), cost=40) for task, kind in pairs]
    return [*trained, Part(ORDER)]


def measure(
    config: Config, prepared: None, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        if part.name == ORDER:
            yield part.name, _order(config)
        else:
            task, kind = part.payload
            yield part.name, _by_length(config, task, kind, log)


def drawn(task: Task, length: int, n: int, use: int) -> Images:
    """Examples for training (use 0), validation (1) or test (2)."""
    return task.draw(length, n, np.random.default_rng([length, use]))


def _by_length(config: Config, name: str, kind: str, log: Log) -> dict[str, Any]:
    """Rates and test errors at each length; gradients of the adding problem at one length."""
    task, found = TASKS[name], dict[str, Any](rate={}, error={})
    examples = BATCH * (config.steps or 0)
    for length in (SMOKE,) if config.smoke else LENGTHS:
        train, validation, test = (
            drawn(task, length, n, use) for use, n in enumerate((examples, VALIDATION, TEST))
        )
        shape = train.x.shape[1:]
        found["units"] = units_of(kind, shape[-1], task.answers, task.outputs)
        model = network(kind, found["units"], task.answers, task.outputs)
        found["parameters"] = fcnn.summary(model, shape).parameters
        label, seeds = f"{name}, {kind}, {length}", config.seeds or 0
        trials = Trials(
            model, train, seeds=seeds, log=log, label=label, optimizer=clipped, loss=task.loss
        )
        best = chosen(
            trials,
            lambda run, task=task, at=validation: -task.error(run.outputs(at.x), at.y),
            epochs=1,
            rates=RATES[:1] if config.smoke else RATES,
            batch_size=BATCH,
        )
        found["rate"][str(length)] = best.rate
        found["error"][str(length)] = task.error(best.run.outputs(test.x), test.y).tolist()
        if name == "adding":
            states = {"initial": trials.seeds.start(), "trained": best.run.train_state}
            for when, state in states.items():
                if length == (SMOKE if config.smoke else GRADIENT_LENGTHS[when]):
                    found[when] = through_time(model, task.loss, test)(state)
    return found


def clipped(learning_rate: Any) -> optax.GradientTransformation:
    """Adam on gradients that are clipped to a norm of at most CLIP."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(learning_rate))


def _order(config: Config) -> dict[str, Any]:
    """Equivariance to permutations, without and with positional encoding."""
    seeds, examples = config.seeds or 0, 20 if config.smoke else 200
    found = {"without positions": equivariant(seeds, examples, order=False)}
    if not config.smoke:
        found["with positions"] = equivariant(seeds, examples, order=True)
    return found
