"""Values of a metric over the steps of a run, from the lines of metrics.jsonl."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fcnn.cli.train.report.tables import finite

PARTS = ("training", "validation")
BUCKETS = 400  # parts of a long curve, of each of which up to five points are drawn
MEANS = 50  # parts of a long curve whose mean is drawn

Point = tuple[float, float | None]  # step, and value; None if it is not finite
Row = Mapping[str, Any]  # a line of metrics.jsonl


class Curve(NamedTuple):
    """Values of one metric on one part of the data."""

    part: str
    points: list[Point]

    @property
    def values(self) -> list[float]:
        """The values that are finite."""
        return [value for _, value in self.points if value is not None]

    @property
    def runs(self) -> Iterator[list[tuple[float, float]]]:
        """Points without a gap between them, which are joined by a line."""
        run = []
        for step, value in self.points:
            if value is not None:
                run.append((step, value))
            elif run:
                yield run
                run = []
        if run:
            yield run

    def thinned(self, buckets: int = BUCKETS) -> "Curve":
        """At most five points of each bucket of a long curve, so that its picture is the same.

        They are the first, the last, a smallest, a largest and one that is not finite.

        Source: Jugel et al. 2014, M4.
        """
        size = -(-len(self.points) // buckets)
        if size <= 5:
            return self
        starts = range(0, len(self.points), size)
        kept = (_extremes(self.points[start : start + size]) for start in starts)
        return self._replace(points=[point for each in kept for point in each])

    def means(self, buckets: int = MEANS) -> "Curve":
        """The mean of each bucket, at the middle of its steps; None if no value is finite."""
        size = -(-len(self.points) // buckets)
        starts = range(0, len(self.points), size)
        return self._replace(points=[_mean(self.points[at : at + size]) for at in starts])


def names(rows: Sequence[Row]) -> list[str]:
    """The metrics that are numbers; the loss first."""
    found = {}
    for row in rows:
        for part in PARTS:
            for name, value in row[part].items():
                if name not in found and _is_number(value):
                    found[name] = True
    return sorted(found, key=lambda name: name != "loss")


def curves(rows: Sequence[Row], name: str) -> list[Curve]:
    """The values of a metric in training and in validation, as far as they were measured."""
    made = []
    for part in PARTS:
        own = [(row["step"], row[part][name]) for row in rows if name in row[part]]
        made.append(Curve(part, [(s, finite(v)) for s, v in own if _is_number(v)]))
    return [curve for curve in made if curve.points]


def _is_number(value):
    return value is None or isinstance(value, int | float)


def _mean(points):
    known = [value for _, value in points if value is not None]
    middle = (points[0][0] + points[-1][0]) / 2
    return middle, sum(value / len(known) for value in known) if known else None


def _extremes(points):
    """The first, last, smallest, largest and one not finite of a list of points, in its order."""
    known = [i for i, (_, value) in enumerate(points) if value is not None]
    gaps = [i for i, (_, value) in enumerate(points) if value is None]
    chosen = {0, len(points) - 1, *gaps[:1]}
    if known:
        chosen |= {pick(known, key=lambda i: points[i][1]) for pick in (min, max)}
    return [points[i] for i in sorted(chosen)]
