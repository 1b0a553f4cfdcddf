"""Callbacks: what happens after each chunk of steps, such as printing and early stopping.

    own = init(train_state)                        once, unless the train state has it already
    own = after(train_state, own, progress)        after each chunk; or Stop(reason, own)

`own` is a pytree of arrays. It is kept in `train_state.callbacks[name]`, so that a continued run
goes on where the first one ended. What must happen in every step, such as averaging weights, is
part of the optimizer.
"""

from fcnn.training.callbacks.callback import Callback, Progress, Stop
from fcnn.training.callbacks.early_stopping import early_stopping
from fcnn.training.callbacks.keep_best import keep_best
from fcnn.training.callbacks.metrics_file import metrics_file
from fcnn.training.callbacks.print_progress import print_progress, progress_bar
from fcnn.training.callbacks.tensorboard import tensorboard

__all__ = [
    "Callback",
    "Progress",
    "Stop",
    "early_stopping",
    "keep_best",
    "metrics_file",
    "print_progress",
    "progress_bar",
    "tensorboard",
]
