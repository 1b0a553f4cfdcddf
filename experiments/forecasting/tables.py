"""One table per series: networks, their rates, and their errors on the test part."""

from experiments.forecasting.measure import LAST, SEASONAL, SERIES, error_of, last_value, untrained
from experiments.forecasting.networks import METHODS
from experiments.framework.statistics import with_spread
from experiments.framework.table import Table

RELATIVE = "log2 of error / error of the seasonal naive forecast"


def tables(m) -> list[Table]:
    return [table for series in SERIES if (table := of_series(m, series)).rows]


def of_series(m, name: str) -> Table:
    series, rows = SERIES[name], []
    for method in METHODS:
        if part := m.get(f"{name}, {method}"):
            parameters, rate = f"{part['parameters']:,}", f"{part['rate']:g}"
            relative = with_spread(error_of(m, name, method), 3).replace("-", "−")
            rows.append((method, parameters, rate, with_spread(part["error"], 2), relative))
    if rows:
        for method, relative in ((LAST, last_value(m, name)), (SEASONAL, 0)):
            shown = f"{relative:.3f}".replace("-", "−")
            rows.append((method, "–", "–", f"{untrained(m, name)[method]:.2f}", shown))
    error = f"mean absolute error, {series.unit}"
    head = ("forecast", "parameters", "learning rate", error, RELATIVE)
    title = f"{name.capitalize()}, 1 to {series.horizon} {series.step}s ahead"
    return Table(head, rows, True, {error: "lowest", RELATIVE: "lowest"}, title)
