"""Error messages of a check if the function or its backward pass raises, or returns no gradient."""

from functools import partial

import jax
import numpy as np
import pytest

import fcnn

check = partial(fcnn.check, cost=False)
X, W = (np.random.default_rng(0).standard_normal(shape) for shape in ((3, 4), (4, 5)))
FILE = "tests/checker/test_raised.py"


def product(x, w):
    return x @ w


def failing(x, w, dy=None):
    raise ValueError("shapes\n   differ")


def of_custom_vjp(bwd):
    f = jax.custom_vjp(product)
    f.defvjp(lambda x, w: (x @ w, (x, w)), bwd)
    return f


def in_fwd(x, w):
    return x.missing


def in_bwd(saved, dy):
    return saved[2]


def of_dy(dy):
    return dy


def fails_inside(x, w):
    return of_custom_vjp(in_bwd)(x, w)


@pytest.mark.parametrize(
    ("f", "backward", "says", "where"),
    [
        (failing, None, "failing raises ValueError: shapes differ", failing),
        (product, failing, "the backward of product raises ValueError: shapes differ", failing),
        (product, (in_fwd, in_bwd), "fwd of product raises AttributeError: ", in_fwd),
        (of_custom_vjp(in_bwd), None, "bwd of product raises IndexError: tuple index", in_bwd),
        (fails_inside, None, "the backward of fails_inside raises IndexError: tuple ind", in_bwd),
        (product, of_dy, "the backward of product raises TypeError: of_dy() takes 1", None),
    ],
    ids=["f", "backward", "fwd", "bwd", "bwd within f", "signature"],
)
def test_an_error_names_who_raised_it_and_the_file_and_line(f, backward, says, where, monkeypatch):
    monkeypatch.chdir(__file__.removesuffix(FILE))
    with pytest.raises(RuntimeError) as caught:
        check(f, (X, W), backward=backward)
    message = str(caught.value)
    line = of_dy.__code__.co_firstlineno if where is None else where.__code__.co_firstlineno + 1
    assert message.startswith(f"check: {says}")
    assert message.endswith(f" ({FILE}, line {line})")
    assert "\n" not in message
    assert type(caught.value.__cause__).__name__ in message


def test_an_error_of_an_operator_has_no_place_in_the_users_files():
    with pytest.raises(RuntimeError, match=r"check: conv raises ValueError: conv: w .* axes$"):
        check(fcnn.conv, (X, W))


def test_ctrl_c_and_exit_pass_through():
    for kind in (KeyboardInterrupt, SystemExit):

        def stopped(x, dy, kind=kind):
            raise kind

        with pytest.raises(kind):
            check(np.sin, (X,), backward=stopped)


def generated(x, w, dy):
    yield dy @ w.T
    yield x.T @ dy


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (lambda dx, dw: "dx, dw", "returns str; return one gradient per argument"),
        (lambda dx, dw: {"x": dx, "w": dw}, "returns {w: float64[4,5], x: float64[3,4]}; return"),
        (lambda dx, dw: iter((dx, dw)), "returns a tuple_iterator; return a tuple with one"),
        (lambda dx, dw: (dx,), "returns 1 gradient for 2 arguments; return one"),
        (lambda dx, dw: (dx, dw, dx), "returns 3 gradients for 2 arguments; return one"),
        (lambda dx, dw: (), "returns 0 gradients for 2 arguments; return one"),
        (lambda dx, dw: ("dx", dw), "returns str for x; return an array of floats"),
        (lambda dx, dw: (dx, {"w": dw}), "returns {w: float64[4,5]} for w; return an array of"),
        (lambda dx, dw: (dx, dw.astype(object)), "returns object[4,5] for w; return an array of"),
        (lambda dx, dw: ([1.0, 2.0], dw), "returns [float, float] for x; return an array of fl"),
        (lambda dx, dw: (len, dw), "returns builtin_function_or_method for x; return an array"),
    ],
)
def test_a_backward_pass_must_return_an_array_for_each_argument(returned, says):
    backward = lambda x, w, dy: returned(np.asarray(dy @ w.T), np.asarray(x.T @ dy))
    with pytest.raises(ValueError, match=r"^check: the backward of product returns") as caught:
        check(product, (X, W), backward=backward)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_backward_pass_must_not_be_a_generator():
    with pytest.raises(ValueError, match="returns a generator; return a tuple"):
        check(product, (X, W), backward=generated)


def test_an_argument_without_gradient_may_have_none():
    """None is a gradient of 0, which is wrong for w."""
    first, second = check(product, (X, W), backward=lambda x, w, dy: (dy @ w.T, None)).rows
    assert (first.ok, second.verdict, second.mistake) == (True, "wrong", "stopped")


def test_a_backward_pass_in_numpy_may_write_into_its_arguments():
    def backward(x, dy):
        dy *= 2
        x *= dy
        return x

    assert check(np.square, (X,), backward=backward).ok
