"""Evidence for the claims, and the table."""

from statistics import mean
from typing import Any

from experiments.controls.measure import RUNS, TIMING
from experiments.framework.claim import Evidence, NotJudged, Pairs
from experiments.framework.statistics import with_spread
from experiments.framework.table import Best, Table

Found = dict[str, dict[str, Any]]
BETTER = (  # the pairs whose test accuracies are compared
    ("conv3", "dense-wide"),
    ("local3", "dense"),
    ("conv3", "local3"),
    ("dense", "dense, permuted pixels"),
    ("conv3", "conv3, permuted pixels"),
    ("conv3, rate / 4", "dense, rate / 4"),
    ("conv3, tanh", "dense, tanh"),
)


def evidence(m: Found) -> list[Evidence]:
    """Values by seed for each claim, in the order of the record."""
    percent = [_percent(m, a, b) for a, b in BETTER]
    steps = {name: [float(k) for k in m[name]["steps"]] for name in ("dense", "conv3")}
    pairs = Pairs(steps["dense"], steps["conv3"])
    step = m[TIMING]["step_seconds"]
    timed = Pairs(*([k * step[name] for k in steps[name]] for name in ("dense", "conv3")))
    conv = m["conv3"]
    if max(conv["curve"]) < conv["target"]:
        never = f"conv3 did not reach {100 * conv['target']:g} % training accuracy"
        return [*percent[:5], NotJudged(never), NotJudged(never), *percent[5:]]
    return [*percent[:5], pairs, timed, *percent[5:]]


def _percent(m: Found, a: str, b: str) -> Pairs:
    return Pairs(*([100 * v for v in m[name]["test"]] for name in (a, b)))


def table(m: Found) -> Table:
    """One row for each run that is finished."""
    done = {name: m[name] for name in RUNS if name in m}
    percent = (
        f"steps to {100 * next(iter(done.values()))['target']:g} % in training" if done else "steps"
    )
    head = (
        "network",
        "test accuracy, %",
        "training accuracy, %",
        percent,
        "parameters",
        "multiply-adds",
    )
    rows = [
        (
            name,
            with_spread([100 * v for v in r["test"]], 2),
            f"{100 * mean(r['train']):.2f}",
            f"{mean(r['steps']):,.0f}",
            f"{r['parameters']:,}",
            f"{r['multiply_adds']:,}",
        )
        for name, r in done.items()
    ]
    best: dict[str, Best] = {"test accuracy, %": "highest", percent: "lowest"}
    return Table(head, rows, narrow=True, best=best)
