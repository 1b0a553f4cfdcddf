"""Training of each network on each series, and its error on the test part, which comes last."""

from collections.abc import Generator, Sequence
from math import log2
from typing import Any

import numpy as np

import fcnn
from experiments.forecasting.networks import METHODS, count, network
from experiments.framework.chosen import chosen
from experiments.framework.experiment import Log, Part
from experiments.framework.files_of_data import BATCH, RATES, Files, epochs, identity, with_sizes
from experiments.framework.forecasts import OIL, Parts, Series, read
from experiments.framework.trained import Trials

PASSENGERS = Series(
    *("passengers", "airline-passengers.csv", "Passengers", "thousand passengers", "month"),
    *(12, 12, 12),
    log=True,
)
SUNSPOTS = Series(
    "sunspots", "monthly-sunspots.csv", "Sunspots", "sunspot number", "month", 132, 132, 12
)
SERIES = {series.name: series for series in (OIL, PASSENGERS, SUNSPOTS)}
SEASONAL, LAST = "seasonal naive", "last value"  # forecasts without training
SHOWN = {"oil temperature": 7, "passengers": 2, "sunspots": 47}  # forecasts in a figure


def prepare(config: Files) -> tuple[Files, dict[str, Parts]]:
    names = [PASSENGERS.name] if config.smoke else SERIES
    config = with_sizes(config)
    return config, {name: read(SERIES[name], config) for name in names}


def parts(config: Files, prepared: dict[str, Parts]) -> list[Part]:
    methods = ("LSTM", "linear") if config.smoke else METHODS
    pairs = [(series, method) for series in prepared for method in methods]
    cost = lambda series, method: 3 if method in METHODS[:3] and series != "passengers" else 1
    return [
        Part(f"{series}, {method}", (series, method), cost(series, method))
        for series, method in pairs
    ]


def measure(
    config: Files, prepared: dict[str, Parts], todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    for part in todo:
        name, method = part.payload
        yield part.name, forecast(config, SERIES[name], prepared[name], method, log)


def forecast(
    config: Files, series: Series, windows: Parts, method: str, log: Log
) -> dict[str, Any]:
    """The test error of one network by seed, at the rate with the lowest validation error."""
    model = network(method, series, config.parameters)
    train, validation, test = windows
    trials = Trials(
        model,
        train.examples,
        seeds=config.seeds or 0,
        log=log,
        label=f"{series.name}, {method}",
        loss=fcnn.mean_squared_error,
    )
    best = chosen(
        trials,
        lambda run: -validation.errors(run.outputs(validation.examples.x)),
        epochs=epochs(config, len(train.x)),
        rates=RATES[2:3] if config.smoke else RATES,
        batch_size=BATCH,
    )
    outputs = best.run.outputs(test.examples.x)
    shown = slice(0, SHOWN[series.name] * series.horizon, series.horizon)
    flat = lambda values: np.round(values[shown].ravel(), 2).tolist()
    return {
        "series": series.name,
        "method": method,
        "parameters": count(model, series),
        "rate": best.rate,
        "validation": {f"{rate:g}": [-s for s in scores] for rate, scores in best.scores.items()},
        "error": test.errors(outputs).tolist(),
        "untrained": {SEASONAL: test.naive_error, LAST: test.last_error},
        "windows": [len(each.x) for each in windows],
        "truth": flat(test.truth),
        "shown": {method: flat(test.values(outputs)[0]), SEASONAL: flat(test.naive)},
    }


def data(prepared: dict[str, Parts]) -> str:
    return identity({name: windows.train.truth for name, windows in prepared.items()})


def untrained(m: dict[str, Any], series: str) -> dict[str, float]:
    """The test errors of the forecasts without training, which each part of a series has."""
    return next(m[k]["untrained"] for method in METHODS if (k := f"{series}, {method}") in m)


def error_of(m: dict[str, Any], series: str, method: str) -> list[float]:
    """log2 of the test error by seed, relative to the seasonal naive forecast."""
    part = m[f"{series}, {method}"]
    return [log2(error / part["untrained"][SEASONAL]) for error in part["error"]]


def last_value(m: dict[str, Any], series: str) -> float:
    """log2 of the test error of the last value, relative to the seasonal naive forecast."""
    errors = untrained(m, series)
    return log2(errors[LAST] / errors[SEASONAL])
