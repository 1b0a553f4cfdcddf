"""Results as tables for the terminal and the report, and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from experiments.fc_vs_conv.measured import Measured
from experiments.framework.table import Best, Table

ACCURACY = (
    "network",
    "test accuracy, %",
    "training accuracy, %",
    "gap, percentage points",
    "accuracy on shifted images, %",
)
COST = (
    "network",
    "parameters",
    "multiply-adds",
    "activations, kilobytes",
    "training step, milliseconds",
    "compilation, seconds",
)


def tables(measured: Mapping[str, Measured]) -> list[Table]:
    """Accuracy and cost of all networks; each table fits a terminal of 80 columns."""
    _, test, _, gap, shifted = ACCURACY
    best: dict[str, Best] = {test: "highest", gap: "lowest", shifted: "highest"}
    least: dict[str, Best] = dict.fromkeys(COST[2:], "lowest")  # parameters are equal by design
    return [
        Table(ACCURACY, _rows(measured, _accuracy), True, best, "Accuracy"),
        Table(COST, _rows(measured, _cost), True, least, "Cost"),
    ]


def _rows(measured, cells):
    """The cells of a table, with a dash in place of each missing result."""
    return [(name, *cells(m)) for name, m in measured.items()]


def _accuracy(m: Measured) -> tuple[str, ...]:
    at_largest_shift = m.shifted.get(max(m.shifted, default=0), [])
    return (
        _spread(m.test),
        _number(100 * mean(m.train) if m.train else None, ".2f"),
        _number(100 * mean(m.gap) if m.gap else None, ".2f"),
        _spread(at_largest_shift),
    )


def _cost(m: Measured) -> tuple[str, ...]:
    return (
        f"{m.parameters:,}",
        f"{m.multiply_adds:,}",
        f"{m.activation_bytes / 1e3:,.1f}",
        _number(m.step_seconds and 1e3 * m.step_seconds, ".2f"),
        _number(m.compile_seconds, ".1f"),
    )


def _spread(accuracies: Sequence[float]) -> str:
    if not accuracies:
        return "–"
    spread = stdev(accuracies) if len(accuracies) > 1 else 0
    return f"{100 * mean(accuracies):.2f} ± {100 * spread:.2f}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def tidy(measured: Mapping[str, Measured], n: int) -> str:
    """CSV with one line per accuracy, each measured on one network trained with one seed."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(("network", "seed", "training_images", "shift", "scored_on", "accuracy"))
    for name, m in measured.items():
        lists = [(n, d, "test", v) for d, v in m.shifted.items()] + [(n, 0, "train", m.train)]
        lists += [(s, 0, "test", v) for s, v in m.few_test.items()]
        lists += [(s, 0, "train", v) for s, v in m.few_train.items()]
        for images, shift, scored_on, values in lists:
            for seed, accuracy in enumerate(values):
                out.writerow((name, seed, images, shift, scored_on, f"{accuracy:.6f}"))
    return text.getvalue()
