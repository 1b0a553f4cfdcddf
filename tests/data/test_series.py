"""Time series: windows by a plain loop, scaling, reading of files, and no leakage from the test."""

import gzip

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from fcnn.data import DataError
from fcnn.data.series import Scaling, read_csv, split, windows

few = settings(max_examples=40, deadline=None, derandomize=True)
FLOATS = st.floats(-1e6, 1e6, width=32)


@few
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 9), st.booleans())
def test_windows_equal_a_loop_and_are_views(length, horizon, stride, more, one_column):
    t = length + horizon + more
    a = np.arange(3.0 * t).reshape(t, 3)
    a = a[:, 0] if one_column else a
    batch = windows(a, length=length, horizon=horizon, stride=stride)
    columns = a.reshape(t, -1)
    starts = range(0, more + 1, stride)
    x = [columns[i : i + length] for i in starts]
    y = [columns[i + length : i + length + horizon] for i in starts]
    np.testing.assert_array_equal(batch["x"], x)
    np.testing.assert_array_equal(batch["y"], y)
    assert np.shares_memory(batch["x"], a)
    assert np.shares_memory(batch["y"], a)


@pytest.mark.parametrize(("targets", "columns"), [(1, [1]), ((2, 0), [2, 0]), ([1], [1])])
def test_targets_are_columns_of_y(targets, columns):
    a = np.arange(24, dtype=np.float32).reshape(8, 3)
    batch = windows(a, length=2, horizon=3, targets=targets)
    assert batch["x"].shape == (4, 2, 3)
    np.testing.assert_array_equal(batch["y"], windows(a, length=2, horizon=3)["y"][..., columns])
    assert batch["x"].dtype == batch["y"].dtype == np.float32


def test_parts_are_consecutive_and_have_the_shares():
    train, validation, test = split(np.arange(50.0), validation=0.1, test=0.3)
    assert [len(train), len(validation), len(test)] == [30, 5, 15]
    np.testing.assert_array_equal(np.concatenate([train, validation, test]), np.arange(50))
    train, validation, test = split(np.arange(50.0), validation=0.1, test=0.3, gap=4)
    assert [(part[0], part[-1]) for part in (train, validation, test)] == [
        (0, 21),
        (26, 30),
        (35, 49),
    ]
    dates = np.array(["1949-01", "1949-02", "1949-03"])
    assert [part.tolist() for part in split(dates, validation=0.3, test=0.3)] == [
        [d] for d in dates
    ]


@few
@given(st.integers(30, 80), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_no_step_is_in_windows_of_two_parts(t, length, horizon, gap):
    """No window has a step of another part: steps of parts are disjoint, and rise with time."""
    steps = np.arange(float(t))
    last = -1.0
    for part in split(steps, validation=0.25, test=0.25, gap=gap):
        batch = windows(part, length=length, horizon=horizon)
        seen = np.unique(np.concatenate([batch["x"].ravel(), batch["y"].ravel()]))
        np.testing.assert_array_equal(seen, part)
        assert seen[0] == last + 1 + (gap if last >= 0 else 0)
        last = seen[-1]


def prepared(a):
    """Scaling, and the windows of each part, as for training."""
    parts = split(a, validation=0.2, test=0.2)
    scaling = Scaling.fit(parts[0])
    return scaling, [windows(scaling.apply(p), length=4, horizon=2, targets=1) for p in parts]


@pytest.mark.parametrize(("first", "changed"), [(48, [2]), (36, [1, 2])])
def test_later_values_change_nothing_of_earlier_parts(first, changed):
    a = np.random.default_rng(0).normal(5, 3, (60, 2))
    b = a.copy()
    b[first:] = 1e6
    (scaling, before), (other, after) = prepared(a), prepared(b)
    assert scaling == other
    for i in range(3):
        for name in ("x", "y"):
            equal = np.array_equal(before[i][name], after[i][name])
            assert equal == (i not in changed)


def test_a_change_of_training_changes_the_scaling():
    a = np.random.default_rng(0).normal(5, 3, (60, 2))
    b = a + np.where(np.arange(60) == 35, 1.0, 0.0)[:, None]
    assert prepared(a)[0] != prepared(b)[0]


def test_scaled_training_has_mean_0_and_deviation_1():
    a = np.random.default_rng(0).normal((5, -300), (3, 0.01), (50, 2))
    y = Scaling.fit(a).apply(a)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-11)
    np.testing.assert_allclose(y.std(0), 1, atol=1e-11)


