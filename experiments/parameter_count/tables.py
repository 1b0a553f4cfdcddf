"""Tables of parameter_count: parameters of networks, and test accuracy."""

from statistics import fmean

from experiments.framework.statistics import percent
from experiments.framework.table import Best, Table
from experiments.parameter_count.measure import Results


def tables(m: Results) -> list[Table]:
    found = []
    if m.counts:
        head = ("network for 224×224×3", "parameters", "largest layer", "share of the largest, %")
        rows = [
            (name, f"{sum(each):,}", f"{max(each):,}", f"{100 * max(each) / sum(each):.2f}")
            for name, each in m.counts["networks"].items()
        ]
        found.append(Table(head, rows, narrow=True))
    accuracy = ("test accuracy, %", "lowest seed, %", "highest seed, %")
    head = ("network", "parameters", "learning rate", *accuracy)
    rows = [
        (
            f"{r['network']}, width {r['width']}",
            f"{r['parameters']:,}",
            f"{r['rate']:g}",
            *(f"{v:.2f}" for v in percent((fmean(r["test"]), min(r["test"]), max(r["test"])))),
        )
        for r in m.trained
    ]
    best: dict[str, Best] = dict.fromkeys(accuracy, "highest")
    return [*found, Table(head, rows, narrow=True, best=best)]
