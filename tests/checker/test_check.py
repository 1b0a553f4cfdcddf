"""fcnn.check: forms of the checked function, verdicts, reports and error messages."""

import json
import re
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import fcnn
from fcnn.checker.subject import subject_of
from fcnn.checker.verdict import KINK, NOT_DETERMINISTIC, NOT_FINITE, RIGHT, WRONG

check = partial(fcnn.check, cost=False)


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape)


X, W = normal(3, 4), normal(4, 5)


def product(x, w):
    return x @ w


def right_backward(x, w, dy):
    return dy @ w.T, x.T @ dy


def wrong_backward(x, w, dy):
    return dy @ w.T, -x.T @ dy


def custom(f, fwd, bwd, **options):
    f = jax.custom_vjp(f, **options)
    f.defvjp(fwd, bwd)
    return f


SAVING = (lambda x, w: (x @ w, (x, w)), lambda saved, dy: wrong_backward(*saved, dy))


def verdicts(report):
    return {row.leaf: row.verdict for row in report.rows}


@pytest.mark.parametrize(
    ("f", "backward"),
    [
        (product, wrong_backward),
        (product, SAVING),
        (custom(product, *SAVING), None),
        (lambda x, w: custom(product, *SAVING)(x, w), None),
        (jax.jit(custom(product, *SAVING)), None),
    ],
    ids=["backward", "fwd and bwd", "custom_vjp", "within a function", "jitted"],
)
def test_a_wrong_gradient_is_found_in_every_form(f, backward):
    report = check(f, (X, W), backward=backward)
    assert not report.ok
    assert verdicts(report) == {"x": RIGHT, "w": WRONG}
    (row,) = (row for row in report.rows if row.leaf == "w")
    assert row.mistake == "constant factor"
    assert "dw: equals −1 × the right gradient (every entry, to 1e-16)" in str(report)
    assert row.claimed == pytest.approx(-row.autodiff)
    assert row.slopes[0] == pytest.approx(row.autodiff, rel=1e-6)


@pytest.mark.parametrize(
    "backward", [right_backward, (SAVING[0], lambda s, dy: right_backward(*s, dy))]
)
def test_a_right_gradient_is_right(backward):
    report = check(product, (X, W), backward=backward)
    assert report.ok
    assert max(row.error for row in report.rows) < 1e-14


def test_a_custom_vjp_function_may_have_a_static_argument():
    scaled = custom(
        lambda n, x: n * x,
        lambda n, x: (n * x, ()),
        lambda n, saved, dy: (2 * n * dy,),
        nondiff_argnums=(0,),
    )
    assert [row.mistake for row in check(scaled, (3, X)).rows] == ["constant factor"]


def test_a_wrong_custom_jvp_rule_is_found():
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda x, v: (x[0] ** 3, 2 * x[0] ** 2 * v[0]))
    (row,) = check(cube, (X,)).rows
    assert row.verdict == WRONG
    assert row.autodiff == pytest.approx(1.5 * row.claimed)


def test_gradients_of_numpy_functions_are_checked_by_finite_differences():
    def relu(x, w):
        return np.maximum(x @ w, 0)

    def backward(x, w, dy):
        dy = dy.copy()
        dy[x @ w <= 0] = 0  # JAX cannot trace this assignment
        return dy @ w.T, 2 * x.T @ dy

    report = check(relu, (X, W), backward=backward)
    assert verdicts(report) == {"x": RIGHT, "w": WRONG}
    assert report.rows[1].mistake == "constant factor"
    assert report.rows[1].autodiff is None


def test_a_slope_of_a_numpy_function_that_is_wrong_below_zero_is_named(key):
    leaky = lambda x: np.where(np.asarray(x) > 0, x, 0.1 * np.asarray(x))
    x = jax.random.normal(key, (3, 4))
    report = fcnn.check(leaky, (x,), backward=lambda x, dy: np.where(np.asarray(x) > 0, dy, 0))
    assert report.rows[0].mistake == "wrong below zero"


def test_a_jax_function_may_have_a_backward_pass_in_numpy():
    report = check(product, (X, W), backward=lambda x, w, dy: (np.array(dy) @ w.T, np.dot(x.T, dy)))
    assert report.ok


