"""The runner: exit codes, order of output, faults, progress, and runs that continue."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import toy
from child import started
from rich.console import Console

from experiments.framework import progress as progress_module
from experiments.framework.exit_codes import worst
from experiments.framework.experiment import Part
from experiments.framework.progress import Progress
from experiments.framework.run import Lines, Run
from experiments.framework.runner import main

ROOT = Path(__file__).parents[2]
TOY = str(Path(toy.__file__))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def run(tmp_path, *options):
    return main(toy.TOY, [*options, "--output-dir", str(tmp_path)])


def newest(tmp_path):
    return max((tmp_path / "toy").iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize(
    ("options", "code", "printed"),
    [
        (["--mode", "held"], 0, "held: a exceeds b (value, a − b: +"),
        (["--mode", "failed"], 1, "failed: a exceeds b"),
        (["--mode", "undecided"], 3, "undecided: a exceeds b"),
        (["--mode", "nan"], 3, "undecided: a exceeds b (value, a − b: a value is not finite)"),
        (["--mode", "one device"], 0, "not judged: a exceeds b (value, a − b: one device)"),
        (["--mode", "failed", "--smoke"], 0, "report.html"),
        (["--seeds", "1"], 3, "needs at least 2 pairs"),
        (["--mode", "held", "--figure"], 3, "held: a exceeds b"),
        (["--mode", "failed", "--figure"], 1, "failed: a exceeds b"),
    ],
)
def test_exit_codes_and_verdicts(options, code, printed, tmp_path, capsys):
    assert run(tmp_path, *options) == code
    out, err = capsys.readouterr()
    assert printed in " ".join(out.split())
    assert ("--figure" in options) == ("toy: figure wrong: RuntimeError: no axes\n" == err)
    kept = json.loads((newest(tmp_path) / "results.json").read_text())
    assert kept["experiment"] == "toy"
    assert ("--smoke" in options) == (kept["claims"] == [])
    assert (newest(tmp_path) / "report.html").exists()


def test_numbers_that_are_not_finite_are_kept_as_strings_and_read_back(tmp_path, capsys):
    assert run(tmp_path, "--mode", "nan", "--rate", "inf") == 3
    old = newest(tmp_path)

    def refused(constant):
        raise AssertionError(f"{constant} is no JSON")

    for path in (*old.glob("*.json"), *old.glob("*.jsonl")):
        for text in (
            path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        ):
            json.loads(text, parse_constant=refused)
    first = json.loads((old / "parts.jsonl").read_text().splitlines()[0])
    assert first["result"] == {"net": "a", "value": "NaN"}
    toy.CALLS.clear()
    assert run(tmp_path, "--mode", "nan", "--rate", "inf", "--continue", str(old)) == 3
    assert toy.CALLS == []
    undecided = "undecided: a exceeds b (value, a − b: a value is not finite)"
    assert " ".join(capsys.readouterr().out.split()).count(undecided) == 2


def test_tables_and_verdicts_are_printed_before_files_and_numbers_before_pictures(
    tmp_path, capsys, monkeypatch
):
    printed, files, save_json = [], [], Run.save_json

    def save(self, name, value):
        printed.append(capsys.readouterr().out)
        save_json(self, name, value)

    def figure(axes, m):
        files.extend(path.name for path in newest(tmp_path).iterdir())

    monkeypatch.setattr(Run, "save_json", save)
    drawn = replace(toy.TOY, figures={"figure": figure})
    assert main(drawn, ["--output-dir", str(tmp_path)]) == 0
    assert printed[0].index("a, seed 4") < printed[0].index("held: a exceeds b")
    assert {"results.json", "parts.jsonl"} <= {*files}


def test_the_default_has_five_seeds_also_with_full(tmp_path, capsys):
    for options in ((), ("--full",)):
        run(tmp_path, *options)
        assert "n = 5" in capsys.readouterr().out


def test_the_worst_code_of_several_runs():
    assert worst([0, 3, 1]) == 1
    assert worst([1, 2, 3]) == 2
    assert worst([2, 143, 1]) == 143
    assert worst([2, 130]) == 130
    assert worst([0, 3]) == 3
    assert worst([]) == 0


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("diverges", "the loss of b is nan; lower --rate"),
        ("raises", r"RuntimeError: no memory is left \(toy.py:\d+\)"),
    ],
)
def test_a_fault_keeps_finished_parts_and_is_one_line(mode, message, tmp_path, capsys):
    assert run(tmp_path, "--mode", mode) == 3
    out, err = capsys.readouterr()
    assert re.fullmatch(f"toy: {message}\n", err)
    assert "a, seed 0" in out
    kept = json.loads((newest(tmp_path) / "results.json").read_text())
    assert list(kept["parts"]) == ["a, seed 0", "b, seed 0"]
    assert re.match(f"Stopped: {message}", kept["stopped"])
    assert "Stopped: " in (newest(tmp_path) / "report.html").read_text()
    assert (mode == "raises") == (newest(tmp_path) / "traceback.txt").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB, or None if this user cannot mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("mode", "code"), [("held", 3), ("failed", 1)])
def test_a_full_disk_is_one_line_after_table_and_verdict(mode, code, tmp_path, small_disk):
    """The disk is really full; without a mount, files are limited to 64 KiB."""
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (65536, 65536)); "
    program = f"{'' if small_disk else limit}import runpy, sys; sys.argv = sys.argv[1:]; "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    folder = small_disk or tmp_path
    options = ("--mode", mode, "--big", "1000000", "--output-dir", str(folder))
    with started("-c", program, TOY, *options, env=ENVIRONMENT) as process:
        out, err = process.communicate()
    assert process.returncode == code, err
    assert err.count("\n") == 1
    assert re.search(r"big.txt: (No space left on device|File too large)\n", err)
    assert out.index("a, seed 4") < out.index(f"{mode}: a exceeds b") < out.index("report.html")
    assert {"results.json", "report.html"} <= {path.name for path in newest(folder).iterdir()}


def test_a_disk_that_is_full_from_the_start_is_one_line(tmp_path, small_disk):
    if small_disk is None:
        pytest.skip("needs the right to mount")
    try:
        (small_disk / "filler").write_bytes(b"x" * 10**6)
    except OSError:
        pass
    options = ("--output-dir", str(small_disk))
    with started(TOY, *options, env=ENVIRONMENT) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err.count("\n")) == (3, "", 1), err
    assert "No space left on device" in err


def test_a_line_that_cannot_be_written_completely_is_removed(tmp_path, monkeypatch):
    lines = Lines(tmp_path / "lines.jsonl")
    lines.add({"first": 1})
    write, calls = os.write, []

    def half(file, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(file, data[:4])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            lines.add({"second": 2})
    lines.add({"third": 3})
    os.close(lines.file)
    assert (tmp_path / "lines.jsonl").read_text() == '{"first": 1}\n{"third": 3}\n'


def test_a_piped_run_prints_a_line_for_each_part_at_once(tmp_path):
    """Each line arrives while the run is still measuring."""
    options = ("--mode", "slow", "--seeds", "2", "--output-dir", str(tmp_path))
    with started(TOY, *options, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert process.poll() is None
    assert re.fullmatch(r"1 of 4 parts, \d+ s elapsed, about \d+ s left: a, seed 0\n", line)


def test_lines_of_progress_state_parts_elapsed_time_and_time_left(monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress_module, "perf_counter", lambda: now)
    console = Console(record=True, width=40, force_terminal=False, file=io.StringIO())
    parts = [Part("conv1 on 1,437 images", cost=2), Part("b", cost=1), Part("c", cost=1)]
    progress = Progress(console, parts)
    now = 240.0
    progress.finish(parts[0])
    progress.show("loss 0.3", 0.4, 1)  # not shown: a line was just printed
    now = 400.0
    progress.show("loss 0.2", 0.5, 1)
    now = 480.0
    progress.finish(parts[1])
    assert console.export_text().splitlines() == [
        "1 of 3 parts, 4 min elapsed, about 4 min left: conv1 on 1,437 images",
        "1 of 3 parts, 7 min elapsed, about 4 min left; running: loss 0.2",
        "2 of 3 parts, 8 min elapsed, about 3 min left: b",
    ]


def test_a_terminal_shows_a_bar():
    console = Console(force_terminal=True, width=100, file=io.StringIO())
    with Progress(console, [part := Part("a")]) as progress:
        progress.note("compiling a …")
        assert progress.bar is not None
        progress.bar.refresh()
        progress.finish(part)
    assert "compiling a …" in console.file.getvalue()


def test_a_run_continues_with_the_parts_that_are_not_finished(tmp_path, capsys):
    run(tmp_path, "--mode", "diverges")
    old = newest(tmp_path)
    with (old / "parts.jsonl").open("a") as file:
        file.write('{"part": "a, seed 1", "resu')  # as a killed process leaves it
    config = json.loads((old / "config.json").read_text())
    (old / "config.json").write_text(json.dumps(config | {"mode": "held"}))
    toy.CALLS.clear()
    assert run(tmp_path, "--continue", str(old)) == 0
    out = capsys.readouterr().out
    assert toy.CALLS == [f"{net}, seed {s}" for s in range(1, 5) for net in "ab"]
    assert f"2 of 10 parts are from {old}" in out
    assert "3 of 10 parts" in out
    assert "held: a exceeds b" in out
    new = newest(tmp_path)
    receipt = json.loads((new / "receipt.json").read_text())
    assert receipt["continues"]["run"] == str(old)
    assert receipt["continues"]["environment"]["packages"]["jax"]
    lines = [json.loads(line) for line in (new / "parts.jsonl").read_text().splitlines()]
    assert [line.get("run") for line in lines] == [str(old)] * 2 + [None] * 8
    assert f"2 parts were measured by {old}" in (new / "report.html").read_text()
    toy.CALLS.clear()
    assert run(tmp_path, "--continue", str(new)) == 0
    assert toy.CALLS == []


def test_a_run_with_other_options_or_data_is_refused_with_all_differences(tmp_path, capsys):
    run(tmp_path)
    old = newest(tmp_path)
    receipt = json.loads((old / "receipt.json").read_text())
    (old / "receipt.json").write_text(json.dumps(receipt | {"data": "other"}))
    capsys.readouterr()
    assert run(tmp_path, "--continue", str(old), "--rate", "2", "--seeds", "4") == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--seeds 5 → 4; --rate 1.0 → 2.0; the data set other → no data" in err
    assert len(list((tmp_path / "toy").iterdir())) == 1


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    assert run(tmp_path, "--continue", str(tmp_path / "none")) == 2
    err = capsys.readouterr().err
    assert "is no folder of a run: No such file" in err
    assert "write --continue runs/toy/TIME\n" in err
    run(tmp_path)
    receipt = newest(tmp_path) / "receipt.json"
    receipt.write_text(receipt.read_text().replace('"toy"', '"other"'))
    assert run(tmp_path, "--continue", str(receipt.parent)) == 2
    assert "is a run of other, not of toy" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_line_that_proposes_another(tmp_path, capsys):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for folder, why in ((link, "File exists"), (Path("/proc/x"), "No such file or directory")):
        assert main(toy.TOY, ["--output-dir", str(folder)]) == 2
        assert capsys.readouterr().err == (
            f"toy: --output-dir {folder} cannot be written: {why}; "
            "write --output-dir DIR, with a folder that you can write\n"
        )


def test_a_run_without_results_names_the_traceback(tmp_path, capsys):
    assert run(tmp_path, "--mode", "other names") == 3
    trace = newest(tmp_path) / "traceback.txt"
    line = f"No part was finished; there are no results; {trace} has the traceback."
    assert line in capsys.readouterr().out


def test_the_report_of_a_stopped_run_has_the_command_that_continues_it(tmp_path, capsys):
    assert run(tmp_path, "--mode", "diverges", "--rate", "2") == 3
    page = (newest(tmp_path) / "report.html").read_text()
    command = f"python -m experiments toy --continue {newest(tmp_path)} measures the other parts."
    assert command in page
    assert command in capsys.readouterr().out
    assert "<code>python -m experiments toy --mode diverges --rate 2.0</code>" in page


def test_a_smoke_run_prints_that_it_judges_no_claim(tmp_path, capsys):
    assert run(tmp_path, "--smoke") == 0
    assert capsys.readouterr().out.count("A run with --smoke judges no claim, and ") == 1


def test_a_continued_run_lists_changes_of_claims(tmp_path):
    run(tmp_path)
    receipt = newest(tmp_path) / "receipt.json"
    receipt.write_text(receipt.read_text().replace('"margin": 0.0', '"margin": 0.5'))
    run(tmp_path, "--continue", str(receipt.parent))
    page = (newest(tmp_path) / "report.html").read_text()
    assert "claim 1: claimed: more than 0.5 → more than 0: the record gives no reason" in page


def test_help_states_the_exit_codes():
    done = subprocess.run([sys.executable, TOY, "--help"], capture_output=True, env=ENVIRONMENT)
    text = " ".join(done.stdout.decode().split())
    assert "Exit code: 0 if every judged claim held, 1 if one failed, 3 if one is undecided" in text
    assert "130 or 143 if interrupted" in text


FAULTY = {
    "some": "ValueError: measure yielded no result of a, seed 1, b, seed 1, a, seed 2",
    "other names": "ValueError: measure yielded 'another', which is not a part to do",
    "an array": "TypeError: part 'a, seed 0': JSON cannot hold its result: Object of type",
}


@pytest.mark.parametrize("mode", FAULTY)
def test_a_faulty_measure_is_named(mode, tmp_path, capsys):
    assert run(tmp_path, "--mode", mode) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"toy: {FAULTY[mode]}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "abc"], "--seeds abc: expected a whole number; --help lists the options"),
        (["--rate", "fast"], "--rate fast: expected a number; --help"),
        (["--sedes", "3"], r"Unrecognized options: --sedes, 3; did you mean --seeds\?; --help"),
        (["stray"], "Unrecognized options: stray; --help lists the options"),
        (["--seeds"], "Missing value for argument '--seeds'"),
        (
            ["--mode", "hold"],
            "--mode: unknown value 'hold'; expected one of 'an array', .*; did you mean held",
        ),
    ],
)
def test_misuse_is_one_line(options, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(toy.TOY, options)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert re.match(f"python -m experiments toy: .*{message}", err), err
    assert (out, err.count("\n")) == ("", 1)


def test_a_run_is_found_in_the_output_folder(tmp_path, capsys):
    assert run(tmp_path) == 0
    capsys.readouterr()
    assert run(tmp_path, "--continue", str(tmp_path)) == 2
    assert f"write --continue {newest(tmp_path)}\n" in capsys.readouterr().err


def test_one_broken_experiment_hides_no_other(tmp_path, capsys, monkeypatch):
    from experiments import __main__ as command

    broken = {"broken": "x = (", "bare": "", "renamed": "import toy\nEXPERIMENT = toy.TOY"}
    for name, text in broken.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(
        "experiments.__path__", [*__import__("experiments").__path__, str(tmp_path)]
    )
    monkeypatch.setattr(command, "NAMES", (*broken, *command.NAMES))
    assert command.main([]) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert "experiments.broken cannot be imported: SyntaxError: '(' was never closed" in out
    assert "experiments.bare has no EXPERIMENT" in out
    assert "experiments.renamed: EXPERIMENT has the name 'toy'" in out
    assert "Fully connected against convolutional networks" in out
