"""Tables of im2col: time per multiply-add, and memory by size."""

from typing import Any

from experiments.framework.table import Table
from experiments.im2col.measure import sizes


def tables(m: dict[str, Any]) -> list[Table]:
    found = sizes(m)
    if not found:
        return []
    programs = dict.fromkeys(name for r in found.values() for name in r["seconds"])
    times = [(name, *(_each(r, name) for r in found.values())) for name in programs]
    memory = [
        (
            name,
            _kilobytes(r["input"]),
            *_columns(r),
            *(_kilobytes(r["memory"][impl]) for impl in ("im2col", "tiled")),
        )
        for name, r in found.items()
    ]
    head = ("input kilobytes", "columns kilobytes", "columns / input")
    head = ("size", *head, "im2col kilobytes", "tiled kilobytes")
    return [
        Table(("nanoseconds per multiply-add", *found), times, narrow=True),
        Table(head, memory, narrow=True),
    ]


def _each(r, name):
    seconds = r["seconds"].get(name)
    return f"{1e9 * min(seconds) / r['multiply_adds']:.3g}" if seconds else "–"


def _columns(r):
    if r["looped"]:
        return "–", "–"
    return _kilobytes(r["columns"]["JAX"]), f"{r['columns']['JAX'] / r['input']:g}"


def _kilobytes(count):
    return f"{count / 1e3:,.0f}"
