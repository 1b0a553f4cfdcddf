"""Rows of a replayed step, in order of computation.

Parameters and state of `repeat` have an axis of blocks. Each block has its own row, as it has for
the outputs of its layers.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.ops.arrays import is_float
from fcnn.training.observer import (
    Blocks,
    Observed,
    Observer,
    Statistics,
    arrays,
    filled,
    statistics,
)
from fcnn.training.replay_report import ReplayRow, as_row

OF_LAYERS = {"parameter", "state", "new state", "gradient", "update", "new parameter"}
OF_EXAMPLES = {"batch", "augmented", "loss"}
Rows = dict[tuple[str, Blocks], list[ReplayRow]]  # by marked path and blocks of the layer


class Leaf(NamedTuple):
    """An array of a step, which is not a layer's output."""

    layer: str  # the marked path of the layer that has it
    path: str  # in the layer
    spec: jax.ShapeDtypeStruct


def measured(kind: str, tree: Any, observer: Observer) -> tuple[list[Leaf], list[Statistics]]:
    """The arrays of a pytree, and their statistics for each block."""
    leaves, found = [], []
    for path, a in arrays(tree):
        layer, rest = observer.marked(path) if kind in OF_LAYERS else ("", path)
        depth = layer.count("[]")
        found.append(reduce(lambda f, _: jax.vmap(f), range(depth), statistics)(a))
        leaves.append(Leaf(layer, rest, jax.ShapeDtypeStruct(a.shape, a.dtype)))
    return leaves, found


def in_order(
    observer: Observer, leaves: Mapping[str, list[Leaf]], found: Mapping[str, list[Statistics]]
) -> tuple[list[ReplayRow], list[ReplayRow]]:
    """All rows, by the reports of the observer and by the arrays of each kind; rows of inputs."""
    runs = observer.ordered()
    first: dict[tuple[str, Blocks], Observed] = {}  # a layer may run twice
    for layer, blocks in runs:
        first.setdefault((layer.path, blocks), layer)
    of = {kind: _by_layer(kind, leaves[kind], found[kind]) for kind in leaves}
    take = lambda kind: [row for key in [*first, *of[kind]] for row in of[kind].pop(key, [])]
    rows = [*take("batch"), *take("augmented"), *take("parameter"), *take("state")]
    rows += [row for row in take("optimizer state") if not row.finite]
    rows += _outputs(runs) + take("new state") + take("loss")
    for layer, blocks in reversed(runs):
        if not layer.innermost:
            continue
        dy, dx = (_reported(layer, blocks, f"gradient of {what}") for what in ("output", "input"))
        rows += dy
        if first[layer.path, blocks] is layer:
            rows += of["gradient"].pop((layer.path, blocks), [])
        if all(row.finite for row in dy):
            rows += [row for row in dx if not row.finite]
    rows += [*take("gradient"), *take("update"), *take("new parameter")]
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


def _by_layer(kind: str, leaves: list[Leaf], found: list[Statistics]) -> Rows:
    rows: Rows = {}
    for (layer, path, spec), each in zip(leaves, found, strict=True):
        depth = layer.count("[]")
        own = jax.ShapeDtypeStruct(spec.shape[depth:], spec.dtype)
        for blocks in np.ndindex(spec.shape[:depth]):
            one = Statistics(*(a[blocks] for a in each))
            name = _joined(filled(layer, blocks), path)
            row = as_row(kind, name, own, one, batch=kind in OF_EXAMPLES)
            rows.setdefault((layer, blocks), []).append(row)
    return rows


def _joined(*names: str) -> str:
    return "/".join(filter(None, names))
