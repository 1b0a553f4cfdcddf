"""Kept results: their table, the mark of old ones, and the command that keeps one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy

from experiments import NAMES
from experiments.__main__ import main, record
from experiments.framework import verdict_table
from experiments.framework.claim import Claim
from experiments.framework.continued import Earlier
from experiments.framework.experiment import Command
from experiments.framework.kept import OLDER, UNREADABLE, UNRECORDED, default_run, kept
from experiments.framework.source import TRAINING, source

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "experiments/results"
TOY = """
import toy
from experiments.framework.experiment import Experiment

SCALE = 2


def twice(x):
    return SCALE * x


def measure(config, prepared, todo, log):
    yield "part", twice(1)


def figure(axes, m):
    axes.plot(m)


EXPERIMENT = Experiment(
    name="sample", title="A sample", measure=measure, figures={"one": figure}, claims=CLAIMS
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An experiment "sample", which has a source, and a folder of kept results."""
    results = tmp_path / "results"
    results.mkdir()
    sample = replace(toy.TOY, name="sample")
    monkeypatch.setattr("experiments.__path__", [str(tmp_path)])
    monkeypatch.setattr("experiments.__main__.NAMES", ("sample",))
    monkeypatch.setattr("experiments.__main__.load", {"sample": sample}.__getitem__)
    (tmp_path / "sample.py").write_text(TOY)
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch):
    """The folder of a finished run of "sample", as if nothing was uncommitted."""
    clean = {"commit": "abcdef0123", "uncommitted changes": False, "device": "cpu cpu × 1"}
    machine = {"processor": "Some", "cores": 2, "python": "3.11", "packages": {}, **clean}
    monkeypatch.setattr("experiments.framework.run.machine_info", lambda: machine)
    assert main(["sample", "--output-dir", str(folder / "runs")]) == 0
    (path,) = (folder / "runs/sample").iterdir()
    return path


def changed(run, **entries):
    """Change entries of results.json: those of its config and environment, or its own."""
    path = run / "results.json"
    result = json.loads(path.read_text())
    for name, value in entries.items():
        inner = next((result[k] for k in ("config", "environment") if name in result[k]), result)
        inner[name] = value
    path.write_text(json.dumps(result))


def page(folder):
    return (folder / "results/README.md").read_text()


def test_the_table_of_this_project_is_current():
    text = verdict_table.text([record(name) for name in NAMES])
    assert text == (RESULTS / "README.md").read_text(), "run python -m experiments table"
    assert "](experiments/results/README.md)" in (ROOT / "README.md").read_text()


def test_a_run_is_kept_and_listed(folder, run, capsys):
    changed(run, dataset="digits")
    capsys.readouterr()
    assert main(["keep", str(run)]) == 0
    path = folder / "results/sample/sample.json"
    assert capsys.readouterr().out == f"{path}\n{folder / 'results/README.md'}\n"
    date = json.loads(path.read_text())["environment"]["time"][:10]
    run_facts = f"no data set (Some, 2 cores, abcdef0, {date}, 0.0 minutes)"
    assert f"- Runs: {run_facts}.\n" in page(folder)
    assert "| [sample](#sample) | A toy | 1 | | | | 0.0 |\n" in page(folder)
    (row,) = (line for line in page(folder).splitlines() if line.startswith("| 1. a exceeds b"))
    _, measure, held, other = (cell.strip() for cell in row.strip("|").split("|"))
    assert measure == "value, a − b"
    assert held.startswith("+0.9960, 95 % interval +0.9892 to +1.0028, n = 5")
    assert other == "–"
    assert main([]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    known = f"No data set. Kept run of {date}, 0 minutes, Some, 2 cores."
    assert f"{known} Held: a exceeds b." in listed


def test_a_kept_result_has_no_path_of_the_machine(folder, run):
    path, name = str(folder / "runs"), "sample/sample.json"
    changed(run, command=f"python -m experiments sample --output-dir {path}")
    assert path in (run / "results.json").read_text()
    assert main(["keep", str(run)]) == 0
    text = (folder / "results" / name).read_text()
    assert path not in text
    assert json.loads(text)["environment"]["command"].endswith("sample --output-dir DIR")


def test_a_file_is_named_by_data_and_accelerator(folder, run):
    result = json.loads((run / "results.json").read_text())
    result["config"]["dataset"] = "mnist"
    result["environment"]["device"] = "gpu NVIDIA H200 × 1"
    (run / "results.json").write_text(json.dumps(result))
    assert main(["keep", str(run)]) == 0
    assert [path.name for path in (folder / "results/sample").iterdir()] == ["h200_mnist.json"]
    assert "- Runs: h200_mnist (NVIDIA H200, " in page(folder)
    assert "| value, a − b | h200_mnist: +0.9960" in page(folder)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"stopped": "Interrupted"}, "was stopped (Interrupted); --continue it first"),
        ({"smoke": True}, "is a run with --smoke, which judges no claim"),
        (
            {"uncommitted changes": True},
            "has parts of uncommitted changes on commit abcdef0; commit them, and run it again",
        ),
        ({"commit": None}, "has parts of uncommitted changes on commit unknown; commit them"),
        ({"experiment": "other"}, "is a run of other, which is no experiment with claims"),
        (
            {"options": {"seeds": 2, "sizes": [1, 2], "full": True, "dataset": "digits"}},
            "is a run with --seeds 2, --sizes 1 2, --full; run it without, to keep the result",
        ),
    ],
)
def test_a_run_that_cannot_be_kept_is_one_line(entries, message, folder, run, capsys):
    changed(run, **entries)
    capsys.readouterr()
    assert main(["keep", str(run)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"python -m experiments keep {run}: {message}")
    assert (out, err.count("\n")) == ("", 1)
    assert not any((folder / "results").iterdir())


def test_a_folder_that_is_no_run_is_one_line(folder, run, capsys):
    capsys.readouterr()
    assert main(["keep", str(folder)]) == 2
    err = capsys.readouterr().err
    assert err == f"python -m experiments keep: {folder}/results.json: No such file or directory\n"


def test_a_result_is_marked_if_its_measurement_has_changed(folder, run, capsys):
    assert main(["keep", str(run)]) == 0
    assert OLDER in page(folder).partition("## ")[0]
    assert "minutes).\n" in page(folder)
    (folder / "sample.py").write_text(TOY.replace("SCALE = 2", "SCALE = 3"))
    assert main(["table"]) == 0
    assert f"minutes, **{OLDER}**).\n" in page(folder)
    path = folder / "results/sample/sample.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "source": ""}))
    assert main(["table"]) == 0
    assert f"minutes, **{UNRECORDED}**).\n" in page(folder)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("SCALE = 2", "SCALE = 3", False),
        ("SCALE * x", "SCALE + x", False),
        ('"part", twice', '"part", abs', False),
        ("measure=measure", "measure=twice", False),
        ("SCALE = 2", "SCALE = 2  # a comment", True),
        ("def twice(x):", 'def twice(x):\n    """A docstring."""', True),
        ("axes.plot(m)", "axes.plot(m, m)", True),
        ("claims=CLAIMS", "claims=()", True),
    ],
)
def test_only_the_source_of_the_measurement_counts(old, new, same, folder):
    before = source("sample")
    assert len(before) == 64
    (folder / "sample.py").write_text(TOY.replace(old, new))
    assert (source("sample") == before) == same


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RATES.update(a=1)", "RATES.update(a=2)"),
        ('RATES["b"] = 1', 'RATES["b"] = 2'),
        ("RATES.b = twice", "RATES.b = figure"),
        ("if True:\n    def measure(): 1", "if True:\n    def measure(): 2"),
        ("for i in range(1): measure = 1", "for i in range(2): measure = 1"),
        ("from toy import *", "from tools import *"),
        ("async def measure(): 1", "async def measure(): 2"),
    ],
)
def test_statements_that_do_more_than_to_define_names_count(before, after, folder):
    hashes = set()
    for each in (before, after):
        (folder / "sample.py").write_text(TOY + each)
        hashes.add(source("sample"))
    assert len(hashes) == 2


def test_a_main_block_does_not_count(folder):
    before = source("sample")
    (folder / "sample.py").write_text(f'{TOY}if __name__ == "__main__":\n    main(EXPERIMENT)\n')
    assert source("sample") == before


@pytest.mark.parametrize("fields", ['"sample", "A sample"', "measure=measure, **OTHERS"])
def test_the_whole_module_counts_if_fields_of_the_record_have_no_name(fields, folder):
    head, _, _ = TOY.partition("EXPERIMENT = ")
    hashes = set()
    for added in ("", "OTHERS = 3\n"):
        (folder / "sample.py").write_text(f"{head}{added}EXPERIMENT = Experiment({fields})\n")
        hashes.add(source("sample"))
    assert len(hashes) == 2


PACKAGE = {
    "whole/__init__": "from experiments.whole.measure import measure\n"
    "from experiments.whole.page.page import figure\n"
    'EXPERIMENT = Experiment(name="whole", measure=measure, figures={"one": figure})',
    "whole/measure": "from experiments.framework.trained import trained\n"
    "from experiments.whole.page import kept",
    "whole/by_path": "",
    "whole/page/__init__": "",
    "whole/page/kept": "",
    "whole/page/page": "from experiments.whole.page import kept, pictures",
    "whole/page/pictures": "from experiments.framework.sized import nearest",
    **dict.fromkeys((f"framework/{name}" for name in TRAINING), ""),
    "framework/trained": "def trained():\n    from experiments.framework import seeds",
    "framework/plots": "",
}


@pytest.mark.parametrize("module", PACKAGE)
def test_modules_count_unless_only_other_fields_import_them(module, folder, monkeypatch):
    monkeypatch.setattr("experiments.framework.source.FRAMEWORK", folder / "framework")
    for name, text in PACKAGE.items():
        (folder / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(text)
    before = source("whole")
    (folder / f"{module}.py").write_text(f"{PACKAGE[module]}\nadded = 1")
    own = ("measure", "by_path", "page/__init__", "page/kept")
    counted = {*(f"whole/{name}" for name in own), "framework/trained", "framework/seeds"}
    assert (source("whole") != before) == (module in counted)


def test_a_name_without_a_file_has_no_source(folder):
    assert source("none") == ""


def test_a_continued_run_has_the_sources_of_all_its_parts():
    after = lambda source: Earlier(Path(), {}, {}, {"source": source} if source else {}, {})
    assert after("a").source_with("a") == "a"
    assert after("a b").source_with("b") == "a b"
    assert after("a").source_with("b") == "a b"
    assert after("").source_with("b") == after("a").source_with("") == ""


def test_changes_of_claims_and_results_that_cannot_be_read_are_stated(folder, run):
    assert main(["keep", str(run)]) == 0
    stricter = Claim("a exceeds b", "value, a − b", margin=2.0, changed="1 is | noise")
    text = verdict_table.text([replace(toy.TOY, name="sample", claims=(stricter,))])
    assert "| value, a − b | – | **failed**: +0.9960" in text
    former = "(verdict of the run that registered it: held)"
    assert f"- sample: claim 1: claimed: more than 0 → more than 2: 1 is | noise {former}\n" in text
    unread = replace(toy.TOY, name="sample", read=lambda kept: kept["networks"])
    assert f"| value, a − b | – | **not judged**: {UNREADABLE} |" in verdict_table.text([unread])


def test_claims_that_were_registered_first_stay_with_the_results_of_later_runs(
    folder, run, monkeypatch
):
    path = folder / "results/sample/sample.json"
    assert main(["keep", str(run)]) == 0
    assert main(["keep", str(run)]) == 0
    assert "registered" not in json.loads(path.read_text())  # nothing has changed
    for margin in (0.5, 2.0):
        changed = Claim("a exceeds b", "value, a − b", margin=margin, changed="1 is noise")
        record = replace(toy.TOY, name="sample", claims=(changed,))
        monkeypatch.setattr("experiments.__main__.load", lambda name, record=record: record)
        assert main(["sample", "--output-dir", str(folder / f"runs {margin}")]) in (0, 1)
        (later,) = (folder / f"runs {margin}/sample").iterdir()
        assert main(["keep", str(later)]) == 0
        result = json.loads(path.read_text())
        assert result["claims"][0]["margin"] == margin
        (first,) = result["registered"]
        assert (first["margin"], first["verdict"]) == (0.0, "held")
    assert (
        "- sample: claim 1: claimed: more than 0 → more than 2: 1 is noise (verdict of the run"
        in page(folder)
    )
    (other,) = (folder / "runs 0.5/sample").iterdir()  # its claim is not that of the record
    assert main(["keep", str(other)]) == 0
    assert json.loads(path.read_text())["registered"] == [first]
    path.write_text(json.dumps({**result, "claims": [], "registered": None}))
    assert main(["keep", str(later)]) == 0
    assert json.loads(path.read_text())["registered"] == []
    assert "- sample: 0 claims were registered, and the record has 1" in page(folder)


@pytest.mark.parametrize(
    "entries",
    [{"source": 5}, {"claims": ["a"]}, {"command": None}, {"cores": "2"}],
)
def test_a_run_that_cannot_be_read_replaces_no_result(entries, folder, run, capsys):
    path = folder / "results/sample/sample.json"
    assert main(["keep", str(run)]) == 0
    before = path.read_text()
    changed(run, **entries)
    capsys.readouterr()
    assert main(["keep", str(run)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert path.read_text() == before


def test_a_text_that_no_file_can_hold_is_one_line_of_the_table(folder, run, capsys):
    changed(run, processor="\ud800")
    capsys.readouterr()
    for command in (["keep", str(run)], ["table"]):
        assert main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_experiments_without_results_and_without_claims_are_listed(folder):
    (folder / "results/timed").mkdir()
    content = {"bench": "steps", "dtype": "float32", "rounds": 7}
    machine = {"device": "cpu cpu × 1", "processor": "Some", "cores": 2, "commit": None}
    path = folder / "results/timed/cpu.json"
    path.write_text(json.dumps({**content, "machine": {**machine, "uncommitted changes": True}}))
    record = replace(toy.TOY, sources="Gauss 1809", reach="Two seeds.")
    text = verdict_table.text([record, Command("timed", "A command", len)])
    assert "| 1. a exceeds b | value, a − b, claimed: more than 0 | not run yet | – |" in text
    assert "- Runs: not run yet.\n- Claims like these: Gauss 1809.\n" in text
    assert "- How far it reaches: Two seeds.\n" in text
    command = (
        "### timed\n\nA command.\n\n- Runs: steps, float32, 7 rounds (Some, 2 cores, –, changed, "
    )
    assert command in text


def test_a_run_records_its_options_and_a_continued_run_those_of_the_first(folder):
    runs = ["sample", "--output-dir", str(folder / "runs")]
    assert main([*runs, "--seeds", "3", "--full"]) == 0
    (first,) = (folder / "runs/sample").iterdir()
    assert main([*runs, "--full", "--continue", str(first)]) == 0
    for path in (folder / "runs/sample").glob("*/results.json"):
        assert json.loads(path.read_text())["options"] == {"full": True, "seeds": 3}


@pytest.mark.parametrize(
    "entries", [{"options": {"rate": 2.0}}, {"device": "gpu NVIDIA H200 × 1"}, {"dataset": "mnist"}]
)
def test_the_default_run_is_without_options_on_a_cpu(entries, folder, run):
    sample = replace(toy.TOY, name="sample")
    (folder / "results/sample").mkdir()
    path = folder / "results/sample/sample.json"
    path.write_text((run / "results.json").read_text())
    assert default_run(sample, kept(sample)) is not None
    result = json.loads(path.read_text())
    inner = (
        result
        if "options" in entries
        else result["config" if "dataset" in entries else "environment"]
    )
    inner.update(entries)
    path.write_text(json.dumps(result))
    assert default_run(sample, kept(sample)) is None


def test_the_result_of_the_default_run_comes_first():
    first, *others = kept(record("fc_vs_conv"))
    assert first.data == "digits"
    assert "mnist" in [each.data for each in others]


@pytest.mark.parametrize("name", NAMES)
def test_each_experiment_states_its_reach_and_its_literature(name):
    e = record(name)
    if not isinstance(e, Command):
        assert e.reach
        assert e.sources or e.chapter == "library"
