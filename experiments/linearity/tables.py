"""Tables of linearity: linear maps, XOR, curves, sawtooths, and trained networks."""

from statistics import mean
from typing import Any

from experiments.framework.table import Best, Table

REGIONS = ("regions before training", "regions after training")


def tables(m: dict[str, Any]) -> list[Table]:
    found = []
    if jacobians := [r for name, r in m.items() if name.startswith("Jacobians")]:
        different = ("different Jacobians, linear", "different Jacobians, relu")
        head = ("hidden layers", "rank", "largest error", *different)
        rows = [
            (
                f"{r['depth']}",
                _range(r["rank"]),
                f"{max(r['error']):.2g}",
                _range(r["distinct"]),
                _range(r["distinct with relu"]),
            )
            for r in jacobians
        ]
        found.append(Table(head, rows, title="Jacobians at several images"))
    if "XOR" in m:
        head = ("network for XOR", "seeds with 4 of 4 points correct", "seeds")
        name = lambda n: f"{n} relu units" if n else "perceptron"
        rows = [
            (name(r["hidden"]), f"{r['correct'].count(4)}", f"{len(r['correct'])}")
            for r in m["XOR"]["trained"]
        ]
        by_hand = int(m["XOR"]["by hand"] == 4)
        rows.append(("2 relu units, weights by hand", f"{by_hand}", "1"))
        found.append(Table(head, rows, title="XOR"))
    if "curves" in m:
        head = ("relu units", "largest error, interpolation", "largest error, trained")
        trained = {r["units"]: f"{mean(r['errors']):.4f}" for r in m["curves"]["trained"]}
        rows = [
            (f"{r['units']}", f"{mean(r['errors']):.4f}", trained.get(r["units"], "–"))
            for r in m["curves"]["constructed"]
        ]
        found.append(Table(head, rows, title="Curves of one variable"))
    if "sawtooth" in m:
        head = ("depth of the sawtooth", "parameters", "regions", "at most, one hidden layer")
        rows = [
            (f"{d}", f"{6 * d + 1}", f"{r['regions']:,}", f"{2 * d + 1}")
            for r in m["sawtooth"]
            for d in [r["depth"]]
        ]
        found.append(Table(head, rows, title="Linear regions of the sawtooth"))
    if nets := [r for r in m.values() if "test" in r]:
        head = ("network", "parameters", "relu units", "learning rate", "test accuracy, %")
        rows = [
            (
                r["network"],
                f"{r['parameters']:,}",
                f"{r['units']:,}" if r["regions"] else "–",
                f"{r['rate']:g}",
                f"{100 * mean(r['test']):.2f}",
                *(f"{mean(counts):.1f}" for counts in r["regions"].values()),
                *["–"] * (0 if r["regions"] else 2),
            )
            for r in nets
        ]
        best: dict[str, Best] = {"test accuracy, %": "highest"}
        head = (*head, *REGIONS)
        found.append(Table(head, rows, narrow=True, best=best, title="Networks for images"))
    return found


def _range(values):
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
