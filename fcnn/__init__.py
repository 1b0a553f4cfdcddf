"""Neural networks as pure functions, each operator with the gradient derived for it by hand.

Levels, each importing only from those before it: ops, check and bench, layers, models and data,
training. Everything public in `fcnn.ops` is public here too.
"""

from fcnn import data, layers, models, ops, training
from fcnn.layers import Layer, summary
from fcnn.ops import *

__all__ = ["Layer", "data", "layers", "models", "ops", "summary", "training"]
__all__ += ops.__all__
