"""The experiment that compares gradient checkers: a smoke run, claims and tables."""

import json

import pytest

from experiments.__main__ import main
from experiments.checkers import EXPERIMENT
from experiments.checkers.checkers import Answer
from experiments.checkers.correct_gradients import CORRECT_GRADIENTS
from experiments.checkers.judge import Judgement
from experiments.checkers.mutants import MUTANTS
from experiments.checkers.results import Results, evidence
from experiments.checkers.tables import Judged, by_kind, by_trap, side_by_side
from experiments.framework.verdict import judge

POOL = pytest.mark.all("9 CPU seconds of worker processes; the first tier runs without them")
CAUGHT, PASSED = Answer("flipped", 1.0), Answer("", 2.0)


def judged(problem, answers):
    return Judged(problem, {"fcnn": answers, "other": PASSED})


@pytest.mark.usefixtures("jax_defaults")
@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=POOL)])
def test_a_smoke_run_writes_results_and_a_report(tmp_path, capsys, jobs):
    """A smoke run has three mutants, one correct gradient and two tasks of part 2."""
    assert main(["checkers", "--smoke", "--jobs", jobs, "--output-dir", str(tmp_path)]) == 0
    (folder,) = (tmp_path / "checkers").iterdir()
    results = json.loads((folder / "results.json").read_text())
    assert results["claims"] == []
    assert (len(results["mutants"]), len(results["correct"])) == (3, 1)
    assert all(m["answers"]["fcnn"]["message"] for m in results["mutants"])
    assert not any(r["answers"]["fcnn"]["message"] for r in results["correct"])
    assert {"jax float32", "jax float64"} <= results["mutants"][0]["answers"].keys()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    judged = [j for column in results["columns"].values() for j in column]
    assert len(lines) == len(results["mutants"]) + len(results["correct"]) + len(judged)
    assert results["columns"].keys() == {"tuning", "right"}
    assert all(j["caught"] for j in results["columns"]["tuning"])
    assert not any(j["caught"] for j in results["columns"]["right"])
    assert results["config"]["seed"] == 0
    assert results["dropped"]["tuning"]["made"] >= len(results["columns"]["tuning"])
    assert "false alarms" in (folder / "report.html").read_text()
    assert {"false", "alarms"} <= {*capsys.readouterr().out.split()}


def judgement(**changed):
    each = {"caught": True, "located": True, "named": True, "false": False, "must": True}
    return Judgement(name="", kind="", seconds=1.0, answer="", **(each | changed))


def results(mutants, correct, hand=(), right=()):
    columns = {
        "hand": [judgement()] * 199 + [*hand],
        "right": [judgement(caught=False)] * 999 + [*right],
    }
    return Results(mutants, correct, columns)


def test_claims_can_fail():
    named = [judged(m, Answer(m.kind, 1.0)) for m in MUTANTS]
    correct = [judged(r, PASSED) for r in CORRECT_GRADIENTS]
    verdicts = lambda found: judge(EXPERIMENT.claims, evidence(found))
    held = lambda *args, **kwargs: [
        {"held": True, "failed": False}[v.verdict] for v in verdicts(results(*args, **kwargs))
    ]
    assert held(named, correct) == [True] * 8
    assert held([judged(m, CAUGHT) for m in MUTANTS], correct) == [True, False, *[True] * 6]
    assert not held([judged(MUTANTS[0], PASSED), *named[1:]], correct)[0]
    assert not held(named, [judged(CORRECT_GRADIENTS[0], CAUGHT), *correct[1:]])[2]
    missed = judgement(caught=False, located=False, named=False)
    assert held(named, correct, [missed])[3:] == [True] * 5
    assert held(named, correct, [missed] * 2)[3:] == [False, True, True, True, True]
    assert held(named, correct, [missed] * 5)[3:] == [False, False, True, True, True]
    unnamed = judgement(named=False)
    assert held(named, correct, [unnamed] * 23)[3:] == [True, True, False, True, True]
    free = judgement(named=False, must=False)
    assert held(named, correct, [free] * 23)[3:] == [True] * 5
    assert held(named, correct, [judgement(false=True)] * 3)[6] is False
    assert held(named, correct, right=[judgement(caught=True)])[7] is False


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
