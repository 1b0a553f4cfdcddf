"""The table fits a terminal of 80 columns, whole."""

from rich.console import Console

from experiments.fc_vs_conv.measure import Measured
from experiments.fc_vs_conv.output import rows_of, table

WIDEST = Measured(
    parameters=54_666,
    multiply_adds=4_234_560,
    activation_bytes=292_072,
    test=[0.9869, 0.9861],
    train=[1.0, 1.0],
    shifted={0: [0.9, 0.9], 4: [0.2782, 0.3145]},
    step_seconds=0.01534,
    compile_seconds=1.7,
)


def test_nothing_is_cut_at_80_columns():
    console = Console(width=80, record=True)
    console.print(table({"conv3-gap": WIDEST}))
    text = console.export_text()
    assert "…" not in text
    for cell in rows_of({"conv3-gap": WIDEST})[0]:
        assert cell in text


def test_what_was_not_reached_is_a_dash():
    (row,) = rows_of({"dense": Measured(1, 1, 1)})
    assert row[1:5] == ("–",) * 4
    assert row[-2:] == ("–", "–")
