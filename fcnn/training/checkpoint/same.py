"""Comparison of a checkpoint with the run that would continue from it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fcnn.training.checkpoint.arrays import Spec, spec
from fcnn.training.checkpoint.receipt import Receipt


def require_same(
    folder: Path,
    found: Receipt,
    config: Mapping[str, Any],
    arrays: Mapping[str, Any] | None = None,
    ignored: Collection[str] = (),
) -> None:
    """ValueError that lists every entry of the configuration and every array that differs.

    Options:
        config: of the run.
        arrays: of the run, by path; they are not compared if None.
        ignored: beginnings of the paths of arrays that may differ.
    """
    different = _different(found.config, config)
    if arrays is not None:
        different += _of_arrays(found, arrays, ignored)
    if different:
        what = f"{folder} was saved by another run; use another folder, or the values before"
        raise ValueError("\n  ".join([f"{what}:", *different]))


def _of_arrays(found, arrays, ignored):
    before = {path: Spec(dtype, tuple(shape)) for path, (dtype, shape, _) in found.arrays.items()}
    now = {path: spec(a) for path, a in arrays.items()}
    compared = lambda specs: {p: s for p, s in specs.items() if not p.startswith(tuple(ignored))}
    return _different(compared(before), compared(now))


def _different(before, now):
    missing = object()
    shown = lambda value: "absent" if value is missing else f"{value}"
    lines = []
    for name in dict.fromkeys([*before, *now]):
        one, other = before.get(name, missing), now.get(name, missing)
        if one != other:
            lines.append(f"{name}: {shown(one)} before, {shown(other)} now")
    return lines