def test_leaves_of_a_model_are_named_by_their_paths(key):
    model = fcnn.models.cnn(channels=(2,), hidden=(3,), classes=3)
    params, state = model.init(key, (4, 4, 1))
    x, y = normal(2, 4, 4, 1), jnp.array([0, 2])

    def loss(params, x, y):
        return fcnn.softmax_cross_entropy(model.apply(params, state, x)[0], y).mean()

    report = check(loss, (params, x, y))
    assert report.ok
    assert {row.leaf for row in report.rows} >= {"params/conv1/w", "params/dense1/b", "x"}


def test_an_operator_is_checked_at_its_cases():
    report = check(fcnn.relu)
    assert report.ok
    assert {row.problem for row in report.rows} >= {"relu: at its kinks"}


def test_partial_passes_options_to_the_checked_function():
    report = check(
        partial(fcnn.conv, stride=2, impl="im2col"), (normal(1, 5, 5, 2), normal(3, 3, 2, 2))
    )
    assert report.ok
    assert [row.leaf for row in report.rows] == ["x", "w"]


def test_order_2_checks_second_derivatives_too():
    report = check(fcnn.tanh, (X,), order=2)
    assert report.ok
    assert [row.problem for row in report.rows] == ["tanh", "tanh, second order"]
    once = custom(
        jnp.sin, lambda x: (jnp.sin(x), x), lambda x, dy: (dy * lax.stop_gradient(jnp.cos(x)),)
    )
    assert [row.verdict for row in check(once, (X,), order=2).rows] == [RIGHT, WRONG]


def test_a_gradient_is_checked_in_float64_and_then_in_the_callers_dtype():
    (row,) = check(fcnn.tanh, (X.astype(np.float32),)).rows
    assert row.dtype == "float32"
    assert row.error < 1e-14 < row.own_error < 1e-6
    (row,) = check(fcnn.tanh, (X,), dtype="bfloat16").rows
    assert 1e-4 < row.own_error < 1e-1


def test_overflow_in_the_callers_dtype_has_the_verdict_not_finite():
    f = custom(jnp.sum, lambda x: (x.sum(), x), lambda x, dy: (dy * jnp.exp(x) / jnp.exp(x),))
    assert check(f, (np.array([1.0, 30.0]),)).ok
    (row,) = check(f, (np.array([1.0, 30.0]),), dtype="float16").rows
    assert (row.verdict, row.at) == (NOT_FINITE, (1,))
    assert "in float64 it is right" in row.says


def test_a_function_that_rejects_float64_is_checked_in_its_own_dtype(key):
    x = jnp.asarray(X, jnp.float32)
    report = check(lambda w: fcnn.dense(x, w), (jnp.asarray(W, jnp.float32),))
    assert report.ok
    assert "Checked in float32 only" in str(report)


def test_a_random_gradient_has_the_verdict_not_deterministic():
    rng = np.random.default_rng()
    noisy = lambda x, w, dy: (dy @ w.T, x.T @ dy * rng.uniform(1, 2))
    assert verdicts(check(product, (X, W), backward=noisy)) == {"x": RIGHT, "w": NOT_DETERMINISTIC}
    assert not check(lambda x: x * rng.uniform(), (X,)).ok


def test_nan_has_the_verdict_not_finite():
    (row,) = check(jnp.linalg.norm, (np.zeros(3),)).rows
    assert row.verdict == NOT_FINITE
    (row,) = check(lambda x: jnp.sqrt(x), (np.array([-1.0]),)).rows
    assert row.verdict == NOT_FINITE
    assert row.says.startswith("the function itself returns NaN; no argument holds NaN")
    (row,) = check(lambda x: 2 * x, (np.array([np.nan]),)).rows
    assert row.says == "the function itself returns NaN; x holds NaN"


