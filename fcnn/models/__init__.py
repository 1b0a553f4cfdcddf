"""Level 4: models, each built by a function of a few sizes."""

import types

from fcnn.models.cnn import cnn as cnn
from fcnn.models.ladder import RUNGS as RUNGS, hybrid as hybrid, ladder as ladder
from fcnn.models.mlp import mlp as mlp
from fcnn.models.mobilenet import mobilenet as mobilenet
from fcnn.models.recurrent import lstm as lstm
from fcnn.models.resnet import resnet as resnet
from fcnn.models.transformer import transformer as transformer

__all__ = [
    name
    for name, value in list(vars().items())
    if not (name.startswith("_") or isinstance(value, types.ModuleType))
]
