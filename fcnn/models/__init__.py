"""Level 4: whole networks, each a function of a few numbers."""

from fcnn.models.cnn import cnn
from fcnn.models.ladder import RUNGS, hybrid, ladder
from fcnn.models.mlp import mlp

__all__ = ["RUNGS", "cnn", "hybrid", "ladder", "mlp"]
