"""Tables: sizes and reach, rates and test errors by length, gradients, and order."""

from math import log2
from statistics import fmean

from experiments.framework.statistics import with_spread
from experiments.framework.table import Best, Table
from experiments.memory.evidence import falls, log_reach
from experiments.memory.measure import ORDER
from experiments.memory.networks import KINDS
from experiments.memory.tasks import TASKS

DIGITS = {"copy": 1, "adding": 4}


def tables(m) -> list[Table]:
    """`m` may lack parts that were not measured."""
    return [*(_errors(m, task) for task in TASKS), _reach(m), _gradients(m), _order(m)]


def _errors(m, task) -> Table:
    found = {kind: m[f"{task}, {kind}"] for kind in KINDS if f"{task}, {kind}" in m}
    lengths = list(next(iter(found.values()))["error"]) if found else []
    rows = [
        (
            kind,
            f"{r['units']}",
            f"{r['parameters']:,}",
            *(with_spread(r["error"][t], DIGITS[task]) for t in lengths),
            ", ".join(f"{rate:g}" for rate in r["rate"].values()),
        )
        for kind, r in found.items()
    ]
    columns = [f"T = {t}" for t in lengths]
    head = (task, "units", "parameters", *columns, "learning rates")
    best: dict[str, Best] = dict.fromkeys(columns, "lowest") if found else {}
    return Table(head, rows, narrow=True, best=best, title=f"{task}: {TASKS[task].unit}")


def _reach(m) -> Table:
    rows = []
    for task in TASKS:
        done = [kind for kind in KINDS if f"{task}, {kind}" in m]
        for kind in done:
            of = log_reach(m, task, kind)
            rows.append((task, kind, with_spread(of), f"{2 ** fmean(of):.0f}"))
    return Table(("task", "network", "log2 of the reach", "reach, steps, geometric mean"), rows)


def _gradients(m) -> Table:
    rows = []
    for kind in KINDS:
        if "initial" in m.get(f"adding, {kind}", {}):
            ratio = fmean(log2(g[0] / g[-1]) for g in m[f"adding, {kind}"]["initial"])
            fell = (with_spread(falls(m, kind, when), 2) for when in ("initial", "trained"))
            rows.append((kind, *fell, f"{2**ratio:.3g}"))
    head = (
        "gradient",
        "initial, decades per 10 steps",
        "trained, decades per 10 steps",
        "initial, nearest / farthest",
    )
    return Table(head, rows, narrow=True)


def _order(m) -> Table:
    found = m.get(ORDER, {})
    rows = [(f"attention {k}", f"{r['equal']:,} of {r['of']:,}") for k, r in found.items()]
    return Table(("network", "permuted steps give permuted outputs"), rows)