def test_a_gradient_at_a_kink_may_lie_between_the_slopes_of_both_sides():
    x = np.zeros(3)
    backward = lambda slope: lambda x, dy: (dy * jnp.where(x > 0, 1, slope),)
    for slope in (0, 0.3, 1):
        (row,) = check(jax.nn.relu, (x,), backward=backward(slope)).rows
        assert row.verdict == KINK
        left, right = row.slopes
        assert min(abs(left), abs(right)) == pytest.approx(0, abs=1e-6)
    for slope in (-0.1, 1.1):
        assert not check(jax.nn.relu, (x,), backward=backward(slope)).ok


@pytest.mark.parametrize("entry", [0, 5])
def test_kinks_do_not_hide_a_mistake(entry):
    """Half of the entries of x are at kinks, with valid slopes. One other entry of dx is wrong."""
    x = normal(90, 100)
    x[:, ::2] = 0
    x[7, 2 * entry + 1] = 1.0
    choice = lambda x, dy: dy * jnp.where(x >= 0, 1, 0)
    assert {
        row.verdict
        for row in check(jax.nn.relu, (x,), backward=lambda x, dy: (choice(x, dy),)).rows
    } == {KINK}
    wrong = lambda x, dy: (choice(x, dy).at[7, 2 * entry + 1].multiply(1.01),)
    (row,) = check(jax.nn.relu, (x,), backward=wrong).rows
    assert (row.verdict, row.at) == (WRONG, (7, 2 * entry + 1))
    plain = lambda x: np.maximum(x, 0)
    (row,) = check(plain, (x,), backward=lambda x, dy: (np.asarray(wrong(x, dy)[0]),)).rows
    assert (row.verdict, row.at) == (WRONG, (7, 2 * entry + 1))


def test_tied_entries_cannot_each_have_the_whole_gradient():
    largest = lambda x: x.max()
    share = lambda weight: lambda x, dy: (dy * weight(x == x.max()),)
    x = np.array([1.0, 3.0, 3.0, 3.0, 0.0, -1.0, 2.0, 0.5])
    assert check(largest, (x,), backward=share(lambda hit: hit / hit.sum())).ok
    (row,) = check(largest, (x,), backward=share(lambda hit: hit * 1.0)).rows
    assert (row.verdict, row.mistake) == (WRONG, "ties")


def test_a_mistake_in_one_entry_of_a_million_is_found():
    x = normal(1000, 1000)
    wrong = lambda x, dy: ((dy * jnp.cos(x)).at[123, 456].multiply(1.1),)
    (row,) = check(jnp.sin, (x,), backward=wrong).rows
    assert row.at == (123, 456)
    assert row.mistake == "single entry"
    assert row.says.startswith(
        "is wrong in 1 entry only: [123,456], where it is 1.1 × the right gradient"
    )


@pytest.mark.parametrize(("step", "which"), [(2, "2nd"), (3, "3rd"), (4, "4th")])
def test_skipped_positions_are_named_by_an_ordinal(step, which):
    skipping = lambda x, dy: ((2 * x * dy).at[1::step].set(0),)
    (row,) = check(jnp.square, (normal(24),), backward=skipping).rows
    assert row.mistake == "positions skipped"
    assert f"every {which} index along axis 0, from 1 on" in row.says


def test_a_report_has_the_costs_of_the_backward_passes_by_hand_and_by_autodiff():
    report = fcnn.check(fcnn.softmax, (X,))
    (costs,) = report.costs.values()
    assert [c.what for c in costs] == ["forward", "backward by hand", "backward by autodiff"]
    assert all(c.seconds > 0 for c in costs)
    assert costs[1].saved_bytes == X.nbytes  # only y is saved
    assert [c.what for c in fcnn.check(jnp.sin, (X,)).costs["sin"]] == [
        "forward",
        "backward by autodiff",
    ]


def test_json_holds_the_report():
    report = json.loads(check(product, (X, W), backward=wrong_backward).to_json())
    assert report["format"] == 1
    assert report["ok"] is False
    assert [row["verdict"] for row in report["rows"]] == [RIGHT, WRONG]
    assert report["environment"]["matmul precision"] == "highest"
    assert json.loads(check(jnp.linalg.norm, (np.zeros(3),)).to_json())["rows"][0]["error"] == "inf"


