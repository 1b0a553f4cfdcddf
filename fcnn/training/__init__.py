"""Level 5: training, as pure steps and a loop around them."""

import types

from fcnn.training.callbacks import (
    Callback as Callback,
    Progress as Progress,
    Stop as Stop,
    early_stopping as early_stopping,
    keep_best as keep_best,
    metrics_file as metrics_file,
    print_progress as print_progress,
    progress_bar as progress_bar,
    tensorboard as tensorboard,
)
from fcnn.training.checkpoint import Checkpoints as Checkpoints, Keep as Keep
from fcnn.training.evaluate import evaluate as evaluate, predict as predict
from fcnn.training.fit import Fit as Fit, fit as fit
from fcnn.training.metrics import (
    Metric as Metric,
    accuracy as accuracy,
    binary_accuracy as binary_accuracy,
)
from fcnn.training.optimizers import (
    averaged as averaged,
    averaged_params as averaged_params,
    loss_scale as loss_scale,
    loss_scaled as loss_scaled,
    optimizer as optimizer,
    schedule as schedule,
)
from fcnn.training.replay import replay as replay
from fcnn.training.replay_report import Replay as Replay
from fcnn.training.shuffle import shuffled_indices as shuffled_indices
from fcnn.training.smoothed_cross_entropy import smoothed_cross_entropy as smoothed_cross_entropy
from fcnn.training.sources import (
    Source as Source,
    from_host as from_host,
    from_indexable as from_indexable,
    on_device as on_device,
    sharded as sharded,
)
from fcnn.training.state import TrainState as TrainState, create as create
from fcnn.training.step import scan_steps as scan_steps, train_step as train_step

__all__ = [
    name
    for name, value in list(vars().items())
    if not (name.startswith("_") or isinstance(value, types.ModuleType))
]
