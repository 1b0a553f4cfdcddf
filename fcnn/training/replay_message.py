"""The sentence on a replayed step: its first array that is not finite, and what it was made of."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from fcnn.training.observer import EXAMPLES
from fcnn.training.replay_report import ReplayRow

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
RESULTS = {"loss", "mean loss", "new state", "new parameter"}


def message(step: int, rows: Sequence[ReplayRow], inputs: Sequence[ReplayRow]) -> str:
    """Where a step went wrong first; `inputs` are the rows of the inputs of its layers."""
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
        if all(row.finite for row in rows if row.kind in RESULTS):
            clauses += ["the loss and the new parameters are finite"]
    return f"step {step}: {'; '.join(clauses)}"


def _context(first: ReplayRow, known: Mapping[tuple[str, str], ReplayRow]) -> Iterator[str]:
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
            layers = [p for kind, p in known if kind == "gradient of output"]
            later = ", and so are the gradients of later layers"
            yield f"the loss is finite{', but not its gradient' if path == layers[0] else later}"
        case "gradient of input" | "gradient":
            layers = (p for kind, p in known if kind == "gradient of output")
            of = max((p for p in layers if f"{path}/".startswith(f"{p}/")), key=len, default=path)
            dy = within("gradient of output", of)
            yield from _finite(f"the gradient of the output of {of}", dy)
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