def test_a_notebook_shows_the_report():
    report = check(product, (X, W), backward=wrong_backward)
    shown = report._repr_html_()
    assert shown.startswith('<section class="fcnn-report">')
    assert "<body" not in shown
    assert "equals −1 × the right gradient" in shown
    assert shown in report.to_html()
    assert "1 of 2 gradients are right" in shown
    styles = shown.partition("<style>")[2].partition("</style>")[0]
    selectors = re.findall(r"([^{};]+){", re.sub(r"@media [^{]*{", "", styles))
    assert selectors
    assert all(part.strip().startswith(".fcnn-report") for s in selectors for part in s.split(","))


class Hiding:
    """A class that is not a pytree: JAX does not see its array."""

    def __init__(self):
        self.w = X


def test_another_seed_gives_the_same_verdict_and_other_numbers():
    first, second = (check(product, (X, W), backward=wrong_backward, seed=s) for s in (0, 1))
    assert verdicts(first) == verdicts(second)
    assert first.rows[1].claimed != second.rows[1].claimed


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ("args are missing; write check(f, (x, w))", lambda: check(product)),
        ("no floating argument", lambda: check(jnp.sum, (np.arange(3),))),
        (
            "x is a Hiding, which is not a pytree; pass its arrays, or",
            lambda: check(product, (Hiding(), W)),
        ),
        (
            "backward must be a function or a pair (fwd, bwd), not 'right'",
            lambda: check(product, (X, W), backward="right"),
        ),
        (
            "returns 1 gradient for 2 arguments",
            lambda: check(product, (X, W), backward=lambda x, w, dy: x),
        ),
        (
            "has no rule yet; call sin.defvjp(fwd, bwd)",
            lambda: check(jax.custom_vjp(jnp.sin), (X,)),
        ),
        (
            "unknown dtype int32; expected one of float64",
            lambda: check(product, (X, W), dtype="int32"),
        ),
        (
            "unknown dtype floaty; expected one of float64",
            lambda: check(product, (X, W), dtype="floaty"),
        ),
        ("unknown order 3; expected 1 or 2", lambda: check(product, (X, W), order=3)),
        (
            "for argument 0; return the structure of the argument,",
            lambda: check(lambda p: p["w"], ({"w": X},), backward=lambda p, dy: ({"v": dy},)),
        ),
        ("args are (int64[3], int)", lambda: check(jnp.sum, (np.arange(3), 2))),
        ("args are ()", lambda: check(lambda: 1.0, ())),
        (
            "<lambda> returns None, which has no floating output, so there is no gradient; "
            "is a return missing?",
            lambda: check(lambda x: None, (X,), backward=lambda x, dy: (x,)),
        ),
        ("argmax returns int64[], which has no floating", lambda: check(jnp.argmax, (X,))),
        (
            "returns {a: int64[], b: [bool[3,4]]}, which has no floating",
            lambda: check(lambda x: {"a": jnp.argmax(x), "b": [x > 0]}, (X,)),
        ),
        ("returns (), which has no floating", lambda: check(lambda x: (), (X,))),
        (
            "fwd of product returns float64[3,5]; write return y, saved",
            lambda: check(product, (X, W), backward=(product, SAVING[1])),
        ),
        (
            "fwd of product returns y = (float64[3,5], float64[3,5]), with 2 floating outputs "
            "instead of 1; return the same y as product",
            lambda: check(product, (X, W), backward=(lambda x, w: ((x @ w,) * 2, ()), SAVING[1])),
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_misuse_raises_an_error_of_one_line(says, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert says in str(caught.value)
    assert str(caught.value).startswith("check: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ("check: f must be a function, not 3", "fcnn.check(3, (1.0,))"),
        ("check: args must be a tuple, not float; write (x, w), or (x,)", "fcnn.check(abs, 1.0)"),
    ],
)
def test_f_must_be_callable_and_args_a_tuple(says, call):
    """A new process runs the call. In this process, the check of annotations would fail first."""
    code = f"import fcnn\ntry:\n    {call}\nexcept TypeError as wrong:\n    print(wrong)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == says


def test_the_gradient_of_a_scalar_argument_is_checked():
    wrong = lambda x, dy: (-dy * jnp.cos(x),)
    (row,) = check(jnp.sin, (0.3,), backward=wrong).rows
    assert (row.verdict, row.shape, row.at) == (WRONG, (), ())
    assert check(jnp.sin, (0.3,), backward=lambda x, dy: (dy * jnp.cos(x),)).ok


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_gradient_with_rounding_errors_is_right(dtype):
    shifted = lambda x, c: jax.nn.softmax(x + c)
    report = check(shifted, (normal(6).astype(dtype), dtype(2)))
    assert report.ok, report
    assert max(row.error for row in report.rows) < 1e-4


def test_without_autodiff_the_error_is_measured_by_finite_differences():
    power = lambda x: lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * x, c[1] + 1), (x, 0))[0]
    right, wrong = (lambda x, dy, k=k: (k * x**3 * dy,) for k in (4, 3))
    x = np.array([1.2, 0.7])
    (row,) = check(power, (x,), backward=right).rows
    assert row.verdict == RIGHT
    assert 0 < row.error < 1e-6
    (row,) = check(power, (x,), backward=wrong).rows
    assert (row.verdict, row.mistake, row.autodiff) == (WRONG, "constant factor", None)
    assert row.slopes[0] == pytest.approx(4 / 3 * row.claimed)


