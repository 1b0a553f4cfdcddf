"""The report in Chromium, on a phone, a desktop and paper, light and dark, and what it is made of.

The page is of the kept result of MNIST. One start of the browser shows it in two frames, which
are as wide as a phone and as a desktop.
"""

import dataclasses
import datetime
import itertools
import json
import re
import subprocess
from html import unescape
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import toy
from rich.console import Console

from experiments import fc_vs_conv
from experiments.fc_vs_conv.config import Config
from experiments.framework import palette
from experiments.framework.drawn import draw
from experiments.framework.drawn_numbers import numbers
from experiments.framework.experiment import Section
from experiments.framework.figures import SIZE, STYLE, apart, label_lines, spread
from experiments.framework.judging import judge_again
from experiments.framework.options import Output
from experiments.framework.plots import dots
from experiments.framework.report import Findings, not_judged, report
from experiments.framework.run import Run
from experiments.framework.runner import main as run_record
from experiments.framework.table import Table
from experiments.framework.verdict import RULE

KEPT = Path(__file__).parents[2] / "experiments/results/fc_vs_conv/mnist.json"
CHROMIUM = ("/usr/bin/chromium", "--headless", "--no-sandbox", "--hide-scrollbars")
SCHEMES, WIDTHS = ("light", "dark"), (390, 1280)
FRAMES = """<!doctype html><pre id="found"></pre><script>
const page = PAGE, found = {}
const rgb = text => text.match(/[\\d.]+/g).map(Number)
const luminance = text => rgb(text).slice(0, 3).map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + .05) / (low + .05)
}
function behind(element, style) {
  for (; element; element = element.parentElement) {
    const colour = style(element).backgroundColor
    if (rgb(colour)[3] !== 0) return colour
  }
}
function measured(window) {
  const document = window.document, style = e => window.getComputedStyle(e)
  const kinds = "p, td, th, a, h1, h2, h3, pre, summary, caption, span, strong, figcaption"
  const texts = [...document.querySelectorAll(kinds)]
  const svg = [...document.querySelectorAll("figure.plot svg text")]
  const size = e => {
    const { a, b } = e.getScreenCTM()
    return parseFloat(style(e).fontSize) * Math.hypot(a, b)
  }
  return {
    width: document.documentElement.scrollWidth,
    background: style(document.body).backgroundColor,
    contrast: Math.min(
      ...texts.map(e => contrast(style(e).color, behind(e, style))),
      ...svg.map(e => contrast(style(e).fill, style(document.body).backgroundColor))),
    smallest: Math.min(...svg.map(size)),
    texts: svg.length,
    figures: [...document.querySelectorAll("figure.plot")].map(e => e.getBoundingClientRect().left),
    requests: window.performance.getEntriesByType("resource").map(e => e.name),
    sticky: style(document.querySelector(".results th")).position,
    links: [...document.querySelectorAll("nav a")]
      .map(e => document.querySelector(e.getAttribute("href")) !== null),
    ids: [...document.querySelectorAll("[id]")].map(e => e.id),
  }
}
const frames = SCHEMES.flatMap(scheme => WIDTHS.map(width => ({ scheme, width })))
let left = frames.length
for (const { scheme, width } of frames) {
  const frame = document.createElement("iframe")
  frame.style = `width: ${width}px; height: 900px; border: 0; color-scheme: ${scheme}`
  frame.srcdoc = page
  frame.onload = () => {
    found[`${scheme} ${width}`] = measured(frame.contentWindow)
    if (--left === 0) document.getElementById("found").textContent = JSON.stringify(found)
  }
  document.body.append(frame)
}
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of the kept result: HTML, and its figures."""
    e, kept = fc_vs_conv.EXPERIMENT, json.loads(KEPT.read_text(encoding="utf-8"))
    names = {field.name for field in dataclasses.fields(Config)}
    chosen = {k: tuple(v) if isinstance(v, list) else v for k, v in kept["config"].items()}
    config = Config(**{k: v for k, v in chosen.items() if k in names})
    run = Run(e.name, tmp_path_factory.mktemp("runs"), config, {"options": {"dataset": "mnist"}})
    run.config, run.environment = kept["config"], kept["environment"]
    run.started = datetime.datetime.fromisoformat(kept["environment"]["time"])
    m = dataclasses.replace(e.read(kept), images=60_000)  # this result is older than the entry
    figures, failures = draw(run, e.figures, m)
    assert not failures
    findings = Findings(
        title=e.title,
        summary=e.summary(config, m),
        claims=judge_again(e, kept)[0],
        judged=RULE,
        tables=e.tables(m),
        notes=e.notes(config),
        figures=figures,
        minutes=kept["minutes"],
        data="60,000 training images",
        sections=[Section("explorer", "Explorer", "<p>drawn here</p>", "top")],
    )
    return report(run, findings), figures, run.folder


