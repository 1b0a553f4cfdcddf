"""Calibration: do predictions with confidence c have accuracy c?

    confidence   the largest probability of softmax
    error        sum over bins b of confidence: (n_b / n) |accuracy_b - confidence_b|

The error of few images is above 0 by chance even for a calibrated network, and this part is
subtracted. It is the mean error where each prediction is correct with its confidence.

Source: Guo et al., arXiv:1706.04599.
"""

from typing import Any

import numpy as np
from scipy.special import softmax

BINS = 10
DRAWS = 200


def calibration(outputs: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Calibration errors by seed in percentage points, and the bins of all seeds together.

    Shapes: outputs (seeds, n, classes), y (n,).
    """
    p = softmax(outputs.astype(float), -1)
    confidence, correct = p.max(-1), outputs.argmax(-1) == y
    return {
        "error": [100 * error(c, right) for c, right in zip(confidence, correct, strict=True)],
        "by_chance": [100 * by_chance(c) for c in confidence],
        "bins": bins(confidence.ravel(), correct.ravel()),
    }


def by_chance(confidence: np.ndarray) -> float:
    """The mean error where each prediction is correct with its confidence."""
    rng = np.random.default_rng(0)
    drawn = rng.random((DRAWS, len(confidence))) < confidence
    return float(np.mean([error(confidence, correct) for correct in drawn]))


def error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """The expected calibration error of predictions."""
    found = bins(confidence, correct)
    return sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in found) / len(confidence)


def bins(confidence: np.ndarray, correct: np.ndarray) -> list[dict[str, float]]:
    """Number, mean confidence and accuracy of the predictions in each bin that has some."""
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "n": int(chosen.sum()),
            "confidence": float(confidence[chosen].mean()),
            "accuracy": float(correct[chosen].mean()),
        }
        for b in range(BINS)
        if (chosen := index == b).any()
    ]
