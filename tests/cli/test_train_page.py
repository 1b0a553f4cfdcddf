"""The five commands of docs/train.md, as processes: trained, killed, continued, tested, used."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from child import started
from PIL import Image

from fcnn.training import Checkpoints

PAGE = (Path(__file__).parents[2] / "docs/train.md").read_text(encoding="utf-8")


def commands():
    (block,) = re.findall(r"\n\n((?:    (?:fcnn|kill) .*\n){5})\n", PAGE)
    return [shlex.split(line) for line in block.splitlines()]


@pytest.mark.all(
    "40 CPU seconds; in the first tier, test_train.py runs the commands in this process, and the "
    "smoke run of the experiment faults kills and continues runs"
)
def test_the_five_commands_of_the_page(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("bag", "boot"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(120):
            pixels = rng.integers(0, 100, (30, 26), np.uint8)
            pixels[: 15 if name == "bag" else 30, 15 if name == "boot" else 0 :] += 120
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    first, kill, again, evaluate, predict = commands()
    assert first == [*again, "&"]
    assert kill == ["kill", "-KILL", "$!"]
    words = lambda command: ["-m", *command]
    with started(*words(again), cwd=tmp_path) as process:
        for line in process.stdout:
            if line.startswith("saving step"):
                process.kill()
    checkpoints = Checkpoints(tmp_path / "runs" / "cnn-photos" / "checkpoints")
    left = checkpoints.steps()

    def run(command):
        options = {"cwd": tmp_path, "capture_output": True, "text": True}
        done = subprocess.run([sys.executable, *words(command)], **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    out = run(again)
    if left:
        assert out.startswith(f"continues from step {left[-1]}")
    assert len(checkpoints.steps()) >= 2
    assert "accuracy 100.0%" in run(evaluate)
    assert run(predict).startswith("photos/bag/1.png: bag ")
