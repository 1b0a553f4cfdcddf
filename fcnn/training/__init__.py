"""Level 5: training, as pure steps and a loop around them."""

import types

from fcnn.training.evaluate import evaluate as evaluate, predict as predict
from fcnn.training.fit import EpochMetrics as EpochMetrics, fit as fit
from fcnn.training.shuffle import shuffled_indices as shuffled_indices
from fcnn.training.state import TrainState as TrainState, create as create
from fcnn.training.step import (
    Metrics as Metrics,
    scan_steps as scan_steps,
    train_step as train_step,
)

__all__ = [
    name
    for name, value in list(vars().items())
    if not (name.startswith("_") or isinstance(value, types.ModuleType))
]
