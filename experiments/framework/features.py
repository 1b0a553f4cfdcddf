"""Features of a trained network: the output of its body, which is all but its last layers."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments.framework.seeds import BATCH
from experiments.framework.trained import Trained
from fcnn.layers import Layer, serial


def before_head(model: Layer, run: Trained, head: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function of images: the output of `model`, a chain, without its last `head` layers.

    Shapes: of the function: x (n, *shape) -> (seeds, n, *features).
    """
    body: dict[str, Any] = dict(model.parts[:-head])
    params = {name: p for name, p in run.params.items() if name in body}
    inner = serial(**body)
    compute = jax.jit(jax.vmap(lambda params, x: inner.apply(params, {}, x)[0], (0, None)))

    def features(x: np.ndarray) -> np.ndarray:
        blocks = [x[i : i + BATCH] for i in range(0, len(x), BATCH)]
        return np.concatenate([np.asarray(compute(params, block)) for block in blocks], axis=1)

    return features
