"""`fcnn check FILE.py:NAME --watch`: a real process, and real saves of its files."""

import json
import re
import signal
from queue import Queue
from threading import Thread

import pytest
from child import started

from fcnn.cli import main

MINE = """
import numpy as np
from neighbour import FACTOR

def double(x):
    return 2 * x

def double_backward(x, dy):
    return (FACTOR * dy,)

double_args = (np.ones((2, 3)) * np.arange(3.0),)
"""


class Folder:
    """A folder with mine.py, neighbour.py and the report of the last check."""

    def __init__(self, path):
        self.path = path
        self.save("mine.py", MINE)
        self.save("neighbour.py", "FACTOR = 3\n")

    def save(self, name, text):
        """Save as editors do: write another file, and rename it."""
        (self.path / "saving").write_text(text)
        (self.path / "saving").rename(self.path / name)

    @property
    def ok(self):
        return json.loads((self.path / "report.json").read_text())["ok"]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def lines_of(stream):
    """A function that returns the lines up to the next one that has `text`."""
    queue: Queue = Queue()
    Thread(target=lambda: [queue.put(line) for line in stream], daemon=True).start()

    def until(text):
        found = []
        while not found or text not in found[-1]:
            found.append(queue.get(timeout=60))
        return found

    return until


def test_each_save_of_the_file_or_of_a_local_module_starts_a_check(folder):
    files = ("--json", "report.json", "--html", "report.html")
    words = ("-m", "fcnn", "check", "mine.py:double", "--watch", *files)
    with started(*words, cwd=folder.path) as process:
        until = lines_of(process.stderr)
        shown = until("watching")
        assert shown == ["watching mine.py, neighbour.py; press Ctrl-C to end\n"]
        assert not folder.ok
        folder.save("neighbour.py", "FACTOR = 2\n")  # same size, and perhaps the same second
        assert "neighbour.py changed" in "".join(until("watching"))
        assert folder.ok
        assert "1 of 1 gradients are right" in (folder.path / "report.html").read_text()
        for name, text, message in (
            ("mine.py", "def double(:\n", "fcnn check: mine.py:1: SyntaxError: invalid syntax"),
            ("mine.py", MINE + "import later\n", "mine.py:12: ModuleNotFoundError: No module"),
            ("later.py", "1 / 0\n", "mine.py:12: ZeroDivisionError: division by zero"),
        ):
            folder.save(name, text)
            (error,) = (line for line in until("watching") if line.startswith("fcnn check: "))
            assert message in error
        folder.save("later.py", "")
        (_, heading, watching) = until("watching")
        assert "later.py changed" in heading
        assert watching == "watching mine.py, neighbour.py, later.py; press Ctrl-C to end\n"
        folder.save("neighbour.py", "FACTOR = -2\n")
        until("watching")
        assert not folder.ok
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1  # of the last check
    assert re.findall(r"dx: equals (\S+) × the right gradient", out) == ["1.5", "−1"]
    assert not (folder.path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["relu"], "--watch: relu is not FILE.py:NAME, so there is no file to watch"),
        ([], "--watch: no FILE.py:NAME is given, so there is no file to watch"),
        (["mine.py"], "so there is no file to watch; write mine.py:NAME"),
        (["none.py:double"], "there is no file none.py"),
    ],
)
def test_without_a_file_to_watch_the_error_is_one_line(names, message, capsys):
    assert main(["check", *names, "--watch"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("fcnn check: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1
