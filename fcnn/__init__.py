"""Neural networks as pure functions, each operator with the gradient derived for it by hand.

Levels, each importing only from those before it: ops, bench, checker, layers, models and data,
training; then what stands on all of them. Everything public in `fcnn.ops` is public here too.
"""

from fcnn import data, layers, models, ops, testing, training
from fcnn.checker import Report, check
from fcnn.layers import Layer, summary
from fcnn.ops import *

__all__ = ["Layer", "Report", "check", "data", "layers", "models", "ops", "summary", "testing"]
__all__ += ["training", *ops.__all__]
