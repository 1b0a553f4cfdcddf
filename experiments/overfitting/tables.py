"""Tables: the remedies, the numbers of images, and the scales of dropout."""

from statistics import fmean

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.overfitting.factors import FACTORS
from experiments.overfitting.measure import CONV, DENSE, SCALE
from experiments.overfitting.measured import gap

GAP = "training − test accuracy, percentage points"
EVALUATION = {"classic": "(1 − p) x", "inverted": "x", "printed": "p x"}


def tables(m) -> list[Table]:
    return [_factors(m), _images(m), _calibration(m), _scales(m)]


def _factors(m):
    head = ("factor", "strength", "test accuracy, %", GAP)
    head += ("accuracy on noisy images, %", "accuracy on shifted images, %")
    rows = []
    for name in (name for name in FACTORS if name in m):
        r = m[name]
        strength = f"{r['best']:g}" if len(r["strengths"]) > 1 else "–"
        strength = f"{fmean(r['steps']):.0f} steps" if FACTORS[name].stopped else strength
        values = (percent(r["test"]), gap(r), percent(r["noisy"]), percent(r["shifted"]))
        rows.append((name, strength, *map(with_spread, values)))
    best: dict[str, Best] = dict.fromkeys((head[2], *head[4:]), "highest")
    best[head[3]] = "lowest"
    return Table(head, rows, narrow=True, best=best)


def _calibration(m):
    found = {f"{name}, {FACTORS[name].images} images": m[name] for name in FACTORS if name in m}
    found |= {"dense, all images": m[DENSE]} if DENSE in m else {}
    head = ("network", "calibration error, percentage points", "by chance, percentage points")
    errors = {name: r["calibration"] for name, r in found.items()}
    rows = [
        (name, with_spread(r["error"]), with_spread(r["by_chance"])) for name, r in errors.items()
    ]
    return Table(head, rows, narrow=True)


def _images(m):
    head = ("network", "training images", "test accuracy, %", GAP)
    rows = [
        (kind, f"{n:,}", with_spread(percent(each["test"])), with_spread(gap(each)))
        for kind, name in (("dense", DENSE), ("conv", CONV))
        if (r := m.get(name))
        for n, each in zip(r["images"], r["accuracies"], strict=True)
    ]
    return Table(head, rows, narrow=True)


def _scales(m):
    head = ("dropout", "in evaluation", "equal to the mean, of the rates 0.1 to 0.9")
    rows = [
        (form, EVALUATION[form], f"{sum(each)} of {len(each)}")
        for form, each in m.get(SCALE, {}).items()
    ]
    return Table(head, rows)
