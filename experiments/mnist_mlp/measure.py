"""Training of the network with and without dropout, then its errors on test images."""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from experiments.framework.experiment import Log, Part
from experiments.framework.images import loaded, smaller
from experiments.framework.options import Options, with_epochs
from experiments.framework.trained import STEPS, trained
from fcnn.data import Dataset
from fcnn.layers import Layer, dense, dropout, flatten, initializers, relu, serial

DROPOUT = 0.2
WITH, WITHOUT = "with dropout", "without dropout"
RATE = 1e-3
WRONG = 12  # images that are shown


def prepare(config: Options) -> tuple[Options, Dataset]:
    config = with_epochs(config, digits=60, others=20)
    return config, smaller(loaded(config)) if config.smoke else loaded(config)


def parts(config: Options, data: Dataset) -> list[Part]:
    both = [Part(WITH, DROPOUT), Part(WITHOUT, 0.0)]
    return both[:1] if config.smoke else both


def network(rate: float, classes: int = 10) -> Layer:
    hidden = [layer for n in (128, 64) for layer in (dense(n), relu(), dropout(rate))]
    return serial(flatten(), *hidden, dense(classes, w_init=initializers.lecun))


def measure(
    config: Options, data: Dataset, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        run = trained(
            network(part.payload, len(data.classes)),
            data.train,
            epochs=config.epochs or 0,
            seeds=config.seeds or 0,
            log=log,
            label=part.name,
            rate=RATE,
        )
        outputs = run.outputs(data.test.x)
        by_call = lambda curve: curve.reshape(len(curve), -1, STEPS).mean((0, 2)).tolist()
        yield (
            part.name,
            {
                "dataset": data.name,
                "images": len(data.train.y),
                "shape": data.shape,
                "test": (outputs.argmax(-1) == data.test.y).mean(1).tolist(),
                "train": run.train_accuracy().tolist(),
                "loss": by_call(run.loss),
                "accuracy": by_call(run.train_accuracy_by_step),
                "confusion": confusion_of(outputs, data.test.y).tolist(),
                "wrong": most_wrong(outputs, data.test.x, data.test.y),
            },
        )


def confusion_of(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Test images of each label (row) by prediction (column), summed over seeds."""
    classes = outputs.shape[-1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (np.broadcast_to(y, outputs.shape[:-1]), outputs.argmax(-1)), 1)
    return counts


def most_wrong(outputs: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """Images whose label has the smallest probability, where another class has the largest.

    Probabilities are means over seeds.
    """
    p = softmax(outputs, -1).mean(0)
    of_label = p[np.arange(len(y)), y]
    order = [i for i in np.argsort(of_label) if p[i].argmax() != y[i]][:WRONG]
    return [
        {
            "pixels": np.round(255 * x[i].mean(-1)).astype(int).tolist(),
            "label": int(y[i]),
            "predicted": int(p[i].argmax()),
            "probability": float(of_label[i]),
        }
        for i in order
    ]
