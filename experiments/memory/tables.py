"""Tables: sizes and reach, rates and test errors by length, gradients, and order."""

from statistics import fmean

from experiments.framework.statistics import with_spread
from experiments.framework.table import Best, Table
from experiments.memory.evidence import falls, log_reach
from experiments.memory.measure import ORDER
from experiments.memory.networks import KINDS
from experiments.memory.tasks import GRADIENT_LENGTHS, TASKS

ERRORS = {"copy": ("symbols wrong, %", 1), "adding": ("squared error", 4)}  # and digits

FALLS = {when: f"{when}, T = {t}, decades per 10 steps" for when, t in GRADIENT_LENGTHS.items()}


def tables(m) -> list[Table]:
    """`m` may lack parts that were not measured."""
    errors = [_errors(m, task, *ERRORS[task]) for task in TASKS]
    return [_reach(m), *errors, _rates(m), _gradients(m), _order(m)]


def _measured(m, task):
    return {kind: m[f"{task}, {kind}"] for kind in KINDS if f"{task}, {kind}" in m}


def _reach(m) -> Table:
    rows = []
    for task in TASKS:
        for kind, r in _measured(m, task).items():
            of = log_reach(m, task, kind)
            size = f"{r['units']}", f"{r['parameters']:,}"
            rows.append((task, kind, *size, with_spread(of), f"{2 ** fmean(of):.0f}"))
    log, steps = "log2 of the reach, doublings", "geometric mean of the reach, steps"
    return Table(("task", "network", "units", "parameters", log, steps), rows, narrow=True)


def _errors(m, task, what, digits) -> Table:
    found = _measured(m, task)
    lengths = list(next(iter(found.values()))["error"]) if found else []
    spreads = lambda by: [with_spread(by[t], digits) for t in lengths]
    rows = [(kind, *spreads(r["error"])) for kind, r in found.items()]
    columns = [f"T = {t}, {what}" for t in lengths]
    best: dict[str, Best] = dict.fromkeys(columns, "lowest")
    return Table((task, *columns), rows, narrow=True, best=best)


def _rates(m) -> Table:
    rows, lengths = [], []
    for task in TASKS:
        for kind, r in _measured(m, task).items():
            lengths = list(r["rate"])
            rows.append((f"{task}, {kind}", *(f"{rate:g}" for rate in r["rate"].values())))
    return Table(("network", *(f"learning rate, T = {t}" for t in lengths)), rows, narrow=True)


def _gradients(m) -> Table:
    rows = []
    for kind in KINDS:
        if "initial" in m.get(f"adding, {kind}", {}):
            rows.append((kind, *(with_spread(falls(m, kind, when), 2) for when in FALLS)))
    return Table(("gradient", *FALLS.values()), rows, narrow=True)


def _order(m) -> Table:
    found = m.get(ORDER, {})
    rows = [(f"attention {k}", f"{r['equal']:,} of {r['of']:,}") for k, r in found.items()]
    return Table(("network", "permuted steps give permuted outputs"), rows)