@few
@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=FLOATS))
def test_scaling_inverts_and_json_keeps_all_digits(a):
    scaling = Scaling.fit(a)
    assert Scaling.from_json(scaling.to_json()) == scaling
    y = scaling.apply(a)
    assert y.dtype == np.float32
    assert np.isfinite(y).all()
    np.testing.assert_allclose(scaling.invert(y), a, rtol=1e-5, atol=1e-6 * abs(a).max())


@pytest.mark.parametrize("value", [0.1, 0.0, 1e-200])
@pytest.mark.parametrize("t", [1, 3, 10])
def test_a_constant_column_has_scale_1(value, t):
    """The computed mean of three values 0.1 is not 0.1, so their deviation is not exactly 0."""
    assert Scaling.fit(np.full(t, value)) == Scaling((value,), (1.0,))


def test_a_variance_too_small_for_its_dtype_gives_scale_1():
    assert Scaling.fit(np.array([1e-200, 2e-200])).scale == (1.0,)


def test_predictions_of_targets_are_inverted_by_their_columns():
    scaling = Scaling((1.0, 2.0, 3.0), (1.0, 10.0, 100.0))
    assert scaling.columns((2, 0)) == Scaling((3.0, 1.0), (100.0, 1.0))
    y = scaling.columns(1).invert(jnp.array([[[0.5]], [[-1.0]]], jnp.float32))
    np.testing.assert_array_equal(y, np.array([[[7.0]], [[-8.0]]], np.float32))
    assert y.dtype == np.float32


