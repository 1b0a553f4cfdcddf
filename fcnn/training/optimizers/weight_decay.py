"""The parameters that weight decay acts on, by their names.

Weight decay makes kernels smaller. A bias, or the scale of a normalization, does not multiply
several inputs, so it is left out. Names decide, not shapes: the biases of `repeat` have two axes.
"""

from typing import Any

import jax

from fcnn.training.paths import path_name

BIASES = frozenset({"b", "bu", "bq", "bk", "bv", "bo", "bias"})
OTHERS = frozenset({"scale", "slope"})  # of normalizations, and of prelu: He et al. 2015


def decayed(params: Any) -> Any:
    """Whether weight decay acts on each parameter: a tree of booleans like `params`."""
    on = lambda path, _: path_name(path[-1:]) not in BIASES | OTHERS
    return jax.tree_util.tree_map_with_path(on, params)
