"""One forward function from which the mutation engine makes wrong gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Function:
    """`f(*args)`, differentiable in its floating arguments.

    args: draws the arguments, as NumPy arrays in float64 (or integers), with at most 500 entries.
    """

    name: str
    f: Callable[..., Any]
    args: Callable[[np.random.Generator], tuple[Any, ...]]
