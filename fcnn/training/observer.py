"""Statistics of every layer in one step, which the compiled step reports while it runs.

    y = f(x)         forward pass: statistics of x and y
    dx = f'(x)ᵀ dy   backward pass: statistics of dy and dx, if x has a gradient

An observed model is traced as usual. Callbacks bring the statistics to the host, because the blocks
of `repeat` run in a loop. A tap is the identity, whose backward pass reports its cotangent.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.layers import Call, Layer
from fcnn.ops.arrays import is_float
from fcnn.ops.contraction import accumulation_dtype
from fcnn.training.paths import with_paths

EXAMPLES = 3  # indices of examples that are kept
Blocks = tuple[int, ...]  # the block of each enclosing `repeat`


class Statistics(NamedTuple):
    """Statistics of one array. Without a finite entry, least is inf and greatest is -inf."""

    least: Any  # finite entry
    greatest: Any  # finite entry
    nan: Any  # number of entries
    infinite: Any  # number of entries
    examples: Any  # the first indices along the first axis with entries that are not finite


class Observed(NamedTuple):
    """One traced forward pass of a layer, and what its runs report."""

    path: str  # where "[]" marks each `repeat`
    kind: str
    innermost: bool
    arrays: dict[str, list[tuple[str, jax.ShapeDtypeStruct]]]  # of "input" and "output", by path
    reports: dict[tuple[str, Blocks], list[Statistics]]

    def name(self, blocks: Blocks) -> str:
        """The path of one block; the kind of the layer if it is the whole model."""
        return filled(self.path if self.path.strip("[]") else self.kind + self.path, blocks)


class Observer:
    """The layers of a model in the order in which their forward passes end."""

    def __init__(self):
        self.layers: list[Observed] = []

    def observed(self, model: Layer) -> Layer:
        """The model, which reports the first pass that is traced; a line search traces others."""
        passes = iter([self._see])

        def forward(params, state, x, call):
            call = dataclasses.replace(call, observe=next(passes, None))
            return model.forward(params, state, x, call)

        return dataclasses.replace(model, forward=forward)

    def _see(self, layer: Layer, call: Call, run: Callable, x: Any) -> Any:
        before, reports, specs = len(self.layers), {}, {}

        def passed(what, tree):
            found = arrays(tree)
            specs[what] = [(path, jax.ShapeDtypeStruct(a.shape, a.dtype)) for path, a in found]
            _report(reports, what, call.blocks, [a for _, a in found])
            return _tapped(partial(_report, reports, f"gradient of {what}"), call.blocks, tree)

        y, state = run(passed("input", x))
        y, innermost = passed("output", y), before == len(self.layers)
        self.layers.append(Observed(call.path, layer.name, innermost, specs, reports))
        return y, state

    def ordered(self) -> list[tuple[Observed, Blocks]]:
        """Each layer with each of its blocks, in order of computation."""
        start: dict[str, int] = {}
        for i, layer in enumerate(self.layers):
            for loop in _loops(layer.path):
                start.setdefault(loop, i)

        def place(run):
            i, blocks = run
            loops = [start[loop] for loop in _loops(self.layers[i].path)]
            return [*zip(loops, blocks, strict=True), (i, 0)]

        runs = [
            (i, b) for i, a in enumerate(self.layers) for what, b in a.reports if what == "output"
        ]
        return [(self.layers[i], blocks) for i, blocks in sorted(runs, key=place)]

    def marked(self, path: str) -> tuple[str, str]:
        """The marked path of the layer that has the parameter or state at `path`, and the rest."""
        known: dict[str, str] = {}
        for layer in self.layers:
            known.setdefault(layer.path.replace("[]", ""), layer.path)
        names = path.split("/")
        k = next(k for k in range(len(names), -1, -1) if "/".join(names[:k]) in known)
        return known["/".join(names[:k])], "/".join(names[k:])


def statistics(a: Any, xp: Any = jnp) -> Statistics:
    """Statistics of an array of numbers or booleans, computed by jnp, or by NumPy if `xp` is np."""
    a = xp.abs(a) if xp.iscomplexobj(a) else a
    a = a.astype(accumulation_dtype(a.dtype) if is_float(a) else float)
    finite, nan = xp.isfinite(a), xp.isnan(a)
    least = xp.where(finite, a, xp.inf).min(initial=xp.inf)
    greatest = xp.where(finite, a, -xp.inf).max(initial=-xp.inf)
    examples = _first(~finite.all(axis=tuple(range(1, a.ndim))), xp) if a.ndim else ()
    return Statistics(least, greatest, nan.sum(), (~finite & ~nan).sum(), examples)


def _first(bad, xp):
    """The first indices where `bad` holds, then n; by reductions, which devices can share."""
    n, found = bad.shape[0], [-1]
    indices = xp.arange(n)
    for _ in range(EXAMPLES):
        found.append(xp.where(bad & (indices > found[-1]), indices, n).min(initial=n))
    return found[1:]


def arrays(tree: Any) -> list[tuple[str, Any]]:
    """Path and array of each leaf that holds numbers or booleans; random keys are left out."""
    holds = lambda a, kind: jnp.issubdtype(jnp.result_type(a), kind)
    return [
        (path, a) for path, a in with_paths(tree) if holds(a, jnp.number) or holds(a, jnp.bool_)
    ]


def filled(path: str, blocks: Blocks) -> str:
    """The path with the numbers of blocks in its marks."""
    for i in blocks:
        path = path.replace("[]", f"[{i}]", 1)
    return path


def _loops(path):
    """The path of each `repeat` around a layer, up to its mark."""
    return [path[: i + 2] for i in range(len(path)) if path.startswith("[]", i)]


def _report(reports, what, blocks, found):
    """Report the statistics of arrays when the traced program runs."""

    def keep(blocks, found):
        reports[what, tuple(map(int, blocks))] = jax.tree.map(np.asarray, found)

    jax.debug.callback(keep, blocks, [statistics(a) for a in found])


def _tapped(report, blocks, tree):
    """The tree, with a report of the cotangents of its floats."""

    @jax.custom_vjp
    def tap(blocks, floats):
        return floats

    def backward(blocks, cotangents):
        report(blocks, cotangents)
        return None, cotangents

    tap.defvjp(lambda blocks, floats: (floats, blocks), backward)
    leaves, structure = jax.tree.flatten(tree)
    at = [i for i, a in enumerate(leaves) if is_float(a)]
    for i, a in zip(at, tap(blocks, [leaves[i] for i in at]), strict=True):
        leaves[i] = a
    return jax.tree.unflatten(structure, leaves)
