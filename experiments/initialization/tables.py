"""Tables: scales before training and accuracy after it, for each activation and start."""

from statistics import geometric_mean

from experiments.framework.statistics import percent, with_spread
from experiments.framework.table import Table
from experiments.initialization.networks import ACTIVATIONS


def tables(m) -> list[Table]:
    return [_table(name, m[name]["starts"]) for name in ACTIVATIONS if name in m]


def _table(activation, starts):
    head = (
        f"{activation} from",
        *(f"RMS of activations, layer {i}" for i in (1, 5)),
        *(f"RMS of the gradient, layer {i}" for i in (1, 5)),
        "learning rate",
        "test accuracy, %",
    )
    rows = [
        (
            start,
            *_ends(r["rms"]),
            *_ends(r["gradient"]),
            f"{r['rate']:g}" if r["test"] else "all diverge",
            with_spread(percent(r["test"])) if r["test"] else "–",
        )
        for start, r in starts.items()
    ]
    return Table(head, rows, narrow=True, best={head[-1]: "highest"})


def _ends(by_seed):
    """The geometric means over seeds in the first and the last hidden layer."""
    of = lambda values: geometric_mean(values) if min(values) > 0 else 0.0
    return [f"{of([seed[i] for seed in by_seed]):.2g}" for i in (0, -1)]
