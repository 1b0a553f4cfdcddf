"""Report of a replayed step: rows of statistics, a table, and a sentence on the first fault."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fcnn.training.observer import EXAMPLES, Statistics

WIDTH = 100  # columns of the table
MAY_BE_INFINITE = {"attention_mask", "optimizer state"}  # hidden positions, a best value so far
SUBJECT = {  # kind of a row -> the words for its array
    "batch": "entry {} of the batch",
    "augmented": "entry {} of the augmented batch",
    "parameter": "parameter {} before the step",
    "state": "state {} before the step",
    "output": "the output of {}",
    "new state": "the new state {}",
    "loss": "the loss",
    "mean loss": "the mean loss",
    "gradient of output": "the gradient of the output of {}",
    "gradient": "the gradient of {}",
    "gradient of input": "the gradient of the input of {}",
    "optimizer state": "optimizer state {} before the step",
    "update": "the update of {}",
    "new parameter": "the new {}",
}


class ReplayRow(NamedTuple):
    """Statistics of one array of a step."""

    kind: str
    path: str
    shape: tuple[int, ...]
    dtype: str
    least: float | None  # finite entry
    greatest: float | None  # finite entry
    nan: int  # number of entries
    infinite: int  # number of entries
    examples: tuple[int, ...] = ()  # the first batch indices with entries that are not finite

    @property
    def finite(self) -> bool:
        """Whether no entry is NaN, or infinite where this is a fault."""
        return not self.nan and not (self.infinite and not {self.kind, self.path} & MAY_BE_INFINITE)

    @property
    def magnitude(self) -> float:
        """The greatest absolute value of the finite entries; 0 if there are none."""
        return max(abs(self.least or 0.0), abs(self.greatest or 0.0))


class Replay(NamedTuple):
    """A replayed step: statistics of its arrays in order of computation."""

    step: int  # counted from 1
    rows: tuple[ReplayRow, ...]
    first: ReplayRow | None  # the first row that is not finite
    message: str  # where the step went wrong, in one sentence

    def __str__(self) -> str:
        """The rows as a table of at most 100 columns, and the message."""
        return "\n".join([*_table(self.rows), self.message])

    def __repr__(self) -> str:
        return f"<replay of {self.message}>"

    def to_json(self) -> dict[str, Any]:
        """The replay as a dict of numbers, strings, lists and None."""
        plain = lambda row: {k: [*a] if type(a) is tuple else a for k, a in row._asdict().items()}
        first = None if self.first is None else plain(self.first)
        rows = [plain(row) for row in self.rows]
        return {"step": self.step, "message": self.message, "first": first, "rows": rows}


def as_row(kind: str, path: str, spec: Any, found: Statistics, *, batch: bool = False) -> ReplayRow:
    """The row of an array with these statistics; `batch` if its first axis is that of examples."""
    finite = lambda a: float(a) + 0.0 if math.isfinite(a) else None  # without -0.0
    examples = tuple(int(i) for i in found.examples if i < spec.shape[0]) if batch else ()
    counts = int(found.nan), int(found.infinite)
    ends = finite(found.least), finite(found.greatest)
    return ReplayRow(kind, path, tuple(spec.shape), str(spec.dtype), *ends, *counts, examples)


def report(step: int, rows: Sequence[ReplayRow], inputs: Sequence[ReplayRow]) -> Replay:
    """The replay of a step; `inputs` are the rows of the inputs of the layers."""
    first = next((row for row in rows if not row.finite), None)
    known = {(row.kind, row.path): row for row in (*inputs, *rows)}
    if first is None:
        gradients = [row for row in rows if row.kind == "gradient"]
        clauses = [f"everything is finite; loss {known['mean loss', ''].magnitude:.3g}"]
        for row in sorted(gradients, key=lambda row: -row.magnitude)[:1]:
            clauses += [f"greatest gradient {row.magnitude:.3g}, of {row.path}"]
    else:
        subject = SUBJECT[first.kind].format(first.path)
        clauses = [f"first not finite: {subject}, {_count(first)}", *_context(first, known)]
        results = ("loss", "mean loss", "new parameter", "new state")
        if all(row.finite for row in rows if row.kind in results):
            clauses += ["the loss and the new parameters are finite"]
    return Replay(step, tuple(rows), first, f"step {step}: {'; '.join(clauses)}")


def _context(first: ReplayRow, known: dict[tuple[str, str], ReplayRow]) -> Iterator[str]:
    """What the first array that is not finite was computed from."""
    within = lambda kind, path: [
        row for (k, p), row in known.items() if k == kind and f"{p}/".startswith(f"{path}/")
    ]
    path = first.path
    match first.kind:
        case "augmented":
            yield from _finite("before augmentation it", within("batch", path))
        case "output":
            yield from _finite("its input", within("input", path))
            inside = [row for row in within("output", path) if row.path != path]
            yield from _finite("each output inside it", inside)
            if not inside and (parameters := within("parameter", path)):
                greatest = max(row.magnitude for row in parameters)
                yield f"parameters of {path}: greatest {greatest:.2g}"
        case "new state":
            yield from _finite("before the step it", within("state", path))
        case "mean loss":
            yield from _finite("the loss of each example", [known["loss", ""]])
        case "loss":
            outputs = [row for (kind, _), row in known.items() if kind == "output"]
            yield from _finite("the last output", outputs[-1:])
            yield from _finite("y", within("augmented", "y") or within("batch", "y"))
        case "gradient of output":
            yield "the loss and the gradients of later layers are finite"
        case "gradient of input" | "gradient":
            layers = (p for kind, p in known if kind == "gradient of output")
            of = max((p for p in layers if f"{path}/".startswith(f"{p}/")), key=len, default=path)
            yield from _finite(
                f"the gradient of the output of {of}", within("gradient of output", of)
            )
            yield from _finite(f"the input of {of}", within("input", of))
        case "update":
            yield from _finite("the gradient", within("gradient", path))
            plain = re.sub(r"\[\d+\]", "", path)
            for kind, name in known:
                if kind == "optimizer state" and name.endswith(f"/{plain}"):
                    yield f"optimizer state {name} is infinite before the step"
        case "new parameter":
            yield from _finite("the parameter", within("parameter", path))
            yield from _finite("the update", within("update", path))


def _finite(subject: str, rows: Sequence[ReplayRow]) -> Iterator[str]:
    """Whether these arrays are finite, and the range of their entries; nothing without arrays."""
    if not all(row.finite for row in rows):
        yield f"{subject} is not finite"
    elif rows:
        least = min((row.least for row in rows if row.least is not None), default=0.0)
        greatest = max((row.greatest for row in rows if row.greatest is not None), default=0.0)
        yield f"{subject} is finite, from {least:.2g} to {greatest:.2g}"


def _count(row: ReplayRow) -> str:
    """How many entries are NaN or infinite, and in which examples."""
    found = [(n, kind) for n, kind in ((row.nan, "NaN"), (row.infinite, "inf")) if n]
    entries = f"{math.prod(row.shape)} {'entry' if math.prod(row.shape) == 1 else 'entries'}"
    if len(found) == 2:
        text = f"{row.nan} NaN and {row.infinite} inf of {entries}"
    else:
        ((n, kind),) = found
        text = f"{n} of {entries} {'is' if n == 1 else 'are'} {kind}"
    if not row.examples:
        return text
    listed = ", ".join(map(str, row.examples))
    if len(row.examples) == EXAMPLES:
        return f"{text}, first in examples {listed}"
    return f"{text}, in example{'s' * (len(row.examples) > 1)} {listed}"


def _table(rows: Sequence[ReplayRow]) -> Iterator[str]:
    """The lines of a table. Zeros among the counts are blank, and long paths are cut."""
    number = lambda a: "" if a is None else f"{a:.3g}"
    cells = [("kind", "path", "shape", "dtype", "least", "greatest", "NaN", "inf")]
    for row in rows:
        counts = (f"{n}" if n else "" for n in (row.nan, row.infinite))
        shape = "×".join(map(str, row.shape))
        ends = number(row.least), number(row.greatest)
        cells += [(row.kind, row.path, shape, row.dtype, *ends, *counts)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[1] = min(widths[1], WIDTH - sum(widths) + widths[1] - 2 * (len(widths) - 1))
    for kind, path, shape, dtype, *numbers in (
        *cells[:1],
        tuple("-" * w for w in widths),
        *cells[1:],
    ):
        left = (kind, _cut(path, widths[1]), shape, dtype)
        texts = [*map(str.ljust, left, widths), *map(str.rjust, numbers, widths[4:])]
        yield "  ".join(texts).rstrip()


def _cut(path: str, width: int) -> str:
    """A path without names in its middle, or without its beginning, if it is too long."""
    first, *names = path.split("/")
    cuts = ["/".join([first, "…", *names[k:]]) for k in range(1, len(names))]
    cuts = [path, *cuts, f"…{path[1 - width :]}"]
    return next(cut for cut in cuts if len(cut) <= width)
