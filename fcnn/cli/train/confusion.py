"""The confusion matrix: a table of counts, and the most frequent confusions.

A cell counts the examples of one class (row) that were predicted as another class (column).
"""

from collections.abc import Sequence
from html import escape

from fcnn.cli.train.tables import box, table

LARGEST = 100  # classes; a matrix of more classes is not shown, only a list
CONFUSIONS = 10  # in the list of the most frequent ones
SHORT = 4  # characters; longer names of columns are vertical

Counts = Sequence[Sequence[int]]


def confusion(counts: Counts, classes: Sequence[str] | None) -> str:
    """Accuracy of each class, the confusion matrix, and the most frequent confusions.

    Shapes: counts (k, k), rows are true classes; classes (k), or None for their indices.
    """
    k = len(counts)
    names = [f"{i}" for i in range(k)] if classes is None or len(classes) != k else classes
    shown = _matrix(counts, names) if k <= LARGEST else _per_class(counts, names)
    return shown + _most_frequent(counts, names)


def most_frequent(counts: Counts) -> list[tuple[int, int, int]]:
    """(count, true class, predicted class) of the most frequent confusions, in that order."""
    wrong = [
        (n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and i != j
    ]
    return sorted(wrong, key=lambda each: (-each[0], *each[1:]))[:CONFUSIONS]


def _matrix(counts: Counts, names: Sequence[str]) -> str:
    upright = max(map(len, names)) > SHORT
    kind = "name vertical" if upright else "name"
    heads = "".join(
        f"<th scope='col' class='{kind}' title='{escape(name)}'><span>{escape(name)}</span></th>"
        for name in names
    )
    top = f"<tr><th scope='col' class='corner'>true class</th>{_HEADS}{heads}</tr>"
    body = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>{_facts(row, i)}"
        f"{''.join(_cell(n, sum(row), i == j) for j, n in enumerate(row))}</tr>"
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    )
    rows = f"<table class='matrix'><thead>{top}</thead><tbody>{body}</tbody></table>"
    note = "Rows are true classes, columns are predicted classes. The shade shows the share of the "
    note += "examples of the true class; a share of 1% is visible. Accuracy is that of one class."
    return f"{box(rows, 'confusion matrix', 'tall')}<p class='soft'>{note}</p>"


_HEADS = "<th scope='col'>examples</th><th scope='col'>accuracy</th>"


def _facts(row, i):
    return f"<td>{sum(row):,}</td><td>{_share(row[i], sum(row))}</td>"


def _cell(n, total, right):
    """A count, with a shade that grows with the square root of its share of the true class."""
    if not n:
        return "<td class='none'>0</td>"
    kind = "right" if right else "wrong"
    return f"<td class='{kind}' style='--share:{(n / total) ** 0.5:.2f}'>{n:,}</td>"


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
    lines = [
        (names[i], names[j], f"{n:,}", _share(n, sum(counts[i]))) for n, i, j in found
    ]
    head = ("true class", "predicted as", "examples", "share of the true class")
    listed = table(head, lines, label="most frequent confusions")
    return f"<h3>Most frequent confusions</h3>{listed}"


def _share(n, total):
    return f"{n / total:.1%}" if total else "–"
