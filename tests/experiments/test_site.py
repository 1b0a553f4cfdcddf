"""`python -m experiments` and `all`: the list, one progress, and one site that is always whole."""

import errno
import html
import io
import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace

import pytest
import toy
from rich.console import Console

from experiments.__main__ import main
from experiments.framework import series as series_module
from experiments.framework.claim import Claim, NotJudged, Pairs
from experiments.framework.experiment import Command, Part
from experiments.framework.progress import Progress
from experiments.framework.series import Series

CLAIMS = (
    Claim("a exceeds b", "value, a − b"),
    Claim("Zebras are <striped>", "stripes, " + "many" * 30, "at least", 1.0),
)
MEASURED = """<!doctype html><pre id="out"></pre><script>
const frames = {}, found = {}
for (const scheme of ["light", "dark"]) for (const width of [390, 1280]) {
  const frame = frames[`${scheme} ${width}`] = document.createElement("iframe")
  frame.style = `border: 0; width: ${width}px; height: 900px; color-scheme: ${scheme}`
  frame.src = "index.html"
  document.body.append(frame)
}
function measured(frame) {
  const page = frame.contentWindow, document = page.document
  const field = document.querySelector("#search")
  const shown = (selector) => [...document.querySelectorAll(selector)]
    .filter((element) => element.checkVisibility()).map((element) => element.textContent.trim())
  const search = (text) => {
    field.value = text
    field.dispatchEvent(new page.Event("input"))
    return [shown("code"), shown("li span.verdict"), shown("h2"), shown("#found")]
  }
  return {
    width: document.documentElement.scrollWidth,
    paper: page.getComputedStyle(document.body).backgroundColor,
    requests: page.performance.getEntriesByType("resource").length,
    everything: search(""), zebra: search("ZEBRAS"), two: search("two"), none: search("two x7"),
  }
}
addEventListener("load", () => {
  for (const name in frames) found[name] = measured(frames[name])
  document.querySelector("#out").textContent = JSON.stringify(found)
})
</script>"""


def make(name, **fields):
    """A toy with two claims, of which only the first is judged."""
    judged = lambda m: [Pairs([1.0, 1.1], [0.0, 0.0]), NotJudged("one device")]
    fields = {"name": name, "title": f"Toy {name}", "claims": CLAIMS, "evidence": judged} | fields
    return replace(toy.TOY, figures={}, **fields)


@pytest.fixture
def use(monkeypatch):
    """Put records, or errors, in the place of the experiments."""

    def use(*records):
        found = {e.name: e for e in records}

        def load(name):
            if isinstance(found[name], ImportError):
                raise found[name]
            return found[name]

        monkeypatch.setattr("experiments.__main__.NAMES", tuple(found))
        monkeypatch.setattr("experiments.__main__.load", load)

    return use


def index(folder):
    return html.unescape((folder / "index.html").read_text())


def article(folder, name):
    (found,) = re.findall(rf'<article id="{name}">.*?</article>', index(folder), re.DOTALL)
    return found


def test_the_site_links_each_report_and_each_report_links_back(tmp_path, use, capsys):
    command = Command("timed", "A command", lambda _: os.makedirs(tmp_path / "timed/t") or 0)
    use(make("one", chapter="layers"), make("two"), command)
    assert main(["all", "--output-dir", str(tmp_path)]) == 0
    links = re.findall(r'<h3><a href="(.*?)">', index(tmp_path))
    assert [link.split("/")[0] for link in links] == ["one", "two", "timed"]
    assert all((tmp_path / link).exists() for link in links)
    for link in links[:2]:
        page = tmp_path / link
        (back,) = re.findall(r'<a href="(.*?)">All experiments</a>', page.read_text())
        assert (page.parent / back).samefile(tmp_path / "index.html")
    assert re.findall("<h2>(.*)</h2>", index(tmp_path)) == ["Layers", "Library"]
    assert re.findall(r'verdict [\w-]+">(.*?)<', article(tmp_path, "one")) == ["held", "not judged"]
    assert "3 experiments, 4 claims: 2 held, 2 not judged." in index(tmp_path)
    assert "&lt;striped&gt;" in (tmp_path / "index.html").read_text()
    out = capsys.readouterr().out
    assert f"{tmp_path / 'index.html'}\n" in " ".join(out.split()) + "\n"
    line = r"^0 of 3 experiments, \d+ s elapsed, about .* left; one: 5 of 10 parts: a, seed 2$"
    assert re.search(line, out, re.MULTILINE)
    assert main(["one", "--output-dir", str(tmp_path)]) == 0
    alone = max((tmp_path / "one").glob("*/report.html"), key=lambda path: path.stat().st_mtime_ns)
    assert "All experiments" not in alone.read_text()


