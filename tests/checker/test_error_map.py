"""The map of errors: squares, labels of axes, the scale of colours, and the ring."""

import re
from itertools import pairwise

import numpy as np
import pytest

import fcnn
from fcnn.checker import Report, Row
from fcnn.checker.error_map import COLUMNS, DARK, LIGHT, ROWS, STEPS, error_map, styles

WHERE = {"jax": "", "device": "cpu", "matmul precision": "highest", "seed": 0}


def row(errors, at, error=None, **options):
    """A wrong row with a map of errors, whose worst entry is `at`."""
    errors = np.asarray(errors, float)
    error = float(errors[at]) if error is None else error
    values = {"claimed": 1.0, "autodiff": 0.5, "says": "equals 2 × the right gradient", **options}
    return Row("f", "w", errors.shape, "float64", "wrong", error, at=at, map=errors, **values)


def steps(figure):
    return [int(k) for k in re.findall(r"<rect class='s(\d+)'", figure)]


def labels(figure, side):
    """Labels along one side, with their places in percent."""
    part = re.search(rf"<div class='ticks {side}'[^>]*>(.*?)</div>", figure)[1]
    return [(text, float(at)) for at, text in re.findall(r":([\d.]+)%'>(.*?)</span>", part)]


def titles(figure):
    return re.findall(r"<div class='axis[ a-z]*'>(.*?)</div>", figure)


def test_a_square_shows_log10_of_the_error_of_one_entry():
    errors = [[1, 1e-3, 0], [1e-6, 1e-9, 10**-1.5]]
    figure = error_map(row(errors, (0, 0)))
    last = STEPS - 1
    assert steps(figure) == [last, last // 2, 0, 0, 0, round(last * 0.75)]
    assert "≤ 10⁻⁶" in figure
    assert "10⁰" in figure
    assert titles(figure) == ["↓ axis 0 (size 2)", "→ axis 1 (size 3)"]
    assert [text for text, _ in labels(figure, "down")] == ["0", "1"]
    assert [text for text, _ in labels(figure, "across")] == ["0", "1", "2"]


def test_errors_are_relative_to_the_largest_entry_as_in_the_table():
    figure = error_map(row([[200.0, 2.0]], (0, 0), error=1.0))
    assert "log10 scale of the error, relative to the largest entry" in figure
    assert "10⁰" in figure
    assert steps(figure) == [STEPS - 1, round((STEPS - 1) * 2 / 3)]
    figure = error_map(row([[np.inf, 2.0]], (0, 0), error=np.inf))
    assert "log10 scale of the error, not relative" in figure
    assert steps(figure)[0] == STEPS - 1


def test_axes_of_a_kernel_are_named_and_labelled_by_their_indices():
    errors = np.zeros((3, 3, 2, 4))
    errors[2, 0, 1, 3] = 1
    figure = error_map(row(errors, (2, 0, 1, 3)))
    assert steps(figure) == [STEPS - 1 if e else 0 for e in errors.flat]
    assert titles(figure) == ["↓ axes 0, 1 (3 × 3)", "→ axes 2, 3 (2 × 4)"]
    down, across = labels(figure, "down"), labels(figure, "across")
    assert [text for text, _ in across] == ["0,0", "0,2", "1,0", "1,2"]
    assert {"0,0", "1,0", "2,0"} <= {text for text, _ in down}
    width, height = map(int, re.search(r"viewBox='0 0 (\d+) (\d+)'", figure).groups())
    (ring,) = re.findall(r"class='ring' style='top:([\d.]+)%;left:([\d.]+)%", figure)
    x, y = (
        float(re.findall(rf"<rect class='s{STEPS - 1}'.*? {c}='(\d+)'", figure)[0]) for c in "xy"
    )
    wide, high = map(int, re.search(r"width='(\d+)' height='(\d+)'", figure).groups())
    assert float(ring[0]) == pytest.approx(100 * (y + high / 2) / height, abs=0.01)
    assert float(ring[1]) == pytest.approx(100 * (x + wide / 2) / width, abs=0.01)
    assert "The ring is around the worst entry, [2,0,1,3]." in figure


@pytest.mark.parametrize("shape", [(1000, 700), (5, 4, 3, 200), (300,), (2, 64), (41, 2)])
def test_a_large_leaf_has_few_squares_and_labels_that_do_not_overlap(shape):
    at = tuple(n - 1 for n in shape)
    errors = np.zeros(shape)
    errors[at] = 1
    figure = error_map(row(errors, at))
    known = steps(figure)
    assert len(known) <= ROWS * COLUMNS
    assert sorted(known)[-2:] == [0, STEPS - 1]  # the worst entry is in one square
    assert known[-1] == STEPS - 1
    width = int(re.search(r"viewBox='0 0 (\d+)", figure)[1])
    across = labels(figure, "across")
    longest = max(len(text) for text, _ in across)
    for (_, left), (_, right) in pairwise(across):
        assert (right - left) / 100 * min(width, 290) >= 7 * longest
    assert len(across) >= 2
    if len(known) < errors.size:
        assert "the largest error of up to" in figure


def test_a_vector_is_one_row_without_a_vertical_axis():
    figure = error_map(row([0.0, 1.0], (1,)))
    assert titles(figure) == ["", "→ axis 0 (size 2)"]
    assert labels(figure, "down") == []


@pytest.mark.parametrize(
    "leaf",
    [
        row(1.0, ()),
        row(np.zeros((0, 3)), None, error=1.0),
        row(np.full((2, 3), 1e-16), (0, 0)),  # autodiff agrees with the claim
        row([[np.nan, 0.0]], (0, 0), error=np.inf),
    ],
    ids=["0-d", "empty", "rounding", "nan"],
)
def test_a_report_has_a_map_only_where_it_shows_something(leaf):
    shown = Report((leaf,), {}, {}, WHERE).to_html()
    assert ("<figure" in shown) == bool(np.isnan(leaf.map).any())
    assert "claimed <b>1</b>, autodiff <b>0.5</b>" in shown


def test_a_page_has_colours_for_a_light_and_a_dark_screen():
    light, _, dark = styles().partition("@media (prefers-color-scheme: dark) {")
    for rules, (palest, *_, strongest) in ((light, LIGHT), (dark, DARK)):
        colours = re.findall(r"\.fcnn-report \.s\d+ { fill: #(\w+);", rules)
        assert len(colours) == STEPS
        assert colours[0] == bytes(palest).hex()
        assert colours[-1] == bytes(strongest).hex()
    page = fcnn.check(lambda x: x * 2.0, (np.ones(2),), cost=False).to_html()
    assert page.count("prefers-color-scheme: dark") == 3  # page, text and map
    assert '<meta name="color-scheme" content="light dark">' in page


def test_the_page_names_the_leaf_in_text_that_cannot_be_markup():
    leaf = row([[1.0, 0.0]], (0, 0), says="<b>&")
    page = Report((leaf,), {}, {}, WHERE).to_html()
    assert "&lt;b&gt;&amp;" in page
    assert 'aria-label="Map of errors. Down: axis 0 (size 1); across: axis 1 (size 2).' in page
