"""One backward pass written by hand, right or with one mistake, for judging a checker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Names of mistakes. A gradient dx is G, the right one R.
KINDS = {
    "stopped": "G is 0 everywhere",
    "constant factor": "G = a R with one number a",
    "mean for sum": "a mean where a sum belongs, so G = R / n",
    "sum for mean": "a sum where a mean belongs, so G = n R",
    "missing factor": "an array-valued factor is missing, or occurs once too often",
    "missing term": "R is a sum of terms, and one of them is missing, counted twice or subtracted",
    "wrong derivative": "the derivative of an elementwise function is wrong",
    "wrong value": "another array in place of the right one: x for its normalized value, h[t] for "
    "h[t-1], a value before masking for one after it",
    "transposed": "G, or one factor in its formula, has axes exchanged",
    "flipped": "G, or one factor in its formula, is reversed along an axis",
    "shifted": "G, or one factor in its formula, is shifted along an axis",
    "channels exchanged": "blocks of channels, heads, groups or gates are in another order",
    "arguments exchanged": "G is the gradient of another argument",
    "not reduced": "a sum over an axis is forgotten, so that the shape is wrong",
    "reduced too far": "G is summed or averaged over an axis that must be kept",
    "wrong axis": "a sum, mean or maximum in the formula runs over another axis",
    "mask": "a mask is missing, inverted, transposed, off by one, or applied at another place",
    "border dropped": "entries at the border of an axis are missing or wrong",
    "positions skipped": "entries at regular distances are missing or wrong",
    "wrong below zero": "wrong on one side of a threshold only",
    "ties": "equal entries share a gradient wrongly",
    "overwritten": "repeated contributions overwrite each other instead of adding up",
    "truncated in time": "the gradient stops before it reaches earlier or later steps",
    "single entry": "at most three entries are wrong",
    "short dtype": "computed in a shorter dtype than the forward function",
    "shape": "another shape, by no forgotten sum",
    "not finite": "G has NaN or inf where R has none",
    "not deterministic": "two calls differ",
}


@dataclass(frozen=True)
class ByHand:
    """`backward(*args, dy)` claims to be the gradient of `forward(*args)`.

    source:   textbook, course or bug report from which the formula or the mistake is taken.
    args:     draws the arguments, as NumPy arrays in float64 if nothing else is the point.
    backward: one cotangent per argument, or None for an argument without gradient. dy has the
              structure of the output of forward.
    mistake:  one sentence; empty for a right gradient.
    kinds:    every name in KINDS that is true of the mistake.
    named:    whether a good checker must name the mistake; else it must only show where it is.
    """

    name: str
    source: str
    forward: Callable[..., Any]
    args: Callable[[np.random.Generator], tuple[Any, ...]]
    backward: Callable[..., tuple[Any, ...]]
    mistake: str = ""
    kinds: tuple[str, ...] = ()
    named: bool = True
