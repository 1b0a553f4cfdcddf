"""Recurrent, convolutional, dense and linear networks forecast real series, several steps ahead.

    LSTM, GRU, RNN   the window step by step, dense of the last state
    convolution      dilated causal convolutions with 3 taps, dense of the last step
    dense            the window as a vector, one hidden layer with relu
    linear           the window as a vector, one dense layer
    last value       the last value of the window, without training
    seasonal naive   the value one season before, without training

Command: python -m experiments forecasting --data-dir DIR
"""

from experiments.forecasting.figures import FIGURES
from experiments.forecasting.measure import (
    SERIES,
    data,
    error_of,
    last_value,
    measure,
    parts,
    prepare,
)
from experiments.forecasting.networks import METHODS
from experiments.forecasting.tables import tables
from experiments.framework.claim import Claim, Evidence, NotJudged, Pairs
from experiments.framework.experiment import Experiment
from experiments.framework.files_of_data import BATCH, RATES, Files

ERROR = "log2 of the mean absolute error on the test part"
MEAN = "the mean over three series was decided by the smallest of them"
BASELINE = "networks forecast differences from the last value, which was no baseline"
LOWER = f"the source claims a lower error, not one within a margin, and {MEAN}"


def _better(first: str, second: str, by: str, changed: str = "") -> list[Claim]:
    """One claim per series: `first` forecasts it with a lower error than `second`."""
    return [
        Claim(
            f"{first} forecasts {s.name} with a lower error than {second}",
            f"{ERROR}, 1 to {s.horizon} {s.step}s ahead, {by}",
            unit="doublings",
            changed=changed,
        )
        for s in SERIES.values()
    ]


def evidence(m) -> list[Evidence]:
    if missing := [f"{s}, {k}" for s in SERIES for k in METHODS if f"{s}, {k}" not in m]:
        return [NotJudged(f"{missing[0]} was not trained")] * len(EXPERIMENT.claims)
    lstm = {s: error_of(m, s, "LSTM") for s in SERIES}
    against = lambda other: [Pairs(other(s), lstm[s]) for s in SERIES]
    return [
        *against(lambda s: [0.0] * len(lstm[s])),
        *against(lambda s: [last_value(m, s)] * len(lstm[s])),
        *against(lambda s: error_of(m, s, "RNN")),
        *against(lambda s: error_of(m, s, "dense")),
        *(Pairs(lstm[s], error_of(m, s, "convolution")) for s in SERIES),
    ]


EXPERIMENT = Experiment(
    name="forecasting",
    title="Forecasts of real series by recurrent, convolutional, dense and linear networks",
    chapter="sequences",
    sources="Box & Jenkins 1976; Hochreiter & Schmidhuber 1997 (LSTM); Goodfellow, Bengio & "
    "Courville 2016, Deep Learning, chapter 10; Bai, Kolter & Koltun 2018 (causal convolution); "
    "Hyndman & Athanasopoulos 2021, Forecasting (naive and seasonal naive)",
    reach="One split by time of each of three real series with one variable, so one test period "
    "each: pairs are training runs, and the verdicts are about these periods. By default networks "
    "have about 2,000 parameters and about 600 training steps; other series, longer windows, "
    "larger networks and longer training are not covered. Sunspots have no season: their cycle "
    "takes 9 to 14 years, so the value of 132 months before, the mean cycle, is a weak baseline. "
    "Four claims were registered for the mean over the series, and are judged per series: the "
    "smallest series decided the mean. Two more were dropped then: that GRU has a lower error than "
    "a plain RNN, and a linear model than LSTM. The tables show both.",
    claims=(
        *_better("LSTM", "the seasonal naive forecast", "seasonal naive − LSTM"),
        *_better("LSTM", "the naive forecast, the last value", "last value − LSTM", BASELINE),
        *_better("LSTM", "a plain RNN", "RNN − LSTM", MEAN),
        *_better("LSTM", "a dense network on the same window", "dense − LSTM", MEAN),
        *_better("Causal convolution", "LSTM", "LSTM − convolution", LOWER),
    ),
    config=Files,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures=FIGURES,
    summary=lambda config, m: (
        "Six networks forecast oil temperature (ETTh1), airline passengers and monthly sunspots, "
        f"with {config.seeds} seeds each, against the last value and that "
        "one season before."
    ),
    notes=lambda config: [
        *(["--smoke reads no file: its series is a short generated wave."] if config.smoke else []),
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
        f"Each network but the linear model has {config.parameters:,} parameters within 10 %. On "
        "passengers, the linear model has 156, and there are 49 training windows.",
        f"Training: Adam, squared error, about {config.steps:,} steps of {BATCH} windows, and at "
        f"least one pass. The learning rate, of {', '.join(f'{rate:g}' for rate in RATES)}, has "
        "the lowest mean absolute error on validation. There is no early stopping. Recurrent "
        "weights start orthogonal, the bias of LSTM's forget gate at 1.",
        "Differences of log2 are log2 of a ratio: 1 is twice the error. GRU (Cho et al. 2014) and "
        "the linear model (Zeng et al. 2023) are measured, and no claim is about them.",
    ],
    data=data,
)
