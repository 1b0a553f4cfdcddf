"""Evaluation of trained networks: accuracy on changed images, and without some hidden units."""

import dataclasses
from typing import Any

import jax
import numpy as np

from experiments.framework.trained import Trained
from experiments.overfitting.calibration import calibration
from fcnn.data import Images

NOISE, SHIFT = 0.3, 2
REMOVED = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # shares of hidden units
DRAWS = 5  # of removed units


def evaluated(run: Trained, test: Images) -> dict[str, Any]:
    """All results by seed of a trained network."""
    return {
        **accuracies(run, test),
        "noisy": run.accuracy(noisy(test)).tolist(),
        "shifted": run.shifted_accuracy(test, SHIFT).tolist(),
        "removed": [without_units(run, share, test) for share in REMOVED],
        "calibration": calibration(run.outputs(test.x), test.y),
    }


def accuracies(run: Trained, test: Images) -> dict[str, list[float]]:
    return {"test": run.accuracy(test).tolist(), "train": run.train_accuracy().tolist()}


def noisy(images: Images) -> Images:
    noise = NOISE * np.random.default_rng(0).standard_normal(images.x.shape, np.float32)
    return Images(images.x + noise, images.y)


def without_units(run: Trained, share: float, test: Images) -> list[float]:
    """Accuracy of each seed after `share` of the hidden units are removed, the mean of draws."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS if share else 1):
        params = jax.tree.map(np.array, run.params)
        for name in ("dense2", "dense3", "dense4"):  # a hidden unit is a row of the next weights
            rows = params[name]["w"].shape[1]
            params[name]["w"][:, rng.permutation(rows)[: round(share * rows)]] = 0
        train_state = run.train_state._replace(params=params)
        found.append(dataclasses.replace(run, train_state=train_state).accuracy(test))
    return np.mean(found, 0).tolist()
