"""What a run keeps for its report: each network of seed 0, and images of the test set.

It is in the results of parts, so that --continue has it, and in report.html. Kept results
(results.json) leave it out, which keeps them small.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

import fcnn
from experiments.fc_vs_conv.explorer.stored import KINDS, encoded
from fcnn.data import Images
from fcnn.layers import Layer
from fcnn.training import predict

LIMIT = 100_000  # parameters of a network whose weights are kept; a report has at most 2 MB
EXAMPLES = 4  # test images of each class
WRONG = 8  # test images of each network


@dataclass
class Shown:
    """What the report shows of a run. Older runs, and kept results, have none of it."""

    networks: dict[str, dict[str, Any]] = field(default_factory=dict)  # results of `network`
    images: dict[str, Any] = field(default_factory=dict)  # the result of `examples`

    @classmethod
    def of(cls, finished: dict[str, Any]) -> "Shown":
        results = [r for r in finished.values() if "shown" in r]
        networks = {r["network"]: r["shown"] for r in results if "network" in r}
        images = [r["shown"] for r in results if "network" not in r]
        return cls(networks, images[0] if images else {})


def network(model: Layer, params: Any, test: Images) -> dict[str, Any]:
    """The layers of a network, its weights, and the images on which it is most wrong.

    A network with many parameters, or a layer that the report cannot compute, has layers only.
    """
    layers = describe(model, test.x.shape[1:])
    bare = {"input": list(test.x.shape[1:]), "layers": layers}
    count = sum(array.size for array in jax.tree.leaves(params))
    if count > LIMIT or any(layer["kind"] not in KINDS for layer in layers):
        return bare
    rounded = jax.tree.map(_rounded, params)
    arrays = [rounded[layer["name"]][key] for layer in layers for key in "wb" if key in layer]
    flat = np.concatenate([array.ravel() for array in arrays])
    return bare | {"weights": encoded(flat), "wrong": _wrong(model, rounded, test)}


def describe(model: Layer, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Name, kind, output shape, shapes of w and b, parameters and multiply-adds of each layer."""
    params = fcnn.layers.shapes(model, shape)[0]
    return [
        {
            "name": row.path,
            "kind": row.path.rstrip("0123456789"),
            "output": list(row.output),
            "parameters": row.parameters,
            "multiply_adds": row.multiply_adds,
            **{key: list(array.shape) for key, array in params.get(row.path, {}).items()},
        }
        for row in fcnn.summary(model, shape).rows
    ]


def _wrong(model: Layer, params: Any, test: Images) -> list[dict[str, Any]]:
    """The images with the highest probabilities of a class that is not theirs."""
    softmax = jax.jit(lambda params, x: jax.nn.softmax(predict(model, params, {}, x)))
    p = np.asarray(softmax(params, _rounded(test.x)))
    predicted, probability = p.argmax(1), p.max(1)
    order = np.argsort(-probability * (predicted != test.y), kind="stable")[:WRONG]
    return [
        {
            "label": int(test.y[i]),
            "predicted": int(predicted[i]),
            "probability": round(float(probability[i]), 6),
            "x": encoded(test.x[i]),
        }
        for i in order
        if predicted[i] != test.y[i]
    ]


def _rounded(array: Any) -> np.ndarray:
    return np.asarray(array, np.float16).astype(np.float32)


def examples(test: Images, classes: tuple[str, ...]) -> dict[str, Any]:
    """The first test images of each class, in the order of the classes."""
    chosen = [i for k in range(len(classes)) for i in np.flatnonzero(test.y == k)[:EXAMPLES]]
    x, y = test.x[chosen], test.y[chosen].tolist()
    return {"shape": list(x.shape[1:]), "classes": list(classes), "x": encoded(x), "y": y}