def test_an_error_is_one_line_on_the_site_and_ends_no_other_run(tmp_path, use, capsys):
    def refuses(config):
        raise ValueError("--rate 0 must be positive")

    def crashes(config, prepared):
        raise LookupError("no\nparts")

    missing = ImportError("no module zebra; pip install zebra")
    missing.name = "missing"
    use(
        missing,
        make("refused", prepare=refuses),
        make("crashed", parts=crashes),
        make("stopped", config=toy.Config, prepare=lambda c: (replace(c, mode="raises"), None)),
        make("fine"),
    )
    assert main(["all", "--output-dir", str(tmp_path)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 4
    assert article(tmp_path, "missing").count("no module zebra; pip install zebra") == 1
    assert article(tmp_path, "refused").count("refused: --rate 0 must be positive") == 1
    assert article(tmp_path, "crashed").count("crashed: LookupError: no parts") == 1
    assert article(tmp_path, "stopped").count("RuntimeError: no memory is left") == 1
    assert article(tmp_path, "stopped").count(">not judged<") == 2
    assert "5 experiments, 4 with an error, 8 claims: 1 held, 7 not judged." in index(tmp_path)
    assert "<a href" in article(tmp_path, "stopped")
    assert "held" in article(tmp_path, "fine")


def test_a_smoke_run_is_stated_once(tmp_path, use):
    use(make("one"), make("two"))
    assert main(["all", "--smoke", "--output-dir", str(tmp_path)]) == 0
    assert index(tmp_path).count("smoke") == 1


def test_the_site_of_an_interrupted_run_is_whole(tmp_path, use):
    def measure(config, prepared, todo, log):
        seen.append(index(tmp_path))
        yield todo[0].name, {"net": "a", "value": 1.0}
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        yield todo[1].name, {"net": "b", "value": 1.0}

    seen = []
    use(make("one"), make("two", measure=measure), make("three"))
    assert main(["all", "--output-dir", str(tmp_path)]) == 143
    assert seen[0].count("not run yet") == 4
    assert "held" in article(tmp_path, "one")
    for name, links in (("two", 1), ("three", 0)):
        assert article(tmp_path, name).count(">not judged<") == 2
        assert article(tmp_path, name).count(">interrupted<") == 2
        assert article(tmp_path, name).count("<a href") == links


def test_a_site_that_cannot_be_written_is_one_line(tmp_path, use, capsys, monkeypatch):
    use(make("one"))
    (tmp_path / "file").touch()
    assert main(["all", "--output-dir", str(tmp_path / "file")]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"all: --output-dir {tmp_path / 'file'} cannot be written: File exists; ")
    written = []

    def write(path, text):
        written.append(text)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{path}")

    monkeypatch.setattr("experiments.framework.every.write_whole", write)
    assert main(["all", "--smoke", "--output-dir", str(tmp_path)]) == 3
    line = f"all: {tmp_path / 'index.html'}: No space left on device\n"
    out, err = capsys.readouterr()
    assert err == line * 2
    assert "index.html" not in out
    assert out.count("A run with --smoke judges no claim, and ") == 1


def test_the_site_in_a_browser(tmp_path, use):
    use(make("one"), make("two", chapter="layers", claims=CLAIMS[:1], evidence=toy.TOY.evidence))
    assert main(["all", "--output-dir", str(tmp_path)]) == 0
    (tmp_path / "frames.html").write_text(MEASURED)
    words = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--dump-dom"]
    words += ["--enable-logging=stderr", "--allow-file-access-from-files"]
    words += [(tmp_path / "frames.html").as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr
    (out,) = re.findall(r'<pre id="out">(.*?)</pre>', done.stdout)
    found = json.loads(html.unescape(out))
    assert {name: each["width"] for name, each in found.items()} == {
        f"{scheme} {width}": width for scheme in ("light", "dark") for width in (390, 1280)
    }
    assert {each["requests"] for each in found.values()} == {0}
    assert found["light 390"]["paper"] == "rgb(255, 255, 255)"
    assert found["dark 390"]["paper"] == "rgb(20, 24, 29)"
    for each in found.values():
        assert each["everything"] == [
            ["two", "one"],
            ["held", "held", "not judged"],
            ["Layers", "Library"],
            [""],
        ]
        count = ["Experiments: 1. Claims: 1."]
        assert each["zebra"] == [["one"], ["not judged"], ["Library"], count]
        assert each["two"] == [["two"], ["held"], ["Layers"], count]
        assert each["none"] == [[], [], [], ["Experiments: 0. Claims: 0."]]


def test_one_display_shows_all_experiments_and_the_parts_of_one(monkeypatch):
    now = 0.0
    monkeypatch.setattr(series_module, "perf_counter", lambda: now)
    console = Console(record=True, width=40, force_terminal=False, file=io.StringIO())
    series = Series(console, {"one": 2.0, "two": 4.0, "three": None})  # minutes: three counts as 3
    series.start("one")
    assert series.counts() == "0 of 3 experiments, 0 s elapsed, about 9 min left; one"
    now = 60.0
    series.finish()
    series.start("two")
    parts = [Part("a", cost=3), Part("b", cost=1)]
    now = 120.0
    Progress(console, parts, series=series).finish(parts[0])
    assert console.export_text() == (
        "1 of 3 experiments, 2 min elapsed, about 2 min left; two: 1 of 2 parts: a\n"
    )
    assert "about" not in Series(console, {"one": None}).counts()


def test_a_terminal_shows_one_bar_inside_the_other():
    console = Console(force_terminal=True, width=120, file=io.StringIO())
    parts = [Part("a"), Part("b")]
    with Series(console, {"one": 2.0, "two": None}) as series:
        series.start("one")
        with Progress(console, parts, series=series) as progress:
            progress.finish(parts[0])
            progress.note("compiling b …")
            assert [task.description for task in series.bar.tasks] == [
                "0 of 2 experiments",
                "compiling b …",
            ]
            assert [task.percentage for task in series.bar.tasks] == [25, 50]
        series.finish()
        assert [task.description for task in series.bar.tasks] == ["1 of 2 experiments"]


def test_the_list_has_all_that_is_known_of_an_experiment(use, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("experiments.framework.kept.folder", lambda: tmp_path)
    missing = ImportError("no module zebra; pip install zebra")
    missing.name = "missing"
    use(missing, make("one", title="A long title " * 10), Command("timed", "A command", len))
    assert main([]) == 2
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    text = " ".join(out.split())
    assert "No data set. Not run yet. Claim: a exceeds b." in text
    assert "timed: A command Makes no claim. 0 kept results." in text
    assert text.endswith("missing: no module zebra; pip install zebra")


def test_a_chapter_must_be_known():
    with pytest.raises(ValueError, match="unknown chapter 'animals'; expected one of 'layers', "):
        make("one", chapter="animals")
