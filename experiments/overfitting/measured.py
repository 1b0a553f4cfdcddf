"""Values by seed in percentage points, from the results of parts."""

from typing import Any

from experiments.framework.statistics import points


def gap(result: dict[str, Any]) -> list[float]:
    """Training accuracy minus test accuracy."""
    return points(result["train"], result["test"])


def few_gap(by_images: dict[str, Any]) -> list[float]:
    """The mean gap over all numbers of images but the last, which is all of them."""
    gaps = [gap(each) for each in by_images["accuracies"][:-1]]
    return [sum(values) / len(values) for values in zip(*gaps, strict=True)]


def lost(result: dict[str, Any]) -> list[float]:
    """Test accuracy lost when the largest share of units is removed."""
    return points(result["removed"][0], result["removed"][-1])


def excess(calibration: dict[str, Any]) -> list[float]:
    """The calibration error beyond that by chance."""
    return [a - b for a, b in zip(calibration["error"], calibration["by_chance"], strict=True)]
