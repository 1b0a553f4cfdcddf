"""Recurrent, convolutional, dense and linear networks forecast real series, several steps ahead.

    LSTM, GRU, RNN   the window step by step, dense of the last state
    convolution      dilated causal convolutions with 3 taps, dense of the last step
    dense            the window as a vector, one hidden layer with relu
    linear           the window as a vector, one dense layer
    seasonal naive   the value one season before, without training

Command: python -m experiments forecasting --data-dir DIR
"""

from math import log2

from experiments.forecasting.figures import FIGURES
from experiments.forecasting.measure import (
    RATES,
    SERIES,
    Config,
    data,
    error_of,
    mean_error,
    measure,
    parts,
    prepare,
)
from experiments.forecasting.networks import METHODS
from experiments.forecasting.tables import tables
from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs
from experiments.framework.experiment import Experiment
from experiments.framework.files_of_data import BATCH

ERROR = "log2 of the mean absolute error on the test part"
MEAN = "log2 of the mean absolute error on the test part, mean over the three series"
DOUBLINGS = "doublings"
PERCENT = 5


def evidence(m) -> list[Evidence]:
    if missing := [f"{s}, {k}" for s in SERIES for k in METHODS if f"{s}, {k}" not in m]:
        return [NotJudged(f"{missing[0]} was not trained")] * len(EXPERIMENT.claims)
    by_series = [error_of(m, series, "LSTM") for series in SERIES]
    mean = {method: mean_error(m, method) for method in METHODS}
    return [
        *(Pairs([0.0] * len(errors), errors) for errors in by_series),
        Pairs(mean["RNN"], mean["LSTM"]),
        Pairs(mean["RNN"], mean["GRU"]),
        Pairs(mean["dense"], mean["LSTM"]),
        Pairs(mean["LSTM"], mean["convolution"]),
        Pairs(mean["LSTM"], mean["linear"]),
    ]


EXPERIMENT = Experiment(
    name="forecasting",
    title="Forecasts of real series by recurrent, convolutional, dense and linear networks",
    chapter="sequences",
    sources="Box & Jenkins 1976; Hochreiter & Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU); "
    "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 10; Bai, Kolter & Koltun 2018 "
    "(causal convolution); Hyndman & Athanasopoulos 2021, Forecasting (seasonal naive); "
    "Zeng et al. 2023 (linear models)",
    reach="One split by time of each of three real series with one variable, so one test period "
    "each: pairs are training runs, and the verdicts are about these periods. Networks have about "
    "2,000 parameters and about 600 training steps; other series, longer windows, larger networks "
    "and longer training are not covered.",
    claims=(
        *(
            Claim(
                f"LSTM forecasts {s.name} with a lower error than the seasonal naive forecast",
                f"{ERROR}, 1 to {s.horizon} {s.step}s ahead, seasonal naive − LSTM",
                unit=DOUBLINGS,
            )
            for s in SERIES.values()
        ),
        Claim(
            "LSTM forecasts with a lower error than a plain RNN",
            f"{MEAN}, RNN − LSTM",
            unit=DOUBLINGS,
        ),
        Claim(
            "GRU forecasts with a lower error than a plain RNN",
            f"{MEAN}, RNN − GRU",
            unit=DOUBLINGS,
        ),
        Claim(
            "LSTM forecasts with a lower error than a dense network on the same window",
            f"{MEAN}, dense − LSTM",
            unit=DOUBLINGS,
        ),
        Claim(
            f"The error of causal convolution is less than {PERCENT} % above that of LSTM",
            f"{MEAN}, LSTM − convolution; −{log2(1 + PERCENT / 100):.3f} doublings are {PERCENT} %",
            margin=-log2(1 + PERCENT / 100),
            unit=DOUBLINGS,
        ),
        Claim(
            "A linear model on the same window forecasts with a lower error than LSTM",
            f"{MEAN}, LSTM − linear",
            unit=DOUBLINGS,
        ),
    ),
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures=FIGURES,
    summary=lambda config, m: (
        "Six networks forecast oil temperature (ETTh1), airline passengers and monthly sunspots, "
        f"with {config.seeds} seeds each, against the value one season before."
    ),
    notes=lambda config: [
        *(
            f"{s.name.capitalize()} ({s.file}, {s.column}): windows of {s.length} {s.step}s, "
            f"forecasts of the next {s.horizon}, season {s.season} {s.step}s"
            f"{'; networks read and forecast logarithms' if s.log else ''}."
            for s in SERIES.values()
        ),
        "The first half of each series is for training, the next quarter for validation, the last "
        "for test. Scaling is that of the training part. No window crosses a split. Inputs and "
        "targets are differences from the last value of the window, for every network. The error "
        "is the mean over all windows and all steps of the forecast, in the series' units.",
        f"Each network but the linear model has {config.parameters:,} parameters within 10 %. "
        f"Training: Adam, squared error, about {config.steps:,} steps of {BATCH} windows. The "
        f"learning rate, of {', '.join(f'{rate:g}' for rate in RATES)}, has the lowest mean "
        "absolute error on validation.",
        "Differences of log2 are log2 of a ratio: 1 is twice the error. A mean over series is "
        "log2 of a geometric mean.",
    ],
    data=data,
)
