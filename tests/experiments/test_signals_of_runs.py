"""SIGINT and SIGTERM in real processes: results are kept, and the notice is printed at once."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import toy
from child import started

from experiments.framework import interrupt
from experiments.framework.fitted import fitted
from experiments.framework.runner import main
from fcnn.training import Fit

ROOT = Path(__file__).parents[2]
TOY = str(Path(toy.__file__))
NOTICE = "toy: interrupted; stops after the running computation; Ctrl-C again ends at once\n"
SIGNALS = pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)


def toy_in(tmp_path, mode):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = ("--mode", mode, "--output-dir", str(tmp_path))
    return started(TOY, *options, env=environment)


def wait_for(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"no line with {text!r}")


@SIGNALS
def test_finished_parts_are_kept_and_printed(signum, code, tmp_path):
    with toy_in(tmp_path, "slow") as process:
        wait_for(process, "1 of 10 parts")
        process.send_signal(signum)
        out, err = process.communicate()
    assert (process.returncode, err) == (code, NOTICE)
    assert "a, seed 0" in out
    assert "Interrupted. The report has the results that were finished before." in out
    (folder,) = (tmp_path / "toy").iterdir()
    assert f"--continue {folder} measures the other parts" in out
    results = json.loads((folder / "results.json").read_text())
    assert (results["stopped"], list(results["parts"])) == ("Interrupted", ["a, seed 0"])
    assert results["claims"] == []
    page = (folder / "report.html").read_text()
    before = "Interrupted. The results below were finished before"
    assert f"{before}; python -m experiments toy --continue {folder} measures" in page


@SIGNALS
def test_the_notice_is_printed_while_xla_compiles_and_a_second_signal_ends(signum, code, tmp_path):
    with toy_in(tmp_path, "compiles") as process:
        wait_for(process, "compiling for long")
        time.sleep(1)
        process.send_signal(signum)
        start = time.monotonic()
        assert process.stderr is not None
        assert process.stderr.readline() == NOTICE
        assert time.monotonic() - start < 1
        assert process.poll() is None
        process.send_signal(signum)
        process.wait(2)
        assert time.monotonic() - start < 3
    assert process.returncode == code


def test_a_signal_after_the_last_part_keeps_the_verdicts(tmp_path, capsys):
    def gather(finished):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        return finished

    late = replace(toy.TOY, gather=gather)
    assert main(late, ["--output-dir", str(tmp_path)]) == 143
    assert "held: a exceeds b" in capsys.readouterr().out


def test_handlers_of_the_caller_are_restored():
    before = [signal.getsignal(signum) for signum in interrupt.SIGNALS]
    with interrupt.listening("test"):
        assert signal.getsignal(signal.SIGTERM) not in before
        interrupt.check()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(interrupt.Interrupted) as found:
            interrupt.check()
        assert found.value.exit_code == interrupt.exit_code() == 143
    assert [signal.getsignal(signum) for signum in interrupt.SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1


@SIGNALS
def test_a_part_that_ends_after_a_signal_is_not_finished(signum, code, tmp_path):
    """Training that returns early must not be taken for training that has ended."""
    with toy_in(tmp_path, "trains") as process:
        wait_for(process, "training")
        process.send_signal(signum)
        process.communicate()
    assert process.returncode == code
    (folder,) = (tmp_path / "toy").iterdir()
    assert len((folder / "parts.jsonl").read_text().splitlines()) == 1


def test_training_that_did_not_end_is_a_fault():
    run = Fit(None, [], "", "")
    assert fitted(run) is run
    with pytest.raises(FloatingPointError, match="x is nan"):
        fitted(run._replace(stopped="not finite", message="x is nan"))
    with pytest.raises(RuntimeError, match="error in the source: OSError"):
        fitted(run._replace(stopped="error in the source", message="OSError"))
