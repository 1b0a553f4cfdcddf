"""A trained model from a checkpoint, with the configuration that made it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from fcnn.cli.output import Misuse
from fcnn.cli.train.model import named_model
from fcnn.cli.train.recipe import Recipe, recipe
from fcnn.training import Checkpoints, Keep, TrainState, averaged_params, create
from fcnn.training.checkpoint import Damaged
from fcnn.training.checkpoint.arrays import restored


@dataclass(frozen=True)
class Trained:
    """A model with its parameters; with averaged ones if the run averages them."""

    recipe: Recipe
    config: Mapping[str, Any]
    described: Mapping[str, Any]  # run.json
    step: int
    params: Any
    state: Any

    @property
    def classes(self) -> tuple[str, ...] | None:
        return None if self.config["classes"] is None else tuple(self.config["classes"])


def trained(folder: Path, which: str) -> Trained:
    """The model of a run.

    Options:
        folder: of the run.
        which: "tested", "last", "best" or the number of a step. The tested step is that of the
            test at the end of training: the best one with --keep-best, else the last one. "best" is
            judged by the metric of --keep-best, or else by the validation loss.
    Raises: Misuse, in one line, if there is none, or if it is damaged.
    """
    described = run_file(folder)
    checkpoints = Checkpoints(folder / "checkpoints")
    steps = checkpoints.steps()
    if not steps:
        raise Misuse(f"{folder} has no checkpoint; fcnn train --output {folder} makes them")
    step = _chosen(checkpoints, which, described.get("keep best"))
    try:
        found = checkpoints.read_receipt(step)
        arrays = checkpoints.arrays(found, "params/", "state/", "opt_state/")
    except Damaged as damage:
        others = ", ".join(f"{other}" for other in steps if other != step) or "none"
        what = f"{checkpoints.path(step)} is damaged: {damage}"
        raise Misuse(f"{what}; write --step N with another step: {others}") from None
    config = found.config
    layer, facts = named_model(described["model"], config["outputs"])
    if facts.get("model source") != config.get("model source"):
        model = described["model"].partition(":")[0]
        raise Misuse(f"{model} has changed since the training of {folder}; restore it")
    made = recipe(config, layer, steps_per_epoch=1)
    state = state_of(made, config, arrays)
    return Trained(made, config, described, step, averaged_params(state), state.state)


def state_of(made: Recipe, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> TrainState:
    """The state of training with these arrays, by path."""
    new = lambda key: create(made.model, made.optimizer, tuple(config["input"]), key)
    key = jax.random.key(0)
    return restored(jax.eval_shape(new, key)._replace(key=key), arrays)


def run_file(folder: Path) -> dict[str, Any]:
    """The content of run.json.

    Raises: Misuse if `folder` is not the folder of a run.
    """
    path = folder / "run.json"
    try:
        content = json.loads(path.read_bytes())
        if not (isinstance(content, dict) and {"model", "data", "data_dir"} <= content.keys()):
            raise ValueError("it is not what fcnn train wrote")
        return content
    except FileNotFoundError:
        what = f"{folder} is not the folder of a run" if folder.exists() else f"no folder {folder}"
        raise Misuse(f"{what}: there is no {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise Misuse(f"{path} cannot be read: {error}; repeat the command fcnn train") from None


def _chosen(checkpoints, which, keep_best):
    """The number of the step `which`; `keep_best` is the metric of --keep-best, or None."""
    steps = checkpoints.steps()
    if which == "last" or (which == "tested" and keep_best is None):
        return steps[-1]
    if which in ("best", "tested"):
        keep = Keep(best=keep_best or "loss", larger=keep_best == "accuracy")
        best = Checkpoints(checkpoints.folder, keep=keep).best()
        return steps[-1] if best is None else best
    if which not in map(str, steps):
        known = ", ".join(map(str, steps))
        raise Misuse(
            f"no checkpoint of step {which}; expected tested, last, best or one of {known}"
        )
    return int(which)
