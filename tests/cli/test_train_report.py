"""The report of `fcnn train`: scales, thinning, tables, and pages for many kinds of runs."""

import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from fcnn.cli.train.report import axis
from fcnn.cli.train.report.confusion import confusion, most_frequent
from fcnn.cli.train.report.curves import Curve, curves, names
from fcnn.cli.train.report.figure import figure
from fcnn.cli.train.report.page import headline, interval, page
from fcnn.cli.train.report.tables import duration, epochs, measure, number

CONFIG = {"classes": None, "model": "mlp(widths=(8,))", "optimizer": "adam", "learning rate": 1e-3}
CONFIG |= {"warm-up": 1, "decay all": False, "clip": None, "input": [28, 28, 1], "augment": []}
UNTESTED = {"step": 0, "part": "test"}
VOID = {"meta", "path"}


def row(step, loss=0.5, validation=None, **others):
    part = {} if validation is None else {"loss": validation}
    return {
        "step": step,
        "steps": 100,
        "epoch": step / 10,
        "training": {"loss": loss, **others},
        "validation": part,
        "seconds": 0.5,
    }


class Page(HTMLParser):
    """The text and the elements of a page, whose tags must be balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.svgs = [*map(ElementTree.fromstring, re.findall("<svg.*?</svg>", text, re.DOTALL))]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] != "style":
            self.text.append(data.strip())

    @property
    def labels(self):
        """Descriptions of the learning curves."""
        return [svg.get("aria-label") for svg in self.svgs if svg.get("role") == "img"]


def read(rows=(), results=UNTESTED, **config):
    return Page(page("runs/mlp", CONFIG | config, rows, results))


def ticks(axis):
    return {label: value for value, label in axis.ticks}


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (axis.linear(0, 1), "0.0 0.2 0.4 0.6 0.8 1.0"),
        (axis.linear(0.07, 2.35), "0.5 1.0 1.5 2.0"),
        (axis.linear(-3, 4, most=3), "0"),
        (axis.linear(-30, 41), "-30 -20 -10 0 10 20 30 40"),
        (axis.linear(0, 6e-6), "0 1e-06 2e-06 3e-06 4e-06 5e-06 6e-06"),
        (axis.around(0.9871, 0.9989, axis.percent), "98.8% 99.0% 99.2% 99.4% 99.6% 99.8%"),
        (axis.around(1, 1, axis.percent), "90% 95% 100%"),
        (axis.around(0, 0), "-0.4 -0.2 0.0 0.2 0.4"),
        (axis.counted(1440, most=5), "0 500 1,000"),
        (axis.counted(45_000, most=5), "0 10k 20k 30k 40k"),
        (axis.counted(2_000_000, most=5), "0 0.5M 1M 1.5M 2M"),
        (axis.counted(1, least=1), "0 1"),
        (axis.counted(3, least=1), "0 1 2 3"),
        (axis.logarithmic(0.011, 2.3), "0.01 0.02 0.05 0.1 0.2 0.5 1 2"),
        (axis.logarithmic(0.0003, 2.3), "0.001 0.01 0.1 1"),
        (axis.logarithmic(3e-12, 2), "10⁻¹¹ 10⁻⁹ 10⁻⁷ 10⁻⁵ 10⁻³ 10⁻¹"),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(found, labels):
    assert " ".join(label for _, label in found.ticks) == labels
    assert all(found.low - 1e-9 <= value <= found.high * (1 + 1e-9) for value, _ in found.ticks)
    places = [found.at(value) for value, _ in found.ticks]
    assert places == sorted(places)


def test_places_on_an_axis():
    assert axis.linear(2, 6).at(3) == 0.25
    log = axis.Axis(0.01, 100, (), log=True)
    assert [log.at(value) for value in (0.01, 1, 10, 0)] == [0, 0.5, 0.75, 0]
    assert ticks(axis.linear(0, 1))["0.6"] == 0.6


def test_a_thinned_curve_keeps_ends_extremes_and_gaps():
    points = [(step, math.sin(step)) for step in range(10_000)]
    points[4321], points[7777], points[6005] = (4321, 9.0), (7777, -9.0), (6005, None)
    found = Curve("training", points).thinned(100).points
    assert len(found) < 501
    assert {points[0], points[-1], points[4321], points[7777], points[6005]} <= {*found}
    assert found == sorted(found, key=lambda point: point[0])
    runs = [*Curve("training", found).runs]
    assert [runs[0][-1][0] < 6005, runs[1][0][0] > 6005, len(runs)] == [True, True, 2]
    short = Curve("training", points[:300])
    assert short.thinned(100).points == points[:300]


def test_means_of_a_curve_leave_out_what_is_not_finite():
    curve = Curve("training", [(1, 2.0), (2, None), (3, 4.0), (4, None), (5, None), (6, None)])
    assert curve.means(2).points == [(2, 3.0), (5, None)]


def test_metrics_that_are_no_numbers_are_left_out():
    rows = [row(1, f1=None, counts=[[1, 2]]), row(2, 0.25, f1=0.5)]
    assert names(rows) == ["loss", "f1"]
    assert curves(rows, "f1") == [Curve("training", [(1, None), (2, 0.5)])]
    assert [curve.part for curve in curves([row(1, validation=2.0)], "loss")] == [
        "training",
        "validation",
    ]


def test_numbers_in_words():
    assert [number(v) for v in (0.07123456, 1234.0, None, math.nan, 0.0)] == [
        *("0.07123", "1,234", "not finite", "not finite", "0")
    ]
    assert measure("accuracy", 0.9781) == "97.8%"
    assert measure("accuracy", 97.81) == "97.81"
    assert [duration(s) for s in (0.5234, 41.2, 192, 7503)] == [
        *("0.52 s", "41 s", "3 min 12 s", "2 h 5 min")
    ]
    assert [epochs(e) for e in (3.0, 0.25, 1000.0)] == ["3", "0.25", "1,000"]


def test_confidence_interval_of_published_values():
    """81 of 263 has the interval 0.2553 to 0.3662 (Newcombe 1998, Table I, Wilson score)."""
    assert interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = interval(1.0, 10)
    assert high == pytest.approx(1)
    assert low == pytest.approx(0.7225, abs=1e-4)


@pytest.mark.parametrize(
    ("results", "line"),
    [
        ({"part": "test", "loss": 0.5, "accuracy": 0.97751, "examples": 9}, "Test accuracy: 97.8%"),
        ({"part": "validation", "loss": 0.0712, "examples": 9}, "Validation loss: 0.0712"),
        ({"part": "test", "loss": math.nan, "examples": 9}, "Test loss: not finite"),
        (UNTESTED, "Not tested: no test data and no validation data"),
    ],
)
def test_headline(results, line):
    assert headline(results) == line
    assert line in read(results={"step": 3} | results).text


def test_the_loss_has_a_log_axis_above_two_decades_only():
    log = lambda *losses: "log scale" in figure("loss", [row(i, v) for i, v in enumerate(losses)])
    assert log(100.0, 0.99)
    assert not log(100.0, 1.01)
    assert log(100.0, 0.0, 0.5)  # zero is drawn at the lower end
    assert not log(100.0, -1.0, 0.5)
    assert not log(0.0, 0.0)
    assert "log scale" not in figure("f1", [row(1, f1=100.0), row(2, f1=0.1)])


def test_curves_of_a_run():
    rows = [row(10, 2.0, 4.0), row(20, None, 3.0), row(30, 1.0, 3.5)]
    found = read(rows, {"step": 20, "part": "test", "loss": 3.25, "examples": 7})
    line = "loss by step. training: from 2 at step 10 to 1 at step 30"
    assert found.labels == [f"{line}. validation: from 4 at step 10 to 3.5 at step 30"]
    caption = "Lowest validation loss: 3 at step 20. 1 value is not finite and not drawn."
    assert caption in found.text
    (svg,) = (svg for svg in found.svgs if svg.get("role") == "img")
    paths = {path.get("class"): path.get("d") for path in svg}
    assert paths.keys() == {"grid", "tested", "training dot", "validation", "validation dot"}
    assert paths["training dot"].count("M") == 2  # a gap joins no points
    assert paths["validation"].startswith("M333.3 37.0L666.7 345.7L1000.0 191.4")
    assert paths["tested"] == "M666.7 0V1000"
    assert found.tags.count("figcaption") == 1


@pytest.mark.parametrize("count", [0, 1, 2, 40, 1000])
def test_pages_of_runs_of_any_length(count):
    rows = [row(step, 1 / step, 2 / step, accuracy=0.5) for step in range(1, count + 1)]
    found = read(rows)
    assert ("There are no learning curves: metrics.jsonl has no reports." in found.text) == (
        not rows
    )
    assert len(found.labels) == (2 if rows else 0)
    assert ("Last 10 of 1,000 reports" in found.text) == (count == 1000)
    means = "The lines are means of 20 reports; the pale lines show all reports."
    assert (means in " ".join(found.text)) == (count == 1000)
    assert {"main", "h1", "title"} <= {*found.tags}
    assert ("lang", "en") in found.attributes


def test_a_run_whose_values_are_never_finite():
    found = read([row(1, None, None), row(2, None)])
    assert "No value is finite." in found.text
    assert found.text.count("not finite") == 2


def test_a_page_of_100_000_reports_is_small_and_keeps_the_extremes():
    rows = [row(step, 2 + math.sin(step)) for step in range(1, 100_001)]
    rows[54_321]["training"]["loss"] = 9.0
    text = page("runs/long", CONFIG, rows, UNTESTED)
    assert len(text) < 60_000
    assert " 37.0L" in text  # the largest value, below a margin of 4%


def test_a_page_is_one_file_and_names_are_escaped():
    rows = [row(1, 0.5, **{"<b>&'\"": 1.0})]
    classes = ["<script>alert(1)</script>", 'a"b', "x" * 200]
    results = {"step": 1, "part": "test", "examples": 3, "loss": 1.0, "accuracy": 1 / 3}
    results["confusion"] = [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    text = page("runs/<i>&\udcff", CONFIG | {"classes": classes}, rows, results)
    text.encode()
    found = Page(text)
    assert not {"script", "b", "i", "link", "img"} & {*found.tags}
    assert not {"src", "href", "onload"} & {name for name, _ in found.attributes}
    assert "url(" not in text
    assert {classes[0], f"{classes[1]} → {classes[0]}", "<b>&'\""} <= {*found.text}
    assert any("<i>&?" in each for each in found.text)


def test_the_configuration_in_words():
    found = read(classes=[f"c{i}" for i in range(30)])
    settings = found.text[found.text.index("Configuration") :]
    listed = ", ".join(f"c{i}" for i in range(20)) + ", … (30 in all)"
    assert settings[1:] == [
        *("classes", listed, "model", "mlp(widths=(8,))", "optimizer", "adam"),
        *("learning rate", "0.001", "warm-up", "1", "decay all", "no", "clip", "none"),
        *("input", "28, 28, 1", "augment", "none"),
    ]


def test_confusions_of_three_classes():
    counts = [[8, 0, 2], [0, 0, 0], [5, 5, 0]]
    assert most_frequent(counts) == [(5, 2, 0), (5, 2, 1), (2, 0, 2)]
    found = Page(confusion(counts, ["a", "b", "c"])).text
    assert found[:6] == ["true class", "accuracy", "a", "b", "c", "examples"]
    assert found[6:24] == [*"a 80.0% 8 0 2 10 b – 0 0 0 0 c 0.0% 5 5 0 10".split()]
    listed = found.index("Most frequent confusions")
    assert found[listed + 4 :] == [
        *("c → a", "5", "50.0%", "c → b", "5", "50.0%", "a → c", "2", "20.0%")
    ]


@pytest.mark.parametrize(("classes", "tables"), [(1, 1), (2, 1), (10, 2), (100, 2), (101, 2)])
def test_confusion_of_many_classes(classes, tables):
    counts = [[20 * (i == j) + (j == 0) for j in range(classes)] for i in range(classes)]
    found = Page(confusion(counts, None))
    assert found.tags.count("table") == tables
    cells = found.tags.count("td")
    assert (cells > classes**2) == (classes <= 100)
    shares = [value for name, value in found.attributes if name == "style"]
    assert len(shares) == (2 * classes - 1 if classes <= 100 else 0)
    if classes > 2:
        assert "1 → 0" in found.text
    assert (found.text.count("0") > 3) == (classes == 10)  # a large matrix shows no zeros
