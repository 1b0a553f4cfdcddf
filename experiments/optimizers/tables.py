"""Tables: the paths, the effective steps, and the training of each network with each method."""

from statistics import fmean

from experiments.framework.curves import mean_steps
from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Best, Table
from experiments.optimizers.evidence import turns_less
from experiments.optimizers.measure import EFFECTIVE, PATHS, TARGET, lost, trained_part
from experiments.optimizers.methods import METHODS
from experiments.optimizers.networks import NETWORKS
from experiments.optimizers.valley import STEPS, USUAL


def tables(m) -> list[Table]:
    return [_paths(m.get(PATHS, {})), _effective(m.get(EFFECTIVE, {})), *_training(m)]


def _paths(found):
    rows = [
        (
            name,
            f"{USUAL[name]:g}",
            f"{fmean(r['turns']):.1f}",
            "–" if name == "SGD" else f"{sum(less := turns_less(found, name))} of {len(less)}",
            f"{100 * fmean(r['across']):.0f}",
        )
        for name, r in found.items()
    ]
    head = ("method", "usual rate", f"changes of the sign of y in {STEPS} steps")
    head += ("starts × rates with fewer than SGD", "share of the path across, %")
    return Table(head, rows, narrow=True, title="Paths on x²/20 + y², means over starts and rates")


def _effective(found):
    rows = [
        (name, f"{r['of']:,}", f"{r['of'] - r['fell']:,}", f"{r['median'][-1]:.3g}")
        for name, r in found.items()
    ]
    head = ("method", "compared steps of parameters", "effective steps that grew")
    title = "Effective steps at a constant rate"
    return Table((*head, "median at the end / rate"), rows, narrow=True, title=title)


def _training(m):
    measured = (f"steps to {TARGET:g} nats", "test accuracy, %", "accuracy lost, percentage points")
    head = ("method", "best learning rate", *measured)
    best: dict[str, Best] = dict(zip(measured, ("lowest", "highest", "lowest"), strict=True))
    for network in NETWORKS:
        found = {name: m.get(trained_part(network, name)) for name in METHODS}
        rows = [
            (
                name,
                f"{r['rate']:.3g}",
                mean_steps(r),
                with_spread(percent(r["test"])),
                with_spread(lost(r)),
            )
            for name, r in found.items()
            if r
        ]
        yield Table(head, rows, narrow=True, best=best, title=network)