def file(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_quotes_and_blanks_do_not_matter(tmp_path, start, end):
    lines = (start + '"Month", load , oil', '"1949-01", 1.5,-2', "", "1949-02,3e2 ,4", "")
    table = read_csv(file(tmp_path, end.join(lines)))
    assert table.names == ("load", "oil")
    assert table.values.dtype == np.float64
    assert table.values.tolist() == [[1.5, -2.0], [300.0, 4.0]]
    assert table.dates.tolist() == ["1949-01", "1949-02"]
    assert repr(table) == "Table((2, 2), load, oil; 1949-01 to 1949-02)"


def test_columns_are_read_in_the_order_of_their_names(tmp_path):
    content = "\ufeffa,b,c\n1,no,3\n4,,6\n"
    table = read_csv(str(file(tmp_path, content)), columns=["c", "a"])
    assert table.values.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert table.dates is None
    assert repr(table) == "Table((2, 2), c, a; no dates)"


def test_gzipped_files_are_read(tmp_path):
    assert read_csv(file(tmp_path, gzip.compress(b"a\n1\n"))).values.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("d,a\r\nx,1\r\n\r\nx,\r\n", None, "line 4, column 'a': the value is missing; fill it, or"),
        ("a,b\n1,2\n3,NaN\n", None, "line 3, column 'b': 'NaN' is not a finite number; correct it"),
        ("d,a\nx,1\nx,two\n", None, "line 3, column 'a': 'two' is not a finite number; correct it"),
        ("d,a\n,1\n", None, "line 2, column 'd': the value is missing"),
        ("d,a\nx,1\n", ["d"], "line 2, column 'd': 'x' is not a finite number"),
        ("d,a\nx,1,2\n", None, "line 2 has 3 values, but the header has 2 columns; correct the"),
        ("d,load\nx,1\n", ["Load"], "no column 'Load'; did you mean load?"),
        ("d,load\nx,1\n", ["oil"], "no column 'oil'; the columns are d, load"),
        ("d\nx\n", None, "line 2 has a date, but no column of numbers"),
        ("a,b\n", None, "needs a header line, and lines of values below it"),
        ("", None, "needs a header line, and lines of values below it"),
        ("1,2\n3,4\n", None, "its first line has numbers; put a line of column names above it"),
        ("a;b\n1;2\n", None, "columns are separated by ';'; write commas instead"),
        ("a,a\n1,2\n", None, "two columns are named 'a'; rename one"),
        (b"a\xff\n1\n", None, "is not text in UTF-8; save it as CSV in UTF-8"),
        (
            f"a\n{'1' * 200000}\n",
            None,
            "is not a CSV file (field larger than field limit (131072))",
        ),
    ],
)
def test_files_are_rejected_with_their_line_and_column(tmp_path, content, columns, message):
    path = file(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_csv(path, columns)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_rejected(tmp_path):
    with pytest.raises(DataError, match=r"a.csv: cannot be read \(No such file or directory\)"):
        read_csv(tmp_path / "a.csv")


GAPS = np.array([[1.0, 2.0], [3.0, np.nan]])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: Scaling.fit(GAPS),
            ValueError,
            "Scaling.fit: series is nan at index 1, column 1; fill it, or leave its steps out",
        ),
        (
            lambda: windows(GAPS, length=1),
            ValueError,
            "windows: series is nan at index 1, column 1",
        ),
        (
            lambda: windows(np.full(3, -np.inf), length=1),
            ValueError,
            "windows: series is -inf at index",
        ),
        (
            lambda: windows(np.arange(3), length=1),
            TypeError,
            r"windows: series holds int64, not floats; write series.astype\(np.float32\)",
        ),
        (lambda: windows(np.ones((2, 2, 2)), length=1), ValueError, r"windows: series \(2, 2, 2\)"),
        (
            lambda: windows(np.ones((3, 0)), length=1),
            ValueError,
            r"windows: series \(3, 0\) has no",
        ),
        (
            lambda: windows(np.ones(4), length=4),
            ValueError,
            "windows: series has 4 steps; length 4 and horizon 1 need at least 5",
        ),
        (lambda: windows(np.ones(4), length=0), ValueError, "windows: length 0 must be at least 1"),
        (
            lambda: windows(np.ones(4), length=1, targets=1),
            ValueError,
            "windows: targets has 1, but the columns are 0 to 0",
        ),
        (
            lambda: windows(np.ones(4), length=1, targets=()),
            ValueError,
            "windows: targets is empty",
        ),
        (
            lambda: windows(np.ones(4), length=1, targets="OT"),
            TypeError,
            r"windows: targets \('OT'",
        ),
        (
            lambda: windows(np.ma.array([1.0, 2.0], mask=[0, 1]), length=1),
            TypeError,
            "windows: series is a masked array; fill it: write series.filled",
        ),
        (
            lambda: read_csv("a.csv", "load"),
            TypeError,
            r"read_csv: columns is a str; write columns=\['load'\]",
        ),
        (lambda: split(np.ones(9), test=0), ValueError, "split: test 0 must lie between 0 and 1"),
        (lambda: split(np.ones(9), gap=-1), ValueError, "split: gap -1 must be at least 0"),
        (
            lambda: split([1.0, 2.0]),
            TypeError,
            "split: series is a list, not an array; write np.ar",
        ),
        (lambda: split(np.float64(1)), ValueError, r"split: series \(\) has no axis of time"),
        (
            lambda: split(np.ones(9), gap=4),
            ValueError,
            "split: shares 0.1 and 0.2 of 9 steps and gap 4 give -2 training, 1 validation and 2 t",
        ),
        (
            lambda: Scaling.fit(np.array([1e200, 0])),
            ValueError,
            r"Scaling.fit: columns \[0\] are to",
        ),
        (lambda: Scaling((1.0,), (0.0,)), ValueError, r"Scaling: scale \(0.0,\) must be above 0"),
        (lambda: Scaling((np.inf,), (1.0,)), ValueError, r"Scaling: mean \(inf,\) must be finite"),
        (
            lambda: Scaling((), ()),
            ValueError,
            "Scaling: mean has 0 columns and scale 0; one of each",
        ),
        (
            lambda: Scaling((1.0,), (1.0,)).apply(np.ones((4, 2))),
            ValueError,
            r"apply: array \(4, 2\) needs 1 columns, along its last axis",
        ),
        (
            lambda: Scaling((1.0,), (1.0,)).invert([1]),
            TypeError,
            r"invert: array \(1,\) holds int64",
        ),
        (lambda: Scaling((1.0,), (1.0,)).columns(3), ValueError, "columns: targets has 3, but the"),
        (
            lambda: Scaling.from_json("mean"),
            ValueError,
            "from_json: text is not JSON: Expecting val",
        ),
        (
            lambda: Scaling.from_json('{"mean": [true], "scale": [1]}'),
            ValueError,
            "from_json: text i",
        ),
        (lambda: Scaling.from_json('{"mean": [1], "scale": [NaN]}'), ValueError, "Scaling: scale"),
    ],
)
def test_bad_inputs_are_rejected_in_one_line(call, kind, message):
    with pytest.raises(kind, match=f"^{message}") as caught:
        call()
    assert "\n" not in str(caught.value)
