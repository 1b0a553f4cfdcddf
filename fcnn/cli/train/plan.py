"""A training run before its first step: data, model, configuration and folder."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcnn.cli.output import Misuse
from fcnn.cli.train import data
from fcnn.cli.train.model import named_model
from fcnn.cli.train.options import config_of
from fcnn.cli.train.recipe import Recipe, recipe
from fcnn.layers.spec import planned, set_up
from fcnn.training import Checkpoints, Keep

OF_A_LENGTH = ("cosine", "one_cycle")  # schedules that depend on the number of all steps


@dataclass(frozen=True)
class Plan:
    """Everything that `fit` needs, and where its results go."""

    chosen: Namespace
    data: data.Data
    config: dict[str, Any]
    recipe: Recipe
    folder: Path
    steps_per_epoch: int

    @property
    def shape(self) -> Any:
        """The shape of one example."""
        return tuple(self.data.train.spec["x"].shape)

    def checkpoints(self, report: Any = lambda line: None) -> Checkpoints:
        chosen = self.chosen
        larger = None if chosen.keep_best is None else chosen.keep_best == "accuracy"
        keep = Keep(chosen.keep, chosen.keep_every, chosen.keep_best, larger)
        return Checkpoints(
            self.folder / "checkpoints", keep=keep, config=self.config, report=report
        )


def plan(chosen: Namespace) -> Plan:
    """The plan of a command line.

    Raises: ValueError or ImportError, in one line.
    """
    _require_sensible(chosen)
    examples = data.read(chosen)
    x, y = (examples.train.spec[name] for name in "xy")
    outputs = (*y.shape, 1)[0] if examples.classes is None else len(examples.classes)
    layer, facts = named_model(chosen.model, outputs)
    _require_outputs(layer, x.shape, y.shape, outputs)
    config = {**facts, "outputs": outputs, "input": [*x.shape], "x": f"{x.dtype}"}
    config |= {**examples.facts, **config_of(chosen)}
    _require_fitting(chosen, examples)
    steps = examples.train.length // chosen.batch_size
    if chosen.early_stopping is not None:
        config["every"] = chosen.every or steps
    if chosen.schedule in OF_A_LENGTH:
        config["steps"] = steps * chosen.epochs
    made = recipe(config, layer, steps)
    folder = chosen.output or Path("runs") / _name(chosen)
    return Plan(chosen, examples, config, made, folder, steps)


def _name(chosen):
    """MODEL-DATA, for the folder of a run."""
    model = chosen.model.partition(".py:")[2] or chosen.model
    return f"{model.partition('(')[0]}-{_stem(Path(chosen.data))}"


def _stem(path):
    """The name of a folder, or of a file without its ending."""
    return path.resolve().name if path.is_dir() else path.stem


def _require_outputs(layer, x, y, outputs):
    """Misuse unless the model has an output for each class, or for each target.

    A model of sequences has outputs at each position, perhaps for more tokens than the data have.
    """
    _, _, made = set_up(layer, *planned(layer, tuple(x), None, {}))
    shape = getattr(made, "shape", ())
    if len(y) < 2 and len(shape) == 2 and shape[-1] != outputs:
        what = f"the model has {shape[-1]} outputs, but the data have {outputs}"
        raise Misuse(f"{what} classes" if not y else f"{what} targets")


def _require_fitting(chosen, examples):
    """Misuse for options that do not fit the data."""
    n = examples.train.length
    if chosen.batch_size > n:
        raise Misuse(
            f"--batch-size {chosen.batch_size} exceeds the {n} training examples; write {n}"
        )
    if chosen.keep_best == "accuracy" and examples.classes is None:
        raise Misuse("--keep-best accuracy: y holds no classes; write --keep-best loss")
    for option in ("keep_best", "early_stopping"):
        if getattr(chosen, option) is not None and examples.validation is None:
            name = f"--{option.replace('_', '-')}"
            raise Misuse(f"{name} needs validation examples; write --validation 0.1")


def _require_sensible(chosen):
    """Misuse for options that make no sense, before any data are read."""
    for option in ("epochs", "batch_size", "accumulate", "keep", "keep_every", "every"):
        value = getattr(chosen, option)
        if value is not None and value < 1:
            raise Misuse(f"--{option.replace('_', '-')} {value} must be at least 1")
    for option in ("validation", "label_smoothing"):
        value = getattr(chosen, option)
        if not 0 <= value < 1:
            raise Misuse(f"--{option.replace('_', '-')} {value} must be from 0 to below 1")
    if chosen.batch_size % chosen.accumulate:
        what = f"--batch-size {chosen.batch_size} is not a multiple"
        raise Misuse(f"{what} of --accumulate {chosen.accumulate}")
    if not 0 <= chosen.seed < 2**32:
        raise Misuse(f"--seed {chosen.seed} must be from 0 to {2**32 - 1}")
    if chosen.early_stopping is not None and chosen.early_stopping < 1:
        raise Misuse(f"--early-stopping {chosen.early_stopping} must be at least 1")
    if chosen.schedule == "plateau" and chosen.warm_up:
        raise Misuse("--warm-up does not go with --schedule plateau; leave one of them out")
    rate = chosen.learning_rate
    if rate is not None and not 0 < rate < float("inf"):
        raise Misuse(f"--learning-rate {rate} must be above 0")