def chromium(*options):
    done = subprocess.run([*CHROMIUM, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def shown(page, tmp_path_factory):
    """What a phone and a desktop show, light and dark, and what the console printed."""
    known = {"PAGE": page[0], "SCHEMES": SCHEMES, "WIDTHS": WIDTHS}
    text = re.sub("PAGE|SCHEMES|WIDTHS", lambda name: json.dumps(known[name[0]]), FRAMES)
    path = tmp_path_factory.mktemp("frames") / "frames.html"
    path.write_text("</script>".join(text.replace("</", "<\\/").rsplit("<\\/script>", 1)))
    done = chromium("--enable-logging=stderr", "--dump-dom", path.as_uri())
    assert "CONSOLE" not in done.stderr
    (result,) = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(unescape(result))


def test_the_page_fits_a_phone_and_requests_nothing(shown):
    assert shown["light 390"]["width"] == shown["dark 390"]["width"] == 390
    assert shown["light 1280"]["width"] <= 1280
    assert all(each["requests"] == [] for each in shown.values())
    assert all(each["sticky"] == "sticky" for each in shown.values())


def test_text_of_figures_can_be_read_on_a_phone(shown):
    found = shown["light 390"]
    assert found["texts"] > 60
    assert found["smallest"] >= 11
    columns = lambda each: len({round(left) for left in each["figures"]})
    assert columns(found) == 1
    assert columns(shown["light 1280"]) == 2


def test_a_dark_page_is_dark_and_all_text_has_contrast(shown):
    assert shown["light 390"]["background"] == "rgb(255, 255, 255)"
    assert shown["dark 390"]["background"] == "rgb(20, 24, 29)"
    assert all(each["contrast"] >= 4.5 for each in shown.values())


def test_contents_link_to_sections_and_ids_are_unique(shown):
    found = shown["light 1280"]
    assert found["links"] == [True] * 4
    assert "explorer" in found["ids"]
    assert len(found["ids"]) == len(set(found["ids"]))


def test_the_page_is_printed_on_three_sheets(page, tmp_path):
    (tmp_path / "report.html").write_text(page[0])
    pdf = tmp_path / "report.pdf"
    chromium(f"--print-to-pdf={pdf}", (tmp_path / "report.html").as_uri())
    assert 1 <= len(re.findall(rb"/Type /Page\b(?!s)", pdf.read_bytes())) <= 3


def test_claims_command_and_receipt_are_above_the_contents(page):
    top = page[0][page[0].index("<body>") : page[0].index("<nav")]
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert top.count('<span class="verdict">held</span>') == 3
    for text in ("39 min", "n = 3", "60,000 training images", "cpu × 1", "jax 0.10.2"):
        assert text in top
    assert kept["environment"]["commit"][:12] in top
    data_dir = kept["config"]["data_dir"]
    again = f"python -m experiments fc_vs_conv --dataset mnist --data-dir {data_dir}"
    assert f"<code>{again}</code>" in top


def test_every_figure_has_a_description_with_numbers_and_a_table(page):
    text, figures, folder = page
    labels = re.findall(r'<svg role="img" aria-label="([^"]*)"', text)
    assert [unescape(label) for label in labels] == [f.caption for f in figures]
    assert len(labels) == 4
    assert all(len(re.findall(r"\d+\.\d", label)) >= 5 for label in labels)
    assert text.count("<summary>Numbers of this figure</summary>") == 4
    shift = next(f for f in figures if f.name == "by_shift")
    assert shift.numbers[0].head[:2] == ("shift of the test images, pixels", "dense")
    assert shift.numbers[0].rows[-1][1] == "69.89 (68.42 to 71.37)"
    saved = (folder / "by_shift.svg").read_text()
    assert "var(--" not in saved
    for figure in figures:  # the page has the title of a figure, and the file's picture too
        file = (folder / f"{figure.name}.svg").read_text()
        assert (file.count("-title"), file.count("-background")) == (1, 1)
        assert not re.search("-title|-background", figure.svg)
        heights = [float(re.search(r'height="([\d.]+)pt', svg)[1]) for svg in (figure.svg, file)]
        assert heights[0] == pytest.approx(72 * SIZE[1])
        assert heights[1] > heights[0] + 10
    assert palette.COLOURS["ink"] in saved


def test_a_run_without_verdicts_states_why(tmp_path):
    run = Run("toy", tmp_path, Output())
    verdicts = not_judged(toy.TOY.claims, "interrupted")
    text = report(
        run, Findings("A toy", "", verdicts, RULE, [], [], [], 0.1, stopped="Interrupted")
    )
    assert text.count("not judged: interrupted") == 1
    assert "a exceeds b" in text


def test_a_section_that_fails_is_a_fault_and_loses_no_report(tmp_path, capsys):
    def sections(config, m):
        raise RuntimeError("no weights")

    failing = dataclasses.replace(toy.TOY, sections=sections)
    assert run_record(failing, ["--output-dir", str(tmp_path)]) == 3
    assert "RuntimeError: no weights" in capsys.readouterr().err
    assert len(list(tmp_path.glob("toy/*/report.html"))) == 1


def test_the_best_value_of_a_column_is_marked():
    rows = [("a", "97.7 ± 3", "1,200", "−", "5"), ("b", "98 ± 1", "900", "2", "5")]
    rows.append(("c", "98 ± 2", "1e4", "−3", "5"))
    best = {"x": "highest", "y": "lowest", "z": "lowest", "same": "highest"}
    table = Table(("name", "x", "y", "z", "same"), rows, best=best)
    assert table.marked() == {(1, 1), (2, 1), (1, 2), (2, 3)}
    assert table.markdown().splitlines()[-1] == "| c | **98 ± 2** | 1e4 | **−3** | 5 |"
    console = Console(width=80, force_terminal=True, record=True)
    console.print(table.rich())
    assert re.search(r"\x1b\[1m +98 ± 1\x1b", console.export_text(styles=True))


def test_wide_tables_get_the_whole_page_and_texts_are_broken():
    small = Table(("net", "accuracy of all test images"), [("a" * 26, "98.1")])
    assert (small.fits_half(), small.texts()) == (True, set())
    long = Table(
        ("formula", "it gives", "error"), [("E = t", "the gradient of another function", "2")]
    )
    assert (long.fits_half(), long.texts()) == (True, {1})
    wide = Table(("printed", "right"), [("a" * 31, "b" * 31)])
    assert (wide.fits_half(), wide.texts()) == (False, {0, 1})
    assert not Table("abcde", [("1",) * 5]).fits_half()


# Machado, Oliveira & Fernandes 2009: linear RGB as seen with protanopia and deuteranopia
VISION = {
    "trichromacy": np.eye(3),
    "protanopia": [
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ],
    "deuteranopia": [
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ],
}
XYZ = np.array([(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)])


def linear(colour):
    v = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear RGB, white point D65."""
    x, y, z = np.cbrt(XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("dark", [0, 1])
def test_colours_differ_for_colour_blind_people_and_from_the_page(dark):
    lines = [linear(pair[dark]) for pair in palette.LINES.values()]
    for vision in VISION.values():
        seen = [lab(vision @ colour) for colour in lines]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 16
    page = linear(palette.PAGE["paper"][dark]) @ XYZ[1]
    for luminance in (colour @ XYZ[1] for colour in lines):
        low, high = sorted((luminance, page))
        assert (high + 0.05) / (low + 0.05) >= 3


def test_equal_points_are_spread():
    assert spread([]) == []
    assert spread([5.0] * 4, step=1) == [0, 1, -1, 2]
    assert spread([0.0, 0.5, 100.0], step=1) == [0, 1, 0]
    assert spread([0.0, 0.5, 100.0], span=1, step=1) == [0, 0, 0]
    assert len(set(spread([1.0, 1.01, 0.99] * 5, span=10))) == 15


def test_places_are_apart_and_inside():
    assert apart([0.0, 0.0, 1.0], 0.2) == [0, 0.2, 1.0]
    assert apart([0.5, 0.6], 0.1) == [0.5, 0.6]
    close = apart([0.1, 0.3, 0.31, 0.32, 0.95], 0.1)
    assert min(np.diff(close)) >= 0.1 - 1e-9
    assert close[0] >= 0
    assert close[-1] == 0.95


@pytest.fixture
def axes():
    with plt.style.context(STYLE):
        yield plt.subplots()[1]
        plt.close("all")


def test_labels_of_lines_do_not_overlap(axes):
    for i in range(6):
        axes.plot([1, 2], [i, 1 + i / 1000], label=f"line {i}")
    label_lines(axes)
    axes.figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert [text.get_text() for text in axes.texts] == [f"line {i}" for i in range(6)]
    assert all(a.y1 <= b.y0 for a, b in itertools.pairwise(boxes))
    assert all(box.x1 <= axes.figure.bbox.x1 for box in boxes)


def test_numbers_of_lines_bands_and_error_bars(axes):
    axes.plot([1, 10], [0.5, 2000], color="red", label="a")
    axes.fill_between([1, 10], [0.25, 1000], [0.75, 3000], color="red")
    axes.fill_between([1, 10], [0, 0], [4000, 4000], color="blue")
    axes.errorbar([1, 10], [-1, float("nan")], [0.5, 0.5], color="green", label="b", capsize=2)
    axes.axhline(7)
    axes.set(xlabel="images", ylabel="loss, nats")
    (table,) = numbers(axes.figure)
    assert table.title == "loss, nats"
    assert table.head == ("images", "b", "a")
    assert table.rows == [
        ("1", "−1 (−1.5 to −0.5)", "0.5 (0.25 to 0.75)"),
        ("10", "–", "2,000 (1,000 to 3,000)"),
    ]


def test_a_value_has_no_range_of_another_colour(axes):
    axes.errorbar([1], [5], [4], color="green", ecolor="black", label="a")
    axes.plot([1], [6], "o", color="blue", label="b")
    axes.plot([2], [6], "o", color="blue", label="b")
    axes.plot([2, 2], [5.5, 6.5], color="blue")
    assert numbers(axes.figure)[0].rows == [("1", "5 (1 to 9)", "6"), ("2", "–", "6 (5.5 to 6.5)")]


def test_numbers_of_dots_and_their_mean(axes):
    dots(axes, {"gap": [1, 2, 3], "dense": [4, 5, 9]}, "accuracy, %")
    axes.axvline(0)
    assert numbers(axes.figure) == [
        Table(
            ("", "each", "mean"),
            [("gap", "1, 2, 3", "2"), ("dense", "4, 5, 9", "6")],
            title="accuracy, %",
        )
    ]


def test_numbers_of_bars_and_points_with_names(axes):
    axes.bar([0, 1], [2, 3], yerr=[0.5, 1], label="time")
    axes.scatter([-0.1, 0.1, 1], [4, 5, 6], label="seeds")
    axes.set_xticks([0, 1], ["dense", "conv"])
    (table,) = numbers(axes.figure)
    assert table.rows == [("dense", "2 (1.5 to 2.5)", "4, 5"), ("conv", "3 (2 to 4)", "6")]
    axes.clear()
    axes.barh(["dense", "conv"], [2, 3])
    axes.set_xlabel("seconds")
    assert numbers(axes.figure)[0] == Table(("", "seconds"), [("dense", "2"), ("conv", "3")])
    axes.clear()
    axes.plot(range(1000))
    assert "40 of 1000 rows" in numbers(axes.figure)[0].title
    axes.clear()
    axes.imshow(np.eye(2))
    assert numbers(axes.figure) == []
