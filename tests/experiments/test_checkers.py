"""The experiment that compares gradient checkers: a smoke run, claims and tables."""

import json

import pytest

from experiments.__main__ import main
from experiments.checkers import claims_of
from experiments.checkers.checkers import Answer
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.tables import Judged, by_kind, by_trap, side_by_side

CAUGHT, PASSED = Answer("flipped", 1.0), Answer("", 2.0)


def judged(problem, answers):
    return Judged(problem, {"fcnn": answers, "other": PASSED})


def test_a_smoke_run_writes_results_and_a_report(tmp_path, capsys, monkeypatch):
    """The smoke run is reduced to three mutants and one correct gradient."""
    monkeypatch.setattr("experiments.checkers.SMOKE", 150)
    few = ["--smoke", "--jobs", "1", "--output-dir", str(tmp_path)]
    assert main(["checkers", *few]) == 0
    (folder,) = (tmp_path / "checkers").iterdir()
    results = json.loads((folder / "results.json").read_text())
    assert results["claims"] == []
    assert (len(results["mutants"]), len(results["correct"])) == (3, 1)
    assert all(m["answers"]["fcnn"]["message"] for m in results["mutants"])
    assert not any(r["answers"]["fcnn"]["message"] for r in results["correct"])
    assert {"jax float32", "jax float64"} <= results["mutants"][0]["answers"].keys()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(results["mutants"]) + len(results["correct"])
    assert "false alarms" in (folder / "report.html").read_text()
    assert "false alarms" in capsys.readouterr().out


def test_claims_can_fail():
    mutants = [judged(m, CAUGHT) for m in MUTANTS]
    correct = [judged(r, PASSED) for r in CORRECT_GRADIENTS]
    assert [claim.held for claim in claims_of(mutants, correct)] == [True, False, True]
    named = [judged(m, Answer(m.kind, 1.0)) for m in MUTANTS]
    assert [claim.held for claim in claims_of(named, correct)] == [True, True, True]
    assert not claims_of([judged(MUTANTS[0], PASSED), *mutants[1:]], correct)[0].held
    assert not claims_of(named, [judged(CORRECT_GRADIENTS[0], CAUGHT), *correct[1:]])[2].held


def test_tables_count_the_answers_of_checkers():
    flipped = [m for m in MUTANTS if m.kind == "flipped"][:2]
    shifted = next(m for m in MUTANTS if m.kind == "shifted")
    mutants = [judged(flipped[0], CAUGHT), judged(flipped[1], PASSED), judged(shifted, CAUGHT)]
    correct = [judged(CORRECT_GRADIENTS[0], CAUGHT), judged(CORRECT_GRADIENTS[0], PASSED)]
    assert by_kind(mutants).rows == [
        ("flipped", "2", "1", "1"),
        ("shifted", "1", "1", "0"),
        ("all", "3", "2", "1"),
    ]
    assert by_trap(correct).rows[-1] == ("all", "2", "1", "0")
    table = side_by_side(mutants, correct)
    assert table.rows[0] == ("fcnn", "2", "1", "1", "1.00", "7")
    assert table.rows[1] == ("other", "0", "3", "0", "2.00", "10")
    assert table.markdown().splitlines()[1] == "| --- |" + " ---: |" * 5


@pytest.mark.parametrize("option", ["--dataset", "--epochs"])
def test_options_of_training_are_rejected(option, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["checkers", option, "3"])
    assert exit_info.value.code == 2
