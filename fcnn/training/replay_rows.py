"""Rows of a replayed step, in order of computation.

Parameters and state of `repeat` have an axis of blocks. Each block has its own row, as it has for
the outputs of its layers.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fcnn.ops.arrays import is_float
from fcnn.training.observer import (
    Blocks,
    Observed,
    Observer,
    arrays,
    filled,
    statistics,
)
from fcnn.training.replay_report import ReplayRow, as_row

# The kinds of the arrays that have the paths of layers, and an axis of examples.
OF_LAYERS = {"parameter", "state", "new state", "gradient", "update", "new parameter"}
OF_EXAMPLES = {"batch", "augmented", "loss"}
Rows = dict[tuple[str, Blocks], list[ReplayRow]]  # by marked path and blocks of the layer


def in_order(
    observer: Observer, trees: Mapping[str, Any]
) -> tuple[list[ReplayRow], list[ReplayRow]]:
    """All rows, by the reports of the observer and by the arrays of each kind; rows of inputs."""
    runs = observer.ordered()
    first: dict[tuple[str, Blocks], Observed] = {}  # a layer may run twice
    for layer, blocks in runs:
        first.setdefault((layer.path, blocks), layer)
    of = {kind: _by_layer(kind, tree, observer) for kind, tree in trees.items()}
    take = lambda kind: [row for key in [*first, *of[kind]] for row in of[kind].pop(key, [])]
    rows = [*take("batch"), *take("augmented"), *take("parameter"), *take("state")]
    rows += _outputs(runs) + take("new state") + take("loss") + take("mean loss")
    for layer, blocks in reversed(runs):
        if not layer.innermost:
            continue
        dy, dx = (_reported(layer, blocks, f"gradient of {what}") for what in ("output", "input"))
        rows += dy
        if first[layer.path, blocks] is layer:
            rows += of["gradient"].pop((layer.path, blocks), [])
        if all(row.finite for row in dy):
            rows += [row for row in dx if not row.finite]
    rows += take("gradient")
    rows += [row for row in take("optimizer state") if row.nan or row.infinite]
    rows += take("update") + take("new parameter")
    return rows, [row for layer, blocks in runs for row in _reported(layer, blocks, "input")]


def _outputs(runs: Iterable[tuple[Observed, Blocks]]) -> list[ReplayRow]:
    """Rows of outputs, without those of a layer with parts that repeat the output of its last."""
    rows: list[ReplayRow] = []
    for layer, blocks in runs:
        new = _reported(layer, blocks, "output")
        same = [row[2:] for row in new] == [row[2:] for row in rows[-len(new) :]]
        rows += [] if same and not layer.innermost else new
    return rows


def _reported(layer: Observed, blocks: Blocks, what: str) -> list[ReplayRow]:
    """Rows of the inputs or outputs of a layer, or of their gradients, if it reported them."""
    if (what, blocks) not in layer.reports:
        return []
    specs = layer.arrays[what.removeprefix("gradient of ")]
    if what.startswith("gradient"):
        specs = [(path, spec) for path, spec in specs if is_float(spec)]
    found = zip(specs, layer.reports[what, blocks], strict=True)
    name = layer.name(blocks)
    return [as_row(what, _joined(name, p), spec, a, batch=True) for (p, spec), a in found]


def _by_layer(kind: str, tree: Any, observer: Observer) -> Rows:
    """Rows of the arrays in a pytree, by the layer and the block that have them."""
    rows: Rows = {}
    for path, a in arrays(tree):
        layer, rest = observer.marked(path) if kind in OF_LAYERS else ("", path)
        whole = np.asarray(a)
        for blocks in np.ndindex(whole.shape[: layer.count("[]")]):
            own = whole[blocks]
            name = _joined(filled(layer, blocks), rest)
            row = as_row(kind, name, own, statistics(own, np), batch=kind in OF_EXAMPLES)
            rows.setdefault((layer, blocks), []).append(row)
    return rows


def _joined(*names: str) -> str:
    return "/".join(filter(None, names))