def test_a_report_names_an_output_whose_contribution_is_missing():
    both = lambda x: (x.sum(0), x**2)
    (row,) = check(both, (X,), backward=lambda x, dy: (2 * x * dy[1],)).rows
    assert row.says.startswith("lacks the contribution of y[0]")


def test_a_report_names_a_gradient_that_does_not_depend_on_dy():
    mean = lambda x: (x**2).mean()
    (row,) = check(mean, (X,), backward=lambda x, dy: (2 * x / x.size,)).rows
    assert row.says.startswith("does not depend on dy")


@pytest.mark.parametrize(
    "change",
    [lambda dy: jnp.clip(dy, -1, 1), lambda dy: jnp.maximum(dy, 0), lambda dy: dy + 0.01],
    ids=["clipped", "rectified", "plus a constant"],
)
def test_a_gradient_that_is_not_linear_in_dy_is_wrong(change):
    """The output is one number: at most seeds, dy alone is within the limits of `clip`."""
    f = lambda x: (jnp.tanh(x) ** 2).sum()
    backward = lambda x, dy: change(dy) * 2 * jnp.tanh(x) * (1 - jnp.tanh(x) ** 2)
    for seed in range(3):
        (row,) = fcnn.check(f, (np.linspace(-1, 2, 6),), backward=backward, seed=seed).rows
        assert row.verdict == "wrong"
        assert row.mistake in ("not linear", "constant factor", "stopped"), row.says


def test_a_mistake_in_a_function_that_computes_in_a_shorter_dtype_is_found():
    f = lambda x, w: jnp.dot(x.astype("bfloat16"), w.astype("bfloat16")).astype("float32")
    x, w = np.random.default_rng(0).standard_normal((2, 4, 4))
    report = fcnn.check(f, (x, w), backward=lambda x, w, dy: (dy @ w.T, x @ dy), cost=False)
    assert [row.verdict for row in report.rows] == ["right", "wrong"]


def test_an_int32_index_may_stand_beside_a_python_integer(key):
    crop = lambda x, i: jax.lax.dynamic_slice(x, (i, 0), (2, 3))
    backward = lambda x, i, dy: (jnp.zeros_like(x).at[1:3].set(dy), None)
    args = jax.random.normal(key, (5, 3)), jnp.int32(1)
    assert fcnn.check(crop, args, backward=backward, cost=False).ok


@pytest.mark.parametrize("xp", [np, jnp], ids=["NumPy", "JAX"])
@pytest.mark.parametrize("factor", [1, 2])
def test_a_gradient_without_dy_is_named_whatever_its_factor(xp, factor):
    f = lambda x: (xp.asarray(x) ** 2).sum()
    report = fcnn.check(f, (np.linspace(-1, 2, 4),), backward=lambda x, dy: factor * x)
    (row,) = report.rows
    assert row.mistake == "missing factor"
    assert row.says.startswith("does not depend on dy")


