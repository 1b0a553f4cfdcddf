"""Neural networks as pure functions; the gradient of every operator is derived by hand.

Each level imports only from the levels before it: ops, bench, checker, layers, models and data,
training, and then the command line. Every public name of `fcnn.ops` is public here too.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from fcnn import data as data, layers as layers, models as models, ops as ops
from fcnn.installation import version
from fcnn.layers import Layer as Layer, summary as summary
from fcnn.ops import *

if TYPE_CHECKING:
    from fcnn import testing as testing, training as training
    from fcnn.checker import Report as Report, check as check

    __version__: str

_LAZY = {  # imported on first use: together they take as long to import as the rest of fcnn
    "Report": "fcnn.checker:Report",
    "check": "fcnn.checker:check",
    "testing": "fcnn.testing",
    "training": "fcnn.training",
}

__all__ = ["Layer", "data", "layers", "models", "ops", "summary", *_LAZY, *ops.__all__]

if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown names

    def __getattr__(name):
        if name == "__version__":
            return version()
        if name in _LAZY:
            return resolve_name(_LAZY[name])
        raise AttributeError(f"module 'fcnn' has no attribute {name!r}")
