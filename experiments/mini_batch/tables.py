"""Tables: training with each batch size, and noise of the gradient by batch size."""

from statistics import fmean

from experiments.framework.curves import mean_steps
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.mini_batch.evidence import formula_distance, seconds, slope
from experiments.mini_batch.learning import TARGET
from experiments.mini_batch.measure import BATCHES, NOISE, TIMES


def tables(m) -> list[Table]:
    return [_training(m), _noise(m)]


def _training(m):
    epochs, second = f"epochs to {TARGET:g} nats", f"seconds to {TARGET:g} nats"
    tests = (f"test accuracy at {TARGET:g} nats, %", "test accuracy after the last epoch, %")
    head = ("images per step", "best learning rate", epochs, "milliseconds of an epoch", second)
    best: dict[str, Best] = dict.fromkeys(head[2:], "lowest")
    best |= dict.fromkeys(tests, "highest")
    rows = [_row(m, name) for name in BATCHES if name in m and TIMES in m]
    return Table((*head, *tests), rows, narrow=True, best=best)


def _row(m, name):
    r = m[name]
    epochs = mean_steps(r)
    bound = "≥ " if epochs.startswith("≥") else ""
    return (
        name,
        f"{r['rate']:g}",
        epochs,
        f"{1e3 * fmean(m[TIMES][name]):.2f}",
        f"{bound}{fmean(2**s for s in seconds(m, name)):.3f}",
        *(with_spread(percent(r[what])) for what in ("test_at_loss", "test")),
    )


def _noise(m):
    if NOISE not in m:
        return Table((), ())
    rows = [
        (
            name,
            *(f"{fmean(p['noise'][size] for p in points):.4f}" for size in points[0]["noise"]),
            with_spread([slope(p) for p in points], 3),
            f"{fmean(map(formula_distance, points)):.1f}",
        )
        for name, points in m[NOISE]["points"].items()
    ]
    sizes = next(iter(m[NOISE]["points"].values()))[0]["noise"]
    head = ("parameters", *(f"noise, {n} image{'s' if n != '1' else ''}" for n in sizes))
    last = "half of the images without replacement: distance from the formula, %"
    return Table((*head, "slope of log noise", last), rows, narrow=True)