@pytest.mark.parametrize("xp", [np, jnp], ids=["NumPy", "JAX"])
def test_a_note_says_why_a_mistake_in_a_numpy_function_has_no_name(xp):
    f = lambda x: xp.tanh(x) * xp.cos(x)
    backward = lambda x, dy: dy * xp.exp(xp.sin(3 * x))
    report = fcnn.check(f, (np.linspace(-1, 2, 4),), backward=backward)
    assert report.rows[0].mistake == "some slices"
    assert any("is in NumPy" in note for note in report.notes.values()) == (xp is np)


def test_order_2_of_a_function_with_a_default_argument():
    scaled = lambda x, w, by=None: jnp.sin(x) * w * (1 if by is None else by)
    backward = lambda x, w, dy: (dy * jnp.cos(x) * w, dy * jnp.sin(x))
    args = np.linspace(-1, 2, 4), np.linspace(1, 2, 4)
    assert fcnn.check(scaled, args, backward=backward, order=2).ok


def test_an_argument_may_be_a_random_key(key):
    noisy = lambda x, k: x * jax.random.normal(k, x.shape, x.dtype)
    assert fcnn.check(noisy, (jnp.ones(3), jax.random.key(0)), cost=False).ok


def refuses_large_values(x, dy):
    assert np.abs(dy).max() < 100
    return dy * np.cos(x)


def saturated(x, dy):
    return jnp.nan_to_num(dy.astype("float16") * jnp.asarray(200, "float16")).astype(x.dtype)


@pytest.mark.parametrize(
    ("f", "backward"),
    [
        (np.sin, refuses_large_values),
        (lambda x: (x.astype("float16") * jnp.asarray(200, "float16")).astype(x.dtype), saturated),
        (lambda x: jnp.exp(708 + x), lambda x, dy: dy * jnp.exp(708 + x)),
    ],
    ids=["refuses large dy", "saturates in float16", "outputs near the largest float"],
)
def test_the_run_for_a_multiple_of_dy_does_not_refute_a_right_gradient(f, backward):
    x = np.linspace(-1, 1, 6, dtype="float32" if backward is saturated else "float64")
    report = fcnn.check(f, (x,), backward=backward, cost=False)
    assert report.ok, report


def test_a_method_keeps_no_arrays_of_the_check():
    class Layer:
        def backward(self, x, dy):
            e = np.exp(-(x**2))
            self.dx = dy * (np.cos(x) * e - 1.7 * x * np.sin(x) * e)
            return (self.dx,)

    layer, x = Layer(), np.linspace(-1, 1, 6)
    f = lambda x: jnp.sin(x) * jnp.exp(-(x**2))
    assert not fcnn.check(f, (x,), backward=layer.backward, cost=False).ok
    assert type(layer.dx) is np.ndarray


def test_a_stop_gradient_in_a_function_without_a_backward_pass_is_found():
    (row,) = check(lambda x: x * lax.stop_gradient(x), (X,)).rows
    assert row.verdict == WRONG
    assert "is there a stop_gradient" in row.says


def test_an_error_names_a_missing_return():
    with pytest.raises(ValueError, match="is a return missing"):
        check(product, (X, W), backward=lambda x, w, dy: None)


def test_a_complex_function_is_checked_by_its_real_and_imaginary_parts():
    parts = lambda x: (jnp.fft.fft(x).real, jnp.fft.fft(x).imag)
    back = lambda x, dy: (jnp.fft.fft(dy[0] - 1j * dy[1]).real,)
    assert check(parts, (X,), backward=back).ok
    (row,) = check(parts, (X,), backward=lambda x, dy: (jnp.fft.fft(dy[0]).real,)).rows
    assert row.verdict == WRONG


def test_infinite_outputs_have_the_verdict_not_finite():
    (row,) = check(lambda x: jnp.log(0 * x), (X,), backward=lambda x, dy: (dy,)).rows
    assert row.verdict == NOT_FINITE
    assert row.says == "the function itself returns no finite output"


