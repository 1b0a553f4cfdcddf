"""Ctrl-C during `fcnn check`: the rows judged so far are printed and written."""

import json
import signal

from child import started

SLOW = """
import time
import numpy as np

rng = np.random.default_rng(0)
W = [rng.standard_normal((2, 3)) for _ in range(4)]


def slow(*w):
    moved = [abs(np.asarray(a) - b).max() > 0 for a, b in zip(w, W)]
    if moved == [False, False, True, False]:  # by finite differences
        print("third", flush=True)
        time.sleep(100)
    return sum((a * a).sum() for a in w)


def slow_backward(*args):
    *w, dy = args
    return [2 * w[0] * dy, np.inf * w[1], *(2 * a * dy for a in w[2:])]


slow_args = W
"""


def test_rows_judged_before_ctrl_c_are_printed_and_written(tmp_path):
    (tmp_path / "mine.py").write_text(SLOW)
    files = ("--json", "report.json", "--html", "report.html")
    words = ("-m", "fcnn", "check", "relu", "mine.py:slow", "tanh", *files)
    with started(*words, cwd=tmp_path) as process:
        assert process.stderr.readline() == "third\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    much = "after 1 of 3 functions and 2 of 4 gradients of slow"
    assert err == f"fcnn check: interrupted {much}\n"
    assert out.startswith("relu: spread\n")
    assert "argument 1  (2, 3)  not finite" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["ok"], report["interrupted"]) == (False, much)
    verdicts = [(row["problem"], row["leaf"], row["verdict"]) for row in report["rows"]]
    assert verdicts[-2:] == [("slow", "argument 0", "right"), ("slow", "argument 1", "not finite")]
    page = (tmp_path / "report.html").read_text()
    assert f"Interrupted {much}" in page
    right, count = sum(row["verdict"] in ("right", "kink") for row in report["rows"]), len(verdicts)
    assert f"{right} of {count} gradients are right" in page
