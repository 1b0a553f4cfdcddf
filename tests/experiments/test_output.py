"""The table fits 80 columns. A file that cannot be written stops no other file."""

import dataclasses
import errno
import io
import json
import os
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

import fcnn
from experiments import fc_vs_conv
from experiments.__main__ import main
from experiments.fc_vs_conv.config import Config
from experiments.fc_vs_conv.measure import TIMING
from experiments.fc_vs_conv.measured import Measured, Results
from experiments.fc_vs_conv.output import tables
from experiments.framework.claim import Claim, NotJudged
from experiments.framework.command_line import parse
from experiments.framework.options import Output
from experiments.framework.run import Run
from experiments.framework.running import show_verdicts
from experiments.framework.screen import Screen
from experiments.framework.table import Table
from experiments.framework.verdict import judge

RECEIPT = ("config.json", "env.json", "receipt.json")
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


def test_no_cell_of_the_tables_is_cut_at_80_columns():
    console = Console(width=80, record=True)
    for table in tables({"conv3-gap": WIDEST}):
        console.print(table.rich())
    text = console.export_text()
    assert "…" not in text
    for table in tables({"conv3-gap": WIDEST}):
        for cell in table.rows[0]:
            assert cell in text


def test_a_missing_result_is_a_dash():
    accuracy, cost = (table.rows[0] for table in tables({"dense": Measured(1, 1, 1)}))
    assert accuracy[1:] == ("–",) * 4
    assert cost[-2:] == ("–", "–")


def full(monkeypatch, *names):
    """Simulate a full disk for files with these names."""
    original = Path.write_bytes

    def write_bytes(path, data):
        if path.name.lstrip(".").removesuffix(".part") in names:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def test_a_run_continues_if_a_file_cannot_be_written(tmp_path, monkeypatch):
    run = Run("some", tmp_path, Output())
    full(monkeypatch, "results.json", "report.html")
    run.save_json("results.json", {})
    run.save("report.html", "")
    run.save("figure.svg", "<svg>")
    run.metric(loss=1.5)
    run.close()
    first = f"{run.folder / 'results.json'}: No space left on device"
    assert run.failed == f"{first}; 1 other file could not be written either"
    files = {path.name for path in run.folder.iterdir()}
    assert files == {*RECEIPT, "metrics.jsonl", "parts.jsonl", "figure.svg"}
    full(monkeypatch, "config.json")
    with pytest.raises(OSError, match="No space left"):
        Run("some", tmp_path, Output())


@pytest.fixture
def measured(monkeypatch):
    """Replace the measurements of the experiment by fixed results."""

    def measure(config, prepared, todo, log):
        log.metric(network="dense")
        for part in todo:
            yield part.name, {"step": {}} if part.name == TIMING else {}

    fixed = dataclasses.replace(
        fc_vs_conv.EXPERIMENT,
        measure=measure,
        gather=lambda finished: Results({"dense": WIDEST, "conv3": WIDEST}, 1437),
        figures={},
    )
    monkeypatch.setattr(fc_vs_conv, "EXPERIMENT", fixed)


def test_the_table_is_shown_if_the_disk_is_full(tmp_path, monkeypatch, capsys, measured):
    full(monkeypatch, "results.json")
    assert main(["fc_vs_conv", "--smoke", "--output-dir", str(tmp_path)]) == 3
    printed = capsys.readouterr()
    assert "98.65" in printed.out
    assert printed.err.startswith("fc_vs_conv: ")
    assert printed.err.endswith("results.json: No space left on device\n")
    (folder,) = (tmp_path / "fc_vs_conv").iterdir()
    assert {"report.html", "results.csv"} <= {path.name for path in folder.iterdir()}


def test_the_path_of_a_report_that_is_not_written_is_not_printed(
    tmp_path, monkeypatch, capsys, measured
):
    full(monkeypatch, "results.json", "results.csv", "report.html")
    assert main(["fc_vs_conv", "--smoke", "--output-dir", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert "report.html" not in out
    assert err.endswith("No space left on device; 2 other files could not be written either\n")


def test_characters_that_the_encoding_lacks_are_replaced(tmp_path, monkeypatch, measured):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", output)
    assert main(["fc_vs_conv", "--smoke", "--output-dir", str(tmp_path)]) == 0
    output.flush()
    assert b"?" in output.buffer.getvalue()
    assert [*tmp_path.glob("fc_vs_conv/*/report.html")]


def test_texts_are_printed_without_markup():
    screen = Screen(file=(output := io.StringIO()), width=80)
    table = Table(("[b]head[/b]", "x"), [("[/x] :smile:", "[red]1")], title="[link]title")
    screen.print(table.rich())
    claim = Claim("[b]a[/b] exceeds", "value [/x]")
    show_verdicts(screen, judge([claim], [NotJudged("[i]one device")]))
    text = " ".join(output.getvalue().split())
    for shown in ("[b]head[/b]", "[/x] :smile:", "[red]1", "[link]title"):
        assert shown in text
    assert text.endswith("not judged: [b]a[/b] exceeds (value [/x]: [i]one device)")


def test_the_report_is_written_if_standard_output_is_closed(tmp_path, measured):
    """Standard output is a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    stdout = os.dup(1)
    try:
        os.dup2(writer, 1)
        with open(1, "w", closefd=False) as out, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", out)
            assert main(["fc_vs_conv", "--smoke", "--output-dir", str(tmp_path)]) == 0
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(writer)
    (folder,) = (tmp_path / "fc_vs_conv").iterdir()
    assert json.loads((folder / "results.json").read_text())["stopped"] == ""
    assert (folder / "report.html").exists()


def test_a_screen_writes_nothing_after_a_failed_write(monkeypatch):
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        flush = write

    monkeypatch.setattr("experiments.framework.screen.discard_rest", lambda: None)
    screen = Screen(file=Full())
    for _ in range(2):
        screen.print("a line")
    assert screen.quiet


@pytest.mark.parametrize("impl", fcnn.conv.impls)
def test_every_implementation_of_convolution_is_an_option_and_runs(impl):
    assert parse(Config, "fc_vs_conv", ["--conv", impl], "").conv == impl
    conv = partial(fcnn.conv, padding="same", impl=impl)
    x, w = (jax.ShapeDtypeStruct(shape, jnp.float64) for shape in ((2, 6, 6, 2), (3, 3, 2, 4)))
    assert jax.eval_shape(conv, x, w).shape == (2, 6, 6, 4)
