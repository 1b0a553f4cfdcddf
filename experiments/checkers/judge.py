"""Judgement of the checker on one problem whose truth is known.

caught    a gradient that is wrong is not accepted. An error that the checker raises counts too,
          but as neither located nor named.
located   the leaves that are not accepted are those that differ, and at least OVERLAP of their
          entries that differ are marked as wrong, and few others
named     the kind of mistake is one of the true ones, or the sentence gives the value of every
          wrong entry, and the checker finds this kind again at a cotangent that it has not seen
false     a kind that is neither of these
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fcnn
from fcnn.checker.compiled import exactly
from fcnn.checker.diagnosis.context import WHERE

FLOAT0 = jax.dtypes.float0
OVERLAP = 0.9
FRESH = 1_000_003  # seed of the check that looks for a sentence again, at another cotangent

TERMS = ("missing term", "missing mean term", "missing variance term", "missing sum term")

# Kinds of sentences that are true of a kind of mutation or of a mistake in a case by hand.
TRUE = {
    "missing term": (*TERMS, "extra term", "wrong term"),
    "missing sum term": TERMS,
    "wrong term": (*TERMS, "extra term"),
    "missing factor": ("wrong derivative", "extra factor", "wrong factor"),
    "wrong factor": ("wrong derivative", "extra factor", "missing factor"),
    "wrong value": ("wrong derivative", "missing factor"),
    "wrong derivative": ("missing factor", "wrong value"),
    "transposed": ("channels exchanged",),
    "channels exchanged": ("transposed", "gates exchanged"),
    "wrong below zero": ("kink",),
    "ties": ("kink",),
    "mask": ("dropout mask", "wrong below zero"),
    "constant factor": ("mean for sum", "sum for mean", "dropout scale", "missing factor"),
    "border dropped": ("ragged window",),
    "not reduced": ("shape",),
    "shape": ("not reduced", "reduced too far"),
    # Kinds of `unseen.py`, by its author.
    "clipped cotangent": ("not linear",),
    "rectified cotangent": ("not linear",),
    "discounted cotangent": ("extra factor",),
    "split layout": ("channels exchanged",),  # of 3 or 4 entries, it exchanges two
    "absolute factor": ("wrong factor", "wrong derivative"),
    "last term lost": ("missing term", "positions skipped"),
    "added epsilon": ("wrong factor",),
    "wrong count": ("constant factor", "wrong factor"),
}


@dataclass(frozen=True)
class Judgement:
    """The answer of the checker to one problem, and what is true of it.

    must: whether the mistake must be named, not only located.
    """

    name: str
    kind: str
    caught: bool
    located: bool
    named: bool
    false: bool
    must: bool
    seconds: float
    answer: str


def judge(
    name: str,
    kind: str,
    true: tuple[str, ...],
    must: bool,
    forward: Callable,
    args: tuple[Any, ...],
    backward: Callable,
    differing: list[np.ndarray],
) -> Judgement:
    """The judgement on a wrong gradient.

    true:      kinds of sentences that are true of the mistake.
    differing: masks of wrong entries, by leaf.
    """
    start = time.perf_counter()
    try:
        report = fcnn.check(forward, args, backward=backward, cost=False)
    except Exception as error:
        seconds = time.perf_counter() - start
        answer = f"raises {error!r:.200}"
        return Judgement(name, kind, True, False, False, False, must, seconds, answer)
    seconds = time.perf_counter() - start
    bad = [row for row in report.rows if not row.ok]
    named = [row.mistake and _true(row.mistake, true) for row in bad]
    again: list[bool] = [True] * len(bad)
    if not all(named) and any(row.mistake for row in bad):
        again = _again(bad, forward, args, backward)
    reproduced = [n or (row.exact and a) for n, row, a in zip(named, bad, again, strict=True)]
    false = [not r and row.mistake not in WHERE for r, row in zip(reproduced, bad, strict=True)]
    answer = "; ".join(f"{row.leaf}: {row.mistake or row.verdict}: {row.says}" for row in bad)
    located = bool(bad) and _located(report.rows, differing)
    complete = bool(bad) and all(reproduced)
    return Judgement(name, kind, bool(bad), located, complete, any(false), must, seconds, answer)


def _true(kind: str, true: tuple[str, ...]) -> bool:
    """Whether a sentence of this kind is among the true ones."""
    return kind in true or any(kind in TRUE.get(t, ()) for t in true)


def _again(bad, forward, args, backward) -> list[bool]:
    """For each sentence, whether the checker finds its kind again at another cotangent."""
    report = fcnn.check(forward, args, backward=backward, cost=False, seed=FRESH)
    rows = {row.leaf: row for row in report.rows}
    return [rows[row.leaf].mistake == row.mistake for row in bad]


def _located(rows, differing) -> bool:
    for row, mask in zip(rows, differing, strict=True):
        if row.ok == bool(mask.any()):
            return False
        if row.map is None or not mask.any():
            continue
        marked = row.map > 1e-7 * row.map.max(initial=0)
        both = (marked & mask).sum()
        if both < OVERLAP * mask.sum() or both < OVERLAP * marked.sum():
            return False
    return True


def masks(forward: Callable, args: tuple[Any, ...], backward: Callable) -> list[np.ndarray]:
    """Masks of the wrong entries of each inexact leaf, by jax.vjp in float64."""
    with exactly():
        leaves, tree = jax.tree.flatten(args)
        args = jax.tree.unflatten(tree, list(map(_wide, leaves)))
        y, pull = jax.vjp(forward, *args)
        rng = np.random.default_rng(0)
        dy = jax.tree.map(lambda a: _cotangent(rng, a), y)
        R = jax.tree.leaves(pull(dy))
        host = lambda a: np.array(a) if isinstance(a, jax.Array) and _plain(a) else a
        given = jax.tree.map(lambda d: None if d.dtype == FLOAT0 else host(d), dy)
        found = backward(*jax.tree.map(host, args), given)
        G = [
            g
            for part, given in zip(tree.children(), found, strict=True)
            for g in ([None] * part.num_leaves if given is None else part.flatten_up_to(given))
        ]
    return [_mask(np.asarray(r), g) for r, g in zip(R, G, strict=True) if r.dtype != FLOAT0]


def _plain(a):
    """Whether NumPy has the dtype of an array; it has no keys."""
    return not jnp.issubdtype(a.dtype, jax.dtypes.extended)


def _mask(right, found):
    found = np.zeros_like(right) if found is None else np.asarray(found)
    if found.shape != right.shape:
        return np.ones(right.shape, bool)
    top = np.abs(right).max(initial=0)
    return ~(np.abs(right - found) <= 1e-7 * top)


def _wide(a):
    a = jnp.asarray(a)
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        return a.astype(jnp.complex128)
    return a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a


def _cotangent(rng, a):
    if jnp.issubdtype(a.dtype, jnp.complexfloating):
        return jnp.asarray(
            rng.standard_normal(a.shape) + 1j * rng.standard_normal(a.shape), a.dtype
        )
    if jnp.issubdtype(a.dtype, jnp.floating):
        return jnp.asarray(rng.standard_normal(a.shape), a.dtype)
    return np.zeros(a.shape, jax.dtypes.float0)
