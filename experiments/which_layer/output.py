"""One table per kind of data; the matrix of scores, and scores by seed."""

from functools import partial
from statistics import fmean
from typing import NamedTuple

from experiments.framework.palette import COLOURS
from experiments.framework.plots import cells, dots, drawing
from experiments.framework.statistics import with_spread
from experiments.framework.table import Table
from experiments.which_layer.measure import scores
from experiments.which_layer.networks import KINDS


class Shown(NamedTuple):
    """How a kind of data is shown, and the kind of layer that textbooks recommend for it."""

    choice: str
    unit: str
    head: str  # of the matrix, in two lines
    digits: int = 2


SHOWN = {
    "digits": Shown("convolution", "test accuracy, %", "digits\n%"),
    "oil temperature": Shown(
        "LSTM", "log2 of error of the seasonal naive forecast / error", "oil\nlog2", 3
    ),
    "breast cancer": Shown("dense", "test accuracy, %", "cancer\n%"),
    "diabetes": Shown("dense", "R², %", "diabetes\nR², %"),
    "SMS spam": Shown("attention", "balanced test accuracy, %", "SMS\n%"),
}


def tables(m) -> list[Table]:
    return [of_data(m, name) for name in SHOWN]


def of_data(m, name: str) -> Table:
    shown = SHOWN[name]
    rows = [
        (
            kind,
            f"{m[f'{name}, {kind}']['parameters']:,}",
            f"{m[f'{name}, {kind}']['rate']:g}",
            with_spread(values, shown.digits).replace("-", "−"),
        )
        for kind, values in scores(m, name).items()
    ]
    head = ("kind of layer", "parameters", "learning rate", shown.unit)
    return Table(head, rows, True, {shown.unit: "highest"}, name[0].upper() + name[1:])


def matrix(axes, m) -> str | None:
    """The textbook's table, measured: kinds of layer by kinds of data."""
    from matplotlib.patches import Rectangle

    found = {name: scores(m, name) for name in SHOWN}
    if any(len(values) < len(KINDS) for values in found.values()):
        return None
    means = {name: {k: fmean(v) for k, v in values.items()} for name, values in found.items()}
    best = {name: max(values, key=values.__getitem__) for name, values in means.items()}
    kinds, names = list(KINDS), list(SHOWN)
    text = [[f"{means[n][k]:.{SHOWN[n].digits}f}".replace("-", "−") for n in names] for k in kinds]
    is_best = lambda row, column: best[names[column]] == kinds[row]
    cells(axes, text, 0, 0, lambda row, column: "blue" if is_best(row, column) else None)
    for column, name in enumerate(names):
        axes.text(column + 0.5, -0.12, SHOWN[name].head, ha="center", va="baseline")
        row = kinds.index(SHOWN[name].choice)
        frame = {"fill": False, "lw": 2, "edgecolor": COLOURS["ink"]}
        axes.add_patch(Rectangle((column + 0.06, row + 0.06), 0.88, 0.88, **frame))
    for row, kind in enumerate(kinds):
        axes.text(-0.1, row + 0.5, kind, ha="right", va="center")
    drawing(axes, len(names), len(kinds), above=0.9)
    axes.set_xlim(-1.5, len(names))
    axes.set_title("Kinds of layer by kinds of data")
    right = [name for name in names if best[name] == SHOWN[name].choice]
    listed = "; ".join(f"{name}: {best[name]} (choice: {SHOWN[name].choice})" for name in names)
    return (
        "Mean test score of four kinds of layer (rows) on five kinds of data (columns); higher is "
        "better. Digits and cancer: accuracy, %; oil: log2 of the error of the seasonal naive "
        "forecast / error; diabetes: R², %; SMS: balanced accuracy, %. Blue: the best mean of the "
        f"column; framed: the textbook's choice. Best: {listed}. The choice has the best mean in "
        f"{len(right)} of {len(names)} columns."
    )


def by_seed(axes, m, name: str) -> str | None:
    found, shown = scores(m, name), SHOWN[name]
    if not found:
        return None
    dots(axes, found, shown.unit, f".{shown.digits}f")
    axes.set_title(f"{name[0].upper()}{name[1:]}: score by seed")
    listed = ", ".join(f"{kind} {fmean(v):.{shown.digits}f}" for kind, v in found.items())
    return (
        f"{shown.unit[0].upper()}{shown.unit[1:]}, on {name}, one dot per seed, with the mean: "
        f"{listed.replace('-', '−')}. Higher is better. The textbook's choice is {shown.choice}."
    )


FIGURES = {"matrix": matrix}
FIGURES |= {name.replace(" ", "_").lower(): partial(by_seed, name=name) for name in SHOWN}
