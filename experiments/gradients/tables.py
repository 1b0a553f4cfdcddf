"""Tables of gradients: printed formulas, errors, cost, and trained networks."""

from statistics import median
from typing import Any

from experiments.framework.table import Table
from experiments.gradients.formulas import FORMULAS
from experiments.gradients.operators import DTYPES


def tables(m: dict[str, Any]) -> list[Table]:
    found = []
    if "formulas" in m:
        head = ("printed formula", "what it gives", "right")
        found.append(Table(head, [(f.printed, f.gives, f.right) for f in FORMULAS]))
        head = ("formula", "smallest error, printed", "largest error, right")
        rows = [
            (f["name"], f"{min(f['printed']):.2g}", f"{max(f['right']):.2g}")
            for f in m["formulas"]["formulas"]
        ]
        found.append(Table(head, rows))
    if errors := [r["errors"] for r in m.values() if "errors" in r]:
        head = ("error / largest entry", "operators", "median by hand", "largest by hand")
        by = lambda dtype, kind: [e[dtype][kind] for e in errors]
        columns = [(kind, of) for kind in ("hand", "autodiff") for of in (median, max)]
        rows = [
            (dtype, f"{len(errors)}", *(f"{of(by(dtype, kind)):.2g}" for kind, of in columns))
            for dtype in DTYPES
        ]
        head = (*head, "median by autodiff", "largest by autodiff")
        found.append(Table(head, rows, narrow=True))
    if costs := [r for r in m.values() if "cost" in r]:
        head = ("backward pass", "examples, dtype", *_each("milliseconds"), *_each("kilobytes"))
        rows = [
            (
                r["problem"].replace("_", " "),
                f"{r['examples']} {r['dtype']}",
                *(f"{1e3 * r['cost'][k]['seconds']:.3g}" for k in ("hand", "autodiff")),
                *(f"{r['cost'][k]['bytes'] / 1e3:,.0f}" for k in ("hand", "autodiff")),
            )
            for r in costs
        ]
        found.append(Table(head, rows, narrow=True))
    if trained := [r for r in m.values() if "trained" in r]:
        head = ("network trained in", "steps", "largest difference of weights")
        rows = [(r["trained"], f"{r['steps']}", f"{max(r['distance']):.2g}") for r in trained]
        found.append(Table(head, rows))
    return found


def _each(unit):
    return f"{unit} by hand", f"{unit} by autodiff"
