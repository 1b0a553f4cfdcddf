"""Figures: forecasts against the truth for each series, and errors by seed."""

from functools import partial
from statistics import fmean

import numpy as np

from experiments.forecasting.measure import LAST, SEASONAL, SERIES, error_of, last_value
from experiments.forecasting.networks import METHODS
from experiments.framework.figures import label_lines
from experiments.framework.palette import COLOURS
from experiments.framework.plots import colour_of, dots

ACROSS = "log2 of error / error of seasonal naive"
METHOD = "LSTM"


def against_truth(axes, m, name: str) -> str | None:
    """Forecasts of LSTM from the start of the test part, one horizon after the other."""
    part = m.get(f"{name}, {METHOD}")
    if part is None:
        return None
    series, truth = SERIES[name], np.array(part["truth"])
    steps = np.arange(len(truth))
    lw = 1.2 if len(truth) > 200 else 2
    axes.plot(steps, truth, color=COLOURS["ink"], lw=lw, label="truth")
    errors = {}
    for method, style in ((SEASONAL, ":"), (METHOD, "-")):
        forecast = np.array(part["shown"][method])
        errors[method] = np.abs(forecast - truth).mean()
        axes.plot(steps, forecast, style, color=colour_of(method), lw=lw, label=method)
    axes.set_xlabel(f"{series.step} of the test part, after its first {series.length}")
    axes.set_ylabel(series.unit)
    axes.set_title(f"Forecasts of {name}, 1 to {series.horizon} {series.step}s ahead")
    label_lines(axes)
    return (
        f"{name.capitalize()} ({series.unit}) in the first {len(truth)} {series.step}s of the test "
        f"part that are forecast, by {METHOD} (seed 0) and by the seasonal naive forecast, in "
        f"{len(truth) // series.horizon} forecasts of {series.horizon} {series.step}s each. Mean "
        f"absolute error of the {series.step}s shown: {METHOD} {errors[METHOD]:.2f}, "
        f"{SEASONAL} {errors[SEASONAL]:.2f}."
    )


def by_seed(axes, m, name: str) -> str | None:
    """The error of each method on one series, and of the forecasts without training."""
    found = {k: error_of(m, name, k) for k in METHODS if f"{name}, {k}" in m}
    if not found:
        return None
    found |= {LAST: [last_value(m, name)], SEASONAL: [0.0]}
    dots(axes, found, ACROSS, ".2f")
    axes.axvline(0, color=colour_of(SEASONAL), lw=1, ls="--", zorder=0)
    axes.set_title(f"Error on {name}")
    means = ", ".join(f"{k} {fmean(v):.2f}" for k, v in found.items()).replace("-", "−")
    return (
        f"Mean absolute error relative to the seasonal naive forecast, log2, on the test part of "
        f"{name}; one dot per seed, with the mean: {means}. The last two forecasts are not "
        "trained. Below 0, the dashed line, a forecast is better than the seasonal naive forecast; "
        "−1 is half its error."
    )


def _named(name: str) -> str:
    return name.replace(" ", "_")


FIGURES = {f"forecast_{_named(name)}": partial(against_truth, name=name) for name in SERIES}
FIGURES |= {f"error_{_named(name)}": partial(by_seed, name=name) for name in SERIES}
