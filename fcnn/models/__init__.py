"""Level 4: whole networks, each a function of a few numbers."""

from fcnn.models.cnn import cnn
from fcnn.models.ladder import RUNGS, hybrid, ladder
from fcnn.models.mlp import mlp
from fcnn.models.mobilenet import mobilenet
from fcnn.models.recurrent import lstm
from fcnn.models.resnet import resnet
from fcnn.models.transformer import transformer

__all__ = ["RUNGS", "cnn", "hybrid", "ladder", "lstm", "mlp", "mobilenet", "resnet", "transformer"]
