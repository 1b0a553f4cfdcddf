"""Tables of parameter_count: parameters of networks, and test accuracy."""

from statistics import fmean

from experiments.framework.statistics import percent, points, with_spread
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
        title = "Largest layers of networks for images of 224×224×3"
        found.append(Table(head, rows, narrow=True, title=title))
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
    found.append(Table(head, rows, narrow=True, best=best, title="Trained networks"))
    return [*found, *_differences(m)]


def _differences(m: Results) -> list[Table]:
    """The difference that the claim about accuracy averages, at each size."""
    dense, conv = m.accuracy("dense"), m.accuracy("conv3")
    rows = [
        (
            f"{width}",
            f"{m.parameters['dense'][width]:,}",
            f"{m.parameters['conv3'][width]:,}",
            with_spread(points(conv[width], dense[width]), 2),
        )
        for width in m.widths
        if width in dense and width in conv
    ]
    head = ("width", "parameters, dense", "parameters, conv3", "conv3 − dense, percentage points")
    return [Table(head, rows, title="Difference of test accuracy by size")] if rows else []
