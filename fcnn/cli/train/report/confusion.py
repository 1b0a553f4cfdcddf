"""The confusion matrix: a table of counts, and the most frequent confusions.

A cell counts the examples of one class (row) that were predicted as another class (column).
"""

from collections.abc import Sequence
from html import escape

from fcnn.cli.train.report.tables import box, table

LARGEST = 100  # classes; a matrix of more classes is not shown, only a list
CONFUSIONS = 10  # in the list of the most frequent ones
SHORT = 4  # characters; longer names of columns are vertical
ZEROS = 20  # classes; a larger matrix shows no zeros

Counts = Sequence[Sequence[int]]


def confusion(counts: Counts, classes: Sequence[str] | None) -> str:
    """Accuracy of each class, the confusion matrix, and the most frequent confusions.

    Shapes: counts (k, k), rows are true classes; classes (k), or None for their indices.
    """
    k = len(counts)
    names = [f"{i}" for i in range(k)] if classes is None or len(classes) != k else classes
    shown = _matrix(counts, names) if k <= LARGEST else _per_class(counts, names)
    return f"<div class='beside'><div>{shown}</div>{_most_frequent(counts, names)}</div>"


def most_frequent(counts: Counts) -> list[tuple[int, int, int]]:
    """(count, true class, predicted class) of the most frequent confusions, in that order."""
    wrong = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j]
    return sorted(wrong, key=lambda each: (-each[0], *each[1:]))[:CONFUSIONS]


def _matrix(counts: Counts, names: Sequence[str]) -> str:
    kind = "name vertical" if max(map(len, names)) > SHORT else "name"
    heads = "".join(
        f"<th scope='col' class='{kind}' title='{escape(name)}'><span>{escape(name)}</span></th>"
        for name in names
    )
    corner = "<th scope='col' class='corner'>true class</th><th scope='col'>accuracy</th>"
    zero = "0" if len(names) <= ZEROS else ""
    body = "".join(
        f"<tr><th scope='row'><span>{escape(name)}</span></th><td>{_share(row[i], sum(row))}</td>"
        f"{''.join(_cell(n, sum(row), i == j, zero) for j, n in enumerate(row))}"
        f"<td>{sum(row):,}</td></tr>"
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    )
    top = f"<thead><tr>{corner}{heads}<th scope='col'>examples</th></tr></thead>"
    shown = f"<table class='matrix'>{top}<tbody>{body}</tbody></table>"
    note = "Rows are true classes, columns are predicted classes. The shade shows the share of the "
    note += "examples of the true class, on a scale that makes small shares visible."
    return f"{box(shown, 'confusion matrix', 'tall')}<p class='soft note'>{note}</p>"


def _cell(n, total, right, zero):
    """A count, with a shade that grows with the square root of its share of the true class."""
    if not n:
        return f"<td class='cell'>{zero}</td>"
    kind = "right" if right else "wrong"
    return f"<td class='cell {kind}' style='--share:{(n / total) ** 0.5:.2f}'>{n:,}</td>"


def _per_class(counts: Counts, names: Sequence[str]) -> str:
    lines = [
        (name, f"{sum(row):,}", _share(row[i], sum(row)))
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    listed = table(("true class", "examples", "accuracy"), lines, label="accuracy per class")
    summary = f"<summary>Accuracy of each of the {len(names):,} classes</summary>"
    return f"<details>{summary}{listed}</details>"


def _most_frequent(counts: Counts, names: Sequence[str]) -> str:
    found = most_frequent(counts)
    if len(counts) < 3 or not found:
        return ""
    lines = [(f"{names[i]} → {names[j]}", f"{n:,}", _share(n, sum(counts[i]))) for n, i, j in found]
    head = ("true → predicted class", "examples", "share of class")
    listed = table(head, lines, label="most frequent confusions")
    return f"<div><h3>Most frequent confusions</h3>{listed}</div>"


def _share(n, total):
    return f"{n / total:.1%}" if total else "–"
