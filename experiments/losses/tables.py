"""Tables: cases by formula, training with each pair, and two classes with one and two logits."""

from experiments.framework.curves import mean_steps
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.losses.learning import TARGET
from experiments.losses.measure import GRADIENTS, LOGITS
from experiments.losses.pairs import PAIRS

TEST = "test accuracy, %"


def tables(m) -> list[Table]:
    return [_gradients(m), _training(m), _two_classes(m)]


def _gradients(m):
    if GRADIENTS not in m:
        return Table((), ())
    found = m[GRADIENTS]
    rows = {f"{pair}: gradient y − t": counts for pair, counts in found["differences"].items()}
    rows["softmax alone: Jacobian diag(y) − y yᵀ, not y − t"] = found["jacobians"]
    rows["confidently wrong: squared error's gradient vanishes"] = found["vanishing"]
    rows["two logits with softmax: sigmoid of the difference"] = found["two logits"]
    counts = [(name, f"{k:,}", f"{n:,}") for name, (k, n) in rows.items()]
    return Table(("formula", "cases in which it holds", "cases"), counts)


def _training(m):
    steps = f"steps to a training accuracy of {100 * TARGET:g} %"
    head = ("output and loss", "best learning rate", steps, TEST)
    best: dict[str, Best] = {steps: "lowest", TEST: "highest"}
    row = lambda r: (f"{r['rate']:g}", mean_steps(r), with_spread(percent(r["test"])))
    rows = [(name, *row(m[name])) for name in PAIRS if name in m]
    return Table(head, rows, narrow=True, best=best)


def _two_classes(m):
    tests = m[LOGITS]["test"] if LOGITS in m else {}
    rows = [(name, with_spread(percent(each))) for name, each in tests.items()]
    return Table(("even and odd labels", TEST), rows)
