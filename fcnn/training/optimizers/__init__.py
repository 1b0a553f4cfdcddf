"""Optimizers of optax by name, learning rate schedules, averaged parameters, loss scaling."""

from fcnn.training.optimizers.averaged import (
    averaged as averaged,
    averaged_params as averaged_params,
)
from fcnn.training.optimizers.loss_scaled import (
    loss_scale as loss_scale,
    loss_scaled as loss_scaled,
)
from fcnn.training.optimizers.optimizer import optimizer as optimizer
from fcnn.training.optimizers.schedule import schedule as schedule

__all__ = ["averaged", "averaged_params", "loss_scale", "loss_scaled", "optimizer", "schedule"]
