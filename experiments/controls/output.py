"""Evidence for the claims, and the table."""

from statistics import fmean
from typing import Any

from experiments.controls.measure import RUNS, TIMING
from experiments.framework.claim import Evidence, NotJudged, Pairs
from experiments.framework.curves import least_steps, mean_steps, missed
from experiments.framework.statistics import percent, with_spread
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
    better = [Pairs(*(percent(m[name]["test"]) for name in pair)) for pair in BETTER]
    dense, conv, step = m["dense"], m["conv3"], m[TIMING]["step_seconds"]
    steps, seconds = _longer(dense, conv, 1, 1), _longer(dense, conv, step["dense"], step["conv3"])
    return [*better[:5], steps, seconds, *better[5:]]


def _longer(dense, conv, of_dense: float, of_conv: float) -> Evidence:
    """Steps times the seconds of one; a lower bound where dense does not reach the accuracy."""
    target = f"{100 * conv['target']:g} % training accuracy"
    if failures := missed(conv):
        of = f"{failures} of {len(conv['steps'])} seeds"
        return NotJudged(f"conv3 did not reach {target} with {of}; write a larger --epochs")
    times = lambda r, seconds: [float(seconds * k) for k in least_steps(r)]
    found = Pairs(times(dense, of_dense), times(conv, of_conv))
    if missed(dense) and fmean(found.a) <= fmean(found.b):
        return NotJudged(f"dense did not reach {target}; write a larger --epochs")
    return found


def table(m: Found) -> Table:
    """One row for each run that is finished."""
    done = {name: m[name] for name in RUNS if name in m}
    targets = [f"steps to {100 * r['target']:g} % training accuracy" for r in done.values()]
    steps = targets[0] if targets else "steps"
    head = ("network", "test accuracy, %", "training accuracy, %", steps)
    rows = [
        (
            name,
            with_spread(percent(r["test"]), 2),
            f"{fmean(percent(r['train'])):.2f}",
            mean_steps(r),
            f"{r['parameters']:,}",
            f"{r['multiply_adds']:,}",
        )
        for name, r in done.items()
    ]
    best: dict[str, Best] = {"test accuracy, %": "highest", steps: "lowest"}
    return Table((*head, "parameters", "multiply-adds"), rows, narrow=True, best=best)
