"""Commands check output paths first. A file that cannot be written stops no other output."""

import errno
import io
import json
import os
import re
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.speed.train_steps import BENCH as SPEED
from fcnn import installation
from fcnn.bench.machine import Roofline
from fcnn.checker import Report
from fcnn.checker.report import Row
from fcnn.cli import bench, check, main, ops, verdict_table
from fcnn.cli.bench.bench import Bench, run
from fcnn.cli.bench.recorded import lines
from fcnn.cli.table import pieces, table, wrapped
from fcnn.ops import OPS

RESULTS = Path(__file__).parent.parent / "experiments" / "results" / "speed"
WHERE = {"jax": "", "device": "cpu", "matmul precision": "highest", "seed": 0}
RIGHT = Report((Row("relu", "x", (2, 3), "float32", "right", 0.0),), {}, {}, WHERE)


@pytest.fixture(autouse=True)
def checked(monkeypatch):
    """Replace the check of a target, and list the names of the targets that would be checked."""
    names = []
    checked = lambda t, chosen, progress: names.append(t.name) or RIGHT
    monkeypatch.setattr(check, "_checked", checked)
    return names


class Broken(io.StringIO):
    """Standard output to which each write fails with the error `number`."""

    def __init__(self, number):
        super().__init__()
        self.number, self.file = number, os.open(os.devnull, os.O_WRONLY)

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))

    def fileno(self):
        return self.file


@pytest.mark.parametrize("option", ["--html", "--json"])
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("none/a.json", "there is no folder .*none"),
        ("file/a.json", "there is no folder .*file"),
        ("folder.json", "is a folder; write a file in it"),
    ],
)
def test_a_path_that_cannot_be_written_is_an_error_before_the_check(
    tmp_path, capsys, checked, option, place, why
):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(["check", "relu", option, str(tmp_path / place)]) == 2
    assert checked == []
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(f"fcnn check: {option} .*{place}: {why}", line)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_page_that_cannot_be_written_stops_no_other_output(tmp_path, capsys, monkeypatch, number):
    page, recorded = tmp_path / "page.html", tmp_path / "recorded.json"
    page.write_text("before")
    write_bytes = Path.write_bytes

    def fails(path, data):
        if "page" in path.name:
            raise OSError(number, os.strerror(number))
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", fails)
    assert main(["check", "relu", "--json", str(recorded), "--html", str(page)]) == 2
    printed = capsys.readouterr()
    assert printed.out.rstrip().endswith("1 of 1 gradients are right.")
    assert printed.err == f"fcnn check: --html {page}: {os.strerror(number)}\n"
    assert page.read_text() == "before"
    assert json.loads(recorded.read_text())["ok"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page.html", "recorded.json"]


def test_a_full_device_loses_only_the_page(tmp_path, capsys):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    assert main(["check", "relu", "--html", str(full)]) == 2
    printed = capsys.readouterr()
    assert "1 of 1 gradients are right." in printed.out
    assert printed.err == f"fcnn check: --html {full}: No space left on device\n"
    assert full.is_char_device()


@pytest.mark.parametrize("name", ["mine.py", "page", "page.html.py"])
def test_a_page_must_have_the_suffix_html(tmp_path, capsys, checked, name):
    path = tmp_path / name
    path.write_text("before")
    assert main(["check", "relu", "--html", str(path)]) == 2
    line = f"fcnn check: --html {path}: does not end in .html; write each NAME before --html\n"
    assert capsys.readouterr().err == line
    assert (path.read_text(), checked) == ("before", [])
    assert main(["check", "relu", "--html", str(tmp_path / "Page.HTM")]) == 0


def test_a_file_is_replaced_through_a_link(tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("before")
    link.symlink_to(page)
    assert main(["check", "relu", "--html", str(link)]) == 0
    assert link.is_symlink()
    assert "1 of 1 gradients are right" in page.read_text()


@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 141), (errno.ENOSPC, 2)])
def test_files_are_written_though_standard_output_fails(tmp_path, monkeypatch, number, code):
    monkeypatch.setattr("sys.stdout", Broken(number))
    assert main(["check", "relu", "--html", str(tmp_path / "page.html")]) == code
    assert "1 of 1 gradients are right" in (tmp_path / "page.html").read_text()


def test_json_is_printed_without_a_path_and_written_with_a_path(tmp_path, capsys):
    assert main(["check", "relu", "--json"]) == 0
    printed = capsys.readouterr().out
    assert main(["check", "relu", "--json", str(tmp_path / "a.json")]) == 0
    assert (tmp_path / "a.json").read_text().strip() == printed.strip()
    assert "gradients are right." in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["check", "--json", "relu"])
    assert left.value.code == 2
    assert "'relu' does not end in .json; write each NAME before --json" in capsys.readouterr().err


