"""Results as a table for the terminal and the report, and as CSV."""

import csv
import io
from statistics import mean, stdev

from experiments.fc_vs_conv.measured import Measured
from experiments.framework.table import Table

COLUMNS = (
    "network",
    "test %",
    "train %",
    "gap",
    "shifted %",
    "params",
    "MACs",
    "act. kB",
    "step ms",
    "comp. s",
)


def rows_of(measured: dict[str, Measured]) -> list[tuple[str, ...]]:
    """The cells of the table, with a dash in place of each missing result."""
    return [
        (
            name,
            _spread(m.test),
            _number(100 * mean(m.train) if m.train else None, ".2f"),
            _number(100 * mean(m.gap) if m.gap else None, ".2f"),
            _spread(m.shifted.get(max(m.shifted, default=0), [])),
            f"{m.parameters / 1e3:,.1f}k",
            f"{m.multiply_adds / 1e3:,.0f}k",
            f"{m.activation_bytes / 1e3:,.1f}",
            _number(m.step_seconds and 1e3 * m.step_seconds, ".2f"),
            _number(m.compile_seconds, ".1f"),
        )
        for name, m in measured.items()
    ]


def _spread(accuracies):
    if not accuracies:
        return "–"
    spread = stdev(accuracies) if len(accuracies) > 1 else 0
    return f"{100 * mean(accuracies):.2f} ±{100 * spread:.2f}"


def _number(value, form):
    return "–" if value is None else format(value, form)


def table(measured: dict[str, Measured]) -> Table:
    """The table, which fits a terminal of 80 columns."""
    return Table(COLUMNS, rows_of(measured), narrow=True)


def tidy(measured: dict[str, Measured], n: int) -> str:
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
