"""Tables: regions, starts of the dense network, dropout on few images, and sizes of batch."""

from experiments.framework.bounds import fastest
from experiments.framework.curves import mean_steps
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.normalization.evidence import accuracy_by_start
from experiments.normalization.measure import FEW_IMAGES, REGIONS, STARTS
from experiments.normalization.networks import KINDS, LARGE, SMALL
from experiments.normalization.training import HE, TARGET, best

ACCURACY = "test accuracy, %"


def tables(m) -> list[Table]:
    return [_regions(m), _starts(m), _few_images(m), *(_batches(m, kind) for kind in KINDS)]


def _regions(m):
    rows = [(name, f"{r['right']} of {r['of']}") for name, r in m.get(REGIONS, {}).items()]
    return Table(("norm", "output cells with the expected region"), rows)


def _starts(m):
    rows = []
    for name, part in STARTS.items():
        tests = accuracy_by_start(m[part]) if part in m else {}
        for start, test in tests.items():
            results = m[part]["runs"][start]
            found = results[best(results)] if any(results) else None
            rows.append(
                (
                    f"{name}, {start if start == HE else f'sd {start}'}",
                    f"{found['rate']:g}" if found else "diverges at all rates",
                    mean_steps(fastest(filter(None, results))) if found else "–",
                    with_spread(test),
                )
            )
    steps = f"fewest steps to a training accuracy of {100 * TARGET:g} %"
    marks: dict[str, Best] = {steps: "lowest", ACCURACY: "highest"}
    head = ("network and initial weights", "best learning rate", steps, ACCURACY)
    return Table(head, rows, narrow=True, best=marks)


def _few_images(m):
    rows = [
        (f"{name}, {dropped}", f"{r['rate']:g}", with_spread(percent(r["test"])))
        for name, part in FEW_IMAGES.items()
        for dropped, r in m.get(part, {}).items()
    ]
    return Table(
        ("network and dropout rate", "best learning rate", ACCURACY),
        rows,
        best={ACCURACY: "highest"},
        title="Few training images",
    )


def _batches(m, kind):
    rows = [
        (norm, f"{batch}", f"{r['steps']:,}", f"{r['rate']:g}", with_spread(percent(r["test"])))
        for norm in KINDS[kind][1]
        for batch, r in m.get(f"{kind}, {norm}", {}).items()
    ]
    head = ("norm", "images of a batch", "training steps", "best learning rate", ACCURACY)
    title = f"{kind[0].upper()}{kind[1:]} with batches of {LARGE} and of {SMALL}"
    return Table(head, rows, narrow=True, best={ACCURACY: "highest"}, title=title)
