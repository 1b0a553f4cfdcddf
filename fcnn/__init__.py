"""Neural networks as pure functions, each operator with the gradient derived for it by hand.

Levels, each importing only from those before it: ops, bench, checker, layers, models and data,
training; then what stands on all of them. Everything public in `fcnn.ops` is public here too.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from fcnn import data, layers, models, ops
from fcnn.layers import Layer, summary
from fcnn.ops import *

if TYPE_CHECKING:
    from fcnn import testing, training
    from fcnn.checker import Report, check

__all__ = ["Layer", "Report", "check", "data", "layers", "models", "ops", "summary", "testing"]
__all__ += ["training", *ops.__all__]


def __getattr__(name: str):
    """The checker, and optax beneath training, take as long to import as all the rest: they wait
    until asked for."""
    if name in ("Report", "check"):
        return getattr(import_module("fcnn.checker"), name)
    if name in ("testing", "training"):
        return import_module(f"fcnn.{name}")
    raise AttributeError(f"module 'fcnn' has no attribute {name!r}")
