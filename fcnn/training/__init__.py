"""Level 5: learning. Pure steps, and one loop around them."""

from fcnn.training.evaluate import evaluate, predict
from fcnn.training.fit import Epoch, fit
from fcnn.training.shuffle import shuffled_rows
from fcnn.training.state import TrainState, create
from fcnn.training.step import Metrics, steps, train_step

__all__ = [
    "Epoch",
    "Metrics",
    "TrainState",
    "create",
    "evaluate",
    "fit",
    "predict",
    "shuffled_rows",
    "steps",
    "train_step",
]
