"""Damaged JSON of runs and of kept results is one line with the name of the file, and code 2."""

import json
from dataclasses import replace

import pytest
import toy

from experiments.__main__ import main
from experiments.framework import finite_json
from experiments.framework.finite_json import Damaged

DEEP = "[" * 100_000 + "]" * 100_000
TEXTS = ("", "{", "[]", "null", "3", DEEP, "\xff")


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Experiment "sample", with a run, the entries of its result, and a folder of kept results."""
    records = {name: replace(toy.TOY, name=name) for name in ("sample", "other")}
    (tmp_path / "results/sample").mkdir(parents=True)
    for name in records:
        (tmp_path / f"{name}.py").touch()
    machine = {"commit": "abcdef0123", "uncommitted changes": False, "device": "cpu × 1"}
    machine |= {"processor": "Some", "cores": 2, "python": "3.11", "packages": {}}
    monkeypatch.setattr("experiments.framework.run.machine_info", lambda: machine)
    monkeypatch.setattr("experiments.__path__", [str(tmp_path)])
    monkeypatch.setattr("experiments.__main__.NAMES", tuple(records))
    monkeypatch.setattr("experiments.__main__.load", records.__getitem__)
    assert main(["sample", "--output-dir", str(tmp_path / "runs")]) == 0
    (run,) = (tmp_path / "runs/sample").iterdir()
    return run, tmp_path / "results/sample/sample.json", records


def refused(capsys, path, *arguments):
    """The error message of a command, which is one line and names the file."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(path) in err
    return err


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_that_is_no_object_is_damaged(text, tmp_path):
    path = tmp_path / "file.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Damaged, match=f"^{path} is damaged: "):
        finite_json.read(path, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("receipt.json", "{"),
        ("receipt.json", '{"experiment": "sample", "data": "no data", "claims": [3]}'),
        ("receipt.json", '{"experiment": "sample", "data": "no data"}'),
        ("config.json", "[]"),
        ("config.json", '{"seeds": "three"}'),
        ("config.json", '{"smoke": 3}'),
        ("env.json", "null"),
        ("parts.jsonl", '{"x": 1}\n'),
        ("parts.jsonl", "[1, 2]\n"),
        ("parts.jsonl", '{"part": "a, seed 0", "seconds": 1}\n'),
        ("parts.jsonl", '{"part": "a, se\n'),
        ("parts.jsonl", DEEP + "\n"),
    ],
)
def test_a_run_with_a_damaged_file_is_not_continued(name, text, sample, capsys):
    run = sample[0]
    (run / name).write_text(text)
    options = ("--continue", run, "--output-dir", run.parents[1])
    assert f"{name} is damaged: " in refused(capsys, run / name, "sample", *options)
    assert [*run.parent.iterdir()] == [run]


ENTRIES = [
    {"environment": {"processor": "Some"}},
    {"environment": None},
    {"environment": []},
    {"config": 3},
    {"claims": [None]},
    {"minutes": "long"},
    {"options": []},
]


@pytest.mark.parametrize("entries", ENTRIES)
def test_a_damaged_kept_result_is_named_by_table_list_all_and_keep(entries, sample, capsys):
    run, path, _ = sample
    result = json.loads((run / "results.json").read_text())
    path.write_text(json.dumps(result | entries))
    refused(capsys, path, "table")
    assert main([]) == 2
    out = capsys.readouterr().out
    assert str(path) in "".join(line.strip() for line in out.splitlines())
    assert "other: A toy" in out
    refused(capsys, path, "all", "--output-dir", run.parents[1])
    damaged = path.rename(path.with_name("mnist.json"))
    refused(capsys, damaged, "keep", run)


@pytest.mark.parametrize("entries", ENTRIES)
def test_a_damaged_result_is_not_kept(entries, sample, capsys):
    run, path, _ = sample
    result = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps(result | entries))
    refused(capsys, run, "keep", run)
    assert not path.exists()


def test_a_result_that_evidence_cannot_read_is_one_line(sample, capsys):
    """As where a kept value is 0."""
    run, _, records = sample

    def evidence(finished):
        raise ZeroDivisionError("division by zero")

    records["sample"] = replace(records["sample"], evidence=evidence)
    path = run / "results.json"
    assert "ZeroDivisionError: division by zero" in refused(capsys, path, "judge", path)
    assert "ZeroDivisionError: division by zero" in refused(capsys, run, "keep", run)
    path.write_text(json.dumps({"experiment": "sample", "claims": [None]}))
    refused(capsys, path, "judge", path)
    path.write_text(DEEP)
    refused(capsys, path, "judge", path)


def test_a_smoke_run_is_not_judged(sample, capsys):
    run, _, _ = sample
    assert main(["sample", "--smoke", "--output-dir", str(run.parents[1])]) == 0
    (smoke,) = {*run.parent.iterdir()} - {run}
    path = smoke / "results.json"
    assert "--smoke, which judges no claim" in refused(capsys, path, "judge", path)
    assert "--smoke, which judges no claim" in refused(capsys, smoke, "keep", smoke)