class Measured(NamedTuple):
    name: str
    seconds: float


def draw(rows, top, axes):
    axes.plot([row.seconds for row in rows])


QUICK = Bench(
    "fcnn bench quick",
    help="",
    description="",
    packages=(),
    options=lambda tool: None,
    choose=lambda chosen: [Measured(name, 1.5) for name in ("one", "two")],
    measure=lambda thing, chosen: thing,
    row=Measured,
    head=lambda row: ("name", "seconds"),
    cells=lambda row, top: (row.name, f"{row.seconds}"),
    draw=draw,
)


def test_a_bench_writes_its_files_though_standard_output_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench.bench, "roofline", lambda dtype: Roofline(1e11, 1e10))
    monkeypatch.setattr(bench.bench, "machine_info", lambda packages: {})
    recorded, figure = tmp_path / "recorded.json", tmp_path / "figure.PNG"
    chosen = Namespace(rounds=1, json=recorded, plot=figure)
    assert run(QUICK, chosen) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| two | 1.5 |"
    for path in (recorded, figure):
        path.unlink()
    monkeypatch.setattr("sys.stdout", Broken(errno.EPIPE))
    with pytest.raises(BrokenPipeError):
        run(QUICK, chosen)
    assert [row["name"] for row in json.loads(recorded.read_text())["rows"]] == ["one", "two"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(BrokenPipeError):  # a run without files to write stops at once
        run(QUICK, Namespace(rounds=1, json=None, plot=None))


@pytest.mark.parametrize("name", ["cpu_ops", "cpu_peers", "cpu_models", "cpu_conv"])
@pytest.mark.parametrize("width", [90, 120, 200])
def test_tables_fit_the_terminal(name, width):
    recorded = json.loads((RESULTS / f"{name}.json").read_text())
    benches = (*bench.BENCHES, SPEED)
    shown = lines(benches, recorded, width)
    assert max(map(len, "\n".join(shown).splitlines())) <= width
    plain = lines(benches, recorded)
    content = lambda text: sorted(p for p in pieces(" ".join(text), 1) if set(p) - set("|-:"))
    assert content(shown[1:]) == content(plain[1:])


def test_a_table_takes_rows_from_a_generator():
    def rows():
        yield "a", "123"
        yield "bb bb bb", "2 (222)"

    shown = table(("name", "a long title"), rows(), 14, numbers=True, names=("a", "bbbbbb"))
    assert list(shown) == [
        "name        a",
        "         long",
        "        title",
        "------  -----",
        "a         123",
        "bb bb       2",
        "bb      (222)",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("lax_forward", ["lax_", "forward"]),
        ("conv-3x3-32x32x64-dw", ["conv-", "3x3-32x", "32x64-", "dw"]),
        ("a lax_forward b", ["a", "lax_", "forward", "b"]),
        ("1.5e-07 s", ["1.5e-07", "s"]),
        ("-1 to -2", ["-1 to", "-2"]),
    ],
)
def test_cells_are_wrapped_at_spaces_then_in_names(text, lines):
    assert wrapped(text, 7) == lines
    assert wrapped(text, 30) == [text]


def test_the_list_of_operators_fits_the_terminal():
    shown = "\n".join(ops.listed(80)).splitlines()
    assert max(map(len, shown)) <= 80
    assert {op.name for op in OPS} <= {line.split(" ")[0] for line in shown}


def test_the_report_of_a_check_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr(verdict_table, "terminal_width", lambda: 72)
    assert main(["check", "relu"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 72
    assert shown[-1] == "1 of 1 gradients are right."


def test_the_command_that_installs_an_extra_names_the_source(monkeypatch, tmp_path):
    assert installation.install("peers") == f"pip install -e '{Path(__file__).parents[1]}[peers]'"
    monkeypatch.setattr(installation, "ROOT", tmp_path)  # as if fcnn were installed, not in a clone

    def installed(noted):
        read = lambda name: noted and json.dumps(noted)
        monkeypatch.setattr(installation, "distribution", lambda _: Namespace(read_text=read))
        return installation.install("peers")

    git = {"url": "https://host/fcnn.git", "vcs_info": {"vcs": "git", "commit_id": "0"}}
    assert installed(None) == "pip install 'fcnn[peers]'"
    assert installed(git) == "pip install 'fcnn[peers] @ git+https://host/fcnn.git'"
    folder = {"url": "file:///home/fcnn", "dir_info": {}}
    assert installed(folder) == "pip install 'fcnn[peers] @ file:///home/fcnn'"