def test_empty_outputs_give_a_warning():
    nothing = lambda x: x[:0]
    report = check(nothing, (X,), backward=lambda x, dy: (0 * x,))
    assert report.ok
    assert "Warning: every output is empty" in str(report)
    assert not check(nothing, (X,), backward=lambda x, dy: (x,)).ok


@pytest.mark.parametrize("dtype", ["complex128", "int64"])
def test_a_gradient_that_is_not_floating_is_wrong(dtype):
    (row,) = check(jnp.sin, (X,), backward=lambda x, dy: (dy.astype(dtype),)).rows
    assert row.verdict == WRONG
    assert row.says == f"is {dtype}(3, 4); it must be floating, of shape (3, 4)"


def cosine_in(dtype):
    """The backward pass of sin, with the cosine computed in `dtype`."""
    return lambda x, dy: (dy * jnp.cos(x.astype(dtype)).astype(x.dtype),)


def test_a_cast_in_a_backward_pass_does_not_raise_the_tolerance():
    """An error from a cast in the backward pass is judged like any other error of equal size."""
    x = X.astype(np.float32)
    for args, dtype in (((x,), "float16"), ((X,), "float32")):
        (row,) = check(jnp.sin, args, backward=cosine_in(dtype)).rows
        assert (row.verdict, row.mistake) == (WRONG, "short dtype")
        assert row.says.startswith(f"is computed in {dtype}, but f in {args[0].dtype}")
    wrong = lambda x, dy: (1.01 * cosine_in("float16")(x, dy)[0],)
    assert not check(jnp.sin, (x,), backward=wrong).ok
    assert check(jnp.sin, (x,), backward=cosine_in("float32")).ok


def test_a_cast_in_the_checked_function_does_not_make_its_gradient_wrong():
    in_half = lambda x: jnp.sin(x.astype("float16")).astype(x.dtype)
    cosine = lambda x, dy: (dy * jnp.cos(x),)
    assert check(in_half, (X.astype(np.float32),), backward=cosine).ok


@pytest.mark.parametrize(
    ("args", "warning"),
    [
        (
            (np.ones((3, 3)), np.ones((3, 3))),
            "x and w are constant, which hides a transposed or permuted gradient",
        ),
        (
            (normal(3, 3), np.zeros((3, 3))),
            "w is all zeros, which hides a mistake in a term multiplied by zero",
        ),
        (
            (normal(3, 3), normal(3, 3)),
            "x and w are equal, which hides an exchange of their two gradients",
        ),
        ((0.0, 2.0), "x is all zeros"),
        ((2.0, 2.0), "x and w are equal"),
    ],
    ids=["ones", "zeros", "equal", "one zero", "equal numbers"],
)
def test_arguments_that_hide_mistakes_give_a_warning(args, warning):
    report = check(lambda x, w: x * w, args)
    assert f"  Warning: {warning}" in str(report)
    assert f"Warning: {warning}" in report.to_html()
    assert f"Warning: {warning}" in json.loads(report.to_json())["notes"]["<lambda>"]


def test_random_arguments_give_no_warning():
    assert check(product, (X, W)).notes == {}


def test_a_warning_about_many_arguments_is_one_line():
    params = {f"b{i}": np.zeros(2) for i in range(9)}
    report = check(lambda p: sum(p.values()), (params,))
    assert "Warning: p/b0, p/b1, p/b2 and 6 more are all zeros" in str(report)
    assert str(report).count("Warning") == 1


FORMS = {
    "an array": lambda x, dy: 2 * x * dy,
    "a list": lambda x, dy: [2 * x * dy],
    "a pair that returns lists": (lambda x: [x * x, x], lambda x, dy: [2 * x * dy]),
    "a pair that returns an array": (lambda x: (x * x, x), lambda x, dy: 2 * x * dy),
}


@pytest.mark.parametrize("backward", FORMS.values(), ids=FORMS)
def test_a_backward_pass_that_returns_any_form_can_be_compiled(backward):
    subject = subject_of(lambda x: x * x, (X,), backward)
    (dx,) = jax.eval_shape(jax.grad(lambda x: subject.differentiable(x)[0].sum()), [X])
    assert dx.shape == X.shape
