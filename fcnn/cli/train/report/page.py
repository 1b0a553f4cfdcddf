"""The report of a training run: one HTML page that needs no other file."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fcnn.cli.train.report.confusion import confusion
from fcnn.cli.train.report.curves import PARTS, Row, names
from fcnn.cli.train.report.figure import figure
from fcnn.cli.train.report.tables import duration, epochs, finite, measure, number, table

LAST = 10  # rows of the table of reports
LISTED = 20  # entries of a list in the configuration


def page(
    title: str, config: Mapping[str, Any], rows: Sequence[Row], results: Mapping[str, Any]
) -> str:
    """The page.

    Options:
        title: name of the run.
        config: options by name, with "classes", a list of names or None.
        rows: lines of metrics.jsonl.
        results: step, part, and if something was tested: examples, loss, accuracy, confusion.
    """
    template = files("fcnn.cli.train.report").joinpath("page.html").read_text(encoding="utf-8")
    matrix = results.get("confusion")
    text = Template(template).substitute(
        title=escape(title),
        headline=escape(headline(results)),
        facts=_facts(rows, results),
        curves=_curves(rows, results),
        confusion=_part("Confusion matrix", confusion(matrix, config["classes"]) if matrix else ""),
        configuration=_configuration(config),
        reports=_part(_last_title(rows), _reports(rows) if rows else ""),
    )
    return text.encode(errors="replace").decode()  # names of files may have other bytes


def headline(results: Mapping[str, Any]) -> str:
    """The result in one line, as "Test accuracy: 97.8%"."""
    if "loss" not in results:
        return "Not tested: no test data and no validation data"
    name = "accuracy" if "accuracy" in results else "loss"
    if results[name] is None:
        return f"{results['part']} {name}: not finite".capitalize()
    return f"{results['part']} {name}: {measure(name, results[name])}".capitalize()


def interval(share: float, examples: int) -> tuple[float, float]:
    """95% confidence interval of an accuracy.

    Source: Wilson 1927.
    """
    z = 1.96
    middle = share + z * z / (2 * examples)
    half = z * math.sqrt(share * (1 - share) / examples + (z / (2 * examples)) ** 2)
    scale = 1 + z * z / examples
    return (middle - half) / scale, (middle + half) / scale


def _facts(rows, results):
    """Numbers below the headline, by name."""
    found = {}
    share = finite(results.get("accuracy"))
    if share is not None and results["examples"] and 0 <= share <= 1:
        low, high = interval(share, results["examples"])
        found["95% confidence interval"] = f"{low:.1%} to {high:.1%}"
    if "accuracy" in results:
        found[f"{results['part']} loss"] = number(results["loss"])
    if "examples" in results:
        found[f"{results['part']} examples"] = f"{results['examples']:,}"
        found["tested step"] = f"{results['step']:,}"
    if rows:
        found["steps of training"] = f"{rows[-1]['step']:,} of {rows[-1]['steps']:,}"
        found["epochs"] = epochs(rows[-1]["epoch"])
        found["time of steps"] = duration(sum(finite(row["seconds"]) or 0.0 for row in rows))
    cells = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in found.items())
    return "".join(cells)


def _curves(rows, results):
    if not rows:
        return "<p>There are no learning curves: metrics.jsonl has no reports.</p>"
    return "".join(figure(name, rows, results["step"]) for name in names(rows))


def _part(title, body):
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _configuration(config):
    lines = [(f"{name}", _setting(value)) for name, value in config.items()]
    return table((), lines, label="configuration")


def _setting(value):
    """The value of an option in words; of a long list, the first entries."""
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_setting, value[:LISTED])) or "none"
        return shown + (f", … ({len(value):,} in all)" if len(value) > LISTED else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else f"{value}"


def _last_title(rows):
    return "Reports" if len(rows) <= LAST else f"Last {LAST} of {len(rows):,} reports"


def _reports(rows):
    shown = rows[-LAST:]
    pairs = ((part, name) for name in names(shown) for part in PARTS)
    columns = [(part, name) for part, name in pairs if any(name in row[part] for row in shown)]
    cell = lambda row, part, name: measure(name, row[part][name]) if name in row[part] else ""
    lines = [
        (
            f"{row['step']:,}",
            epochs(row["epoch"]),
            *(cell(row, part, name) for part, name in columns),
            number(row["seconds"]),
        )
        for row in shown
    ]
    head = ("step", "epoch", *(f"{part} {name}" for part, name in columns), "seconds")
    return table(head, lines, label="reports")
