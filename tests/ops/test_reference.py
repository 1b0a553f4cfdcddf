"""Convolution and pooling, by every implementation, against plain loops over the definition."""

import math
from functools import cache, partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from registry import over

import fcnn
from fcnn.checker.cases import ways

REFERENCE = {
    fcnn.conv: reference.conv,
    fcnn.conv_transpose: reference.conv_transpose,
    fcnn.separable_conv: reference.separable_conv,
    fcnn.max_pool: reference.max_pool,
    fcnn.avg_pool: reference.avg_pool,
    fcnn.lp_pool: reference.lp_pool,
    fcnn.im2col: reference.im2col,
}
MODES = ("zeros", "reflect", "edge", "wrap")


TOO_LARGE = {"many tiles"}  # too slow for loops; other cases of `conv` have equally large windows
# Without examples, the loops return None. Powers of huge entries overflow in the loops.
UNDEFINED = {"no examples", "huge"}


@over(lambda op, case: op in REFERENCE and case.proved and case.name not in TOO_LARGE | UNDEFINED)
def test_operator_equals_its_reference(op, case, options):
    expected, by = all_results(op, case.name)
    actual = by[options.get("impl")]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@cache
def all_results(op, name):
    """The result of the loops, and the results {impl: y} of all implementations."""
    (case,) = (case for case in op.cases if case.name == name)
    args = [a if a is None else np.asarray(a) for a in case.draw()]
    run = lambda *a: {options.get("impl"): op(*a, **options) for options in ways(op, case)}
    return REFERENCE[op](*args, **case.options), jax.jit(run)(*args)


@pytest.mark.parametrize("impl", fcnn.conv.impls)
def test_textbook_example(impl):
    np.testing.assert_allclose(textbook_example()[impl], [[6, 7], [10, 11]], rtol=1e-13)


@cache
def textbook_example():
    x = np.arange(1.0, 17).reshape(1, 4, 4, 1)
    w = np.array([[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]]).reshape(3, 3, 1, 1)
    by = lambda impl, *a: fcnn.conv(*a, impl=impl)[0, :, :, 0]
    return jax.jit(lambda *a: {impl: by(impl, *a) for impl in fcnn.conv.impls})(x, w)


axis = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
some_axes = st.lists(axis, min_size=1, max_size=3)
NAMED_PADDINGS = ("valid", "same", "same_lower", "causal", "full")


def paddings(axes):
    pairs = [st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in axes]
    return st.one_of(st.sampled_from(NAMED_PADDINGS), st.tuples(*pairs))


CONVOLUTIONS = {  # size, window, stride, dilation, padding, mode, (n, groups, c and o per group)
    "no examples": ((3,), (2,), (2,), (2,), ((2, 1),), "zeros", (0, 2, 2, 1)),
    "1-D valid": ((8,), (3,), (2,), (2,), "valid", "zeros", (2, 1, 2, 2)),
    "1-D causal": ((7,), (3,), (2,), (2,), "causal", "reflect", (2, 1, 2, 1)),
    "more padding than image": ((1,), (3,), (1,), (1,), ((2, 1),), "edge", (1, 1, 1, 2)),
    "2-D same": ((5, 4), (3, 2), (1, 3), (2, 1), "same", "reflect", (1, 2, 1, 2)),
    "2-D full": ((4, 3), (3, 2), (3, 1), (1, 2), "full", "zeros", (2, 1, 1, 2)),
    "2-D": ((5, 7), (2, 2), (3, 1), (2, 2), ((2, 0), (1, 2)), "wrap", (1, 2, 2, 2)),
    "3-D same": ((4, 6, 3), (2, 2, 1), (2, 1, 3), (2, 1, 1), "same_lower", "edge", (2, 2, 1, 1)),
    "3-D": (
        *((7, 3, 4), (2, 2, 1), (3, 2, 3), (1, 2, 2)),
        *(((1, 0), (1, 1), (0, 2)), "wrap", (1, 2, 1, 1)),
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_equals_loops(name):
    """Problems of varied rank, size, window, stride, dilation, padding and groups.

    "tiled" is left out: for few cells it equals "im2col". "winograd" has a separate test.
    """
    implementations_agree(*CONVOLUTIONS[name])


@pytest.mark.all("0.4 s for each problem; the first tier has one problem of every kind")
@given(some_axes, st.tuples(st.integers(0, 2), *[st.integers(1, 2)] * 3), st.data())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_drawn_convolutions_equal_loops(axes, counts, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding, mode = data.draw(paddings(axes)), data.draw(st.sampled_from(MODES))
    assume(not expected_error(size, window, stride, dilation, padding, mode))
    implementations_agree(size, window, stride, dilation, padding, mode, counts)


def implementations_agree(size, window, stride, dilation, padding, mode, counts):
    n, groups, c, o = counts
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c * groups)), draw((*window, c, o * groups))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    options |= {"padding_mode": mode}
    by_lax, *others = all_gradients(x, w, options, ("lax", "im2col", "taps", "fft"))
    np.testing.assert_allclose(by_lax[0], reference.conv(x, w, **options), rtol=0, atol=1e-12)
    for other in others:
        for a, b in zip(other, by_lax, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


@given(some_axes, st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_convolution_has_the_expected_shape_or_error(axes, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding, mode = data.draw(paddings(axes)), data.draw(st.sampled_from(MODES))
    x, w = (jax.ShapeDtypeStruct(s, float) for s in ((2, *size, 1), (*window, 1, 3)))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": mode}
    of = lambda: jax.eval_shape(partial(fcnn.conv, **options), x, w).shape
    message = expected_error(size, window, stride, dilation, padding, mode)
    if message:
        with pytest.raises(ValueError, match=message):
            of()
    else:
        assert of() == (2, *output_size(size, window, stride, dilation, padding), 3)


@pytest.mark.parametrize(
    ("size", "padding", "channels"),
    [
        ((1, 10), ((1, 1), (1, 1)), (1, 3, 2)),
        ((9, 5), ((1, 1), (2, 2)), (2, 1, 3)),
        ((3, 4), ((2, 3), (3, 2)), (3, 2, 1)),
        ((6, 7), ((1, 3), (2, 1)), (1, 1, 1)),
        ((1, 2), ((1, 2), (1, 1)), (0, 2, 2)),
    ],
    ids=["1 by 10 positions", "9 by 7", "6 by 7", "8 by 8", "no examples"],
)
def test_winograd_equals_lax(size, padding, channels):
    """Sizes are odd or even. At an odd size, the last tile of 2 positions exceeds the output."""
    (n, c, o), draw = channels, np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c)), draw((3, 3, c, o))
    options = {"padding": padding, "padding_mode": "edge"}
    by_lax, by_winograd = all_gradients(x, w, options, ("lax", "winograd"))
    for a, b in zip(by_winograd, by_lax, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


def expected_error(size, window, stride, dilation, padding, mode):
    """The error message if no window fits, or if padding copies too many cells; else None."""
    if not all(output_size(size, window, stride, dilation, padding)):
        return "exceeds the padded input"
    pairs = reference.pad_pairs(padding, size, window, stride, dilation)
    most = {"reflect": lambda n: n - 1, "wrap": lambda n: n}.get(mode, lambda n: math.inf)
    fine = all(max(pair) <= most(n) for n, pair in zip(size, pairs, strict=True))
    return None if fine else f"{mode} padding of an axis of . cells is at most"


def output_size(size, window, stride, dilation, padding, ceil_mode=False):
    """The number of output positions along every axis."""
    pairs = reference.pad_pairs(padding, size, window, stride, dilation)
    axes = zip(size, pairs, window, stride, dilation, strict=True)
    return [
        reference.output_size(n, lo, hi, d * (k - 1) + 1, s, ceil_mode)
        for n, (lo, hi), k, s, d in axes
    ]


def all_gradients(x, w, options, impls):
    """y, dx and dw by each implementation, in one compiled program."""

    def run(x, w, impl):
        y, pull = jax.vjp(lambda x, w: fcnn.conv(x, w, **options, impl=impl), x, w)
        return y, *pull(jnp.cos(y))

    return jax.jit(lambda x, w: [run(x, w, impl) for impl in impls])(x, w)


@given(st.lists(axis, min_size=1, max_size=2), st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_transposed_convolution_equals_loops_and_the_adjoint(axes, data):
    """It equals the gradient of a convolution, and the loops of its definition."""
    size, window, stride, dilation = zip(*axes, strict=True)
    pairs = [st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in axes]
    names = st.sampled_from(["valid", "same", "same_lower"])
    padding = data.draw(st.one_of(names, st.tuples(*pairs)))
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in stride)
    extra = (0,) * len(axes) if padding in ("same", "same_lower") else extra
    n, groups, c, o = (data.draw(st.integers(low, 2)) for low in (0, 1, 1, 1))
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c * groups)), draw((*window, c * groups, o))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = reference.conv_transpose(x, w, output_padding=extra, **options)
    if expected is None:
        with pytest.raises(ValueError, match="crops all of the output"):
            fcnn.conv_transpose(x, w, output_padding=extra, **options)
        return

    def run(x, w):
        _, pull = jax.vjp(
            lambda y: fcnn.conv(y, w.swapaxes(-1, -2), **options), jnp.asarray(expected)
        )
        by = partial(fcnn.conv_transpose, x, w, output_padding=extra, **options)
        return *pull(x), by(), by(impl="lax")

    for actual in jax.jit(run)(x, w):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@given(some_axes, st.booleans(), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pooling_has_the_expected_shape_or_error(axes, ceil_mode, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding = data.draw(paddings(axes))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    x = jax.ShapeDtypeStruct((2, *size, 3), float)
    of = lambda: jax.eval_shape(lambda x: fcnn.max_pool(x, window, **options), x).shape
    positions = output_size(size, window, stride, dilation, padding, ceil_mode)
    if not all(positions):
        with pytest.raises(ValueError, match="exceeds the padded input"):
            of()
    else:
        assert of() == (2, *positions, 3)


POOLINGS = {  # size, window, stride, dilation, padding, ceil_mode, (count_include_pad, mean, p, n)
    "no examples": ((7, 6), (1, 2), (2, 1), (1, 1), "same", True, (False, False, 1, 0)),
    "1-D valid": ((7,), (2,), (3,), (2,), "valid", True, (False, False, 2, 1)),
    "1-D low": ((3,), (3,), (2,), (1,), ((2, 0),), True, (True, True, math.inf, 2)),
    "1-D high": ((5,), (3,), (2,), (1,), ((0, 2),), True, (False, False, 40, 1)),
    "2-D same": ((6, 5), (2, 2), (1, 1), (1, 1), "same_lower", False, (True, False, 1, 2)),
    "2-D causal": ((1, 6), (3, 3), (1, 3), (1, 2), "causal", True, (False, False, 2, 2)),
    "2-D": ((7, 6), (3, 2), (3, 2), (2, 2), ((2, 0), (1, 2)), True, (True, True, 1.5, 1)),
    "3-D same": ((4, 4, 2), (1, 2, 1), (3, 2, 1), (2, 1, 1), "same", True, (True, True, 3, 2)),
    "3-D full": ((3, 2, 4), (2, 1, 3), (2, 1, 1), (1, 1, 2), "full", False, (False, True, 1.5, 1)),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_equals_loops(name):
    """Problems of varied rank, size, window, stride, dilation, padding and ceil_mode."""
    poolings_agree(*POOLINGS[name])


@pytest.mark.all("0.4 s for each problem; the first tier has one problem of every kind")
@given(some_axes, st.booleans(), st.data())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_drawn_poolings_equal_loops(axes, ceil_mode, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding = data.draw(paddings(axes))
    assume(all(output_size(size, window, stride, dilation, padding, ceil_mode)))
    p = data.draw(st.sampled_from([1, 1.5, 2, 3, 40, math.inf]))
    more = data.draw(st.booleans()), data.draw(st.booleans()), p, data.draw(st.integers(0, 2))
    poolings_agree(size, window, stride, dilation, padding, ceil_mode, more)


def poolings_agree(size, window, stride, dilation, padding, ceil_mode, more):
    include, mean, p, n = more
    x = np.random.default_rng(0).standard_normal((n, *size, 2))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    options_of = {
        fcnn.max_pool: options,
        fcnn.avg_pool: options | {"count_include_pad": include},
        fcnn.lp_pool: options | {"p": p, "mean": mean},
    }
    by_hand, by_autodiff, (y, index) = pooled_and_back(options_of, x, window)
    for op, hand, autodiff in zip(options_of, by_hand, by_autodiff, strict=True):
        expected = REFERENCE[op](x, window, **options_of[op])
        np.testing.assert_allclose(hand[0], expected, rtol=0, atol=1e-12)
        for a, b in zip(hand, autodiff, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(y, by_hand[0][0])
    np.testing.assert_array_equal(index < 0, y == -np.inf)
    cells, index = (a.reshape(len(x), math.prod(a.shape[1:-1]), 2) for a in (x, index))
    actual = np.take_along_axis(cells, index, 1).reshape(y.shape)
    np.testing.assert_array_equal(np.where(y == -np.inf, y, actual), y)


def pooled_and_back(options_of, x, window):
    """y and dx of every operator, by hand and by autodiff, then max_pool_with_indices(x)."""

    def one(op, options, x):
        y, pull = jax.vjp(lambda x: op(x, window, **options), x)
        return y, pull(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))[0]

    def every(kind, x):
        with fcnn.gradients(kind):
            return [one(op, options, x) for op, options in options_of.items()]

    def run(x):
        indices = fcnn.max_pool_with_indices(x, window, **options_of[fcnn.max_pool])
        return every("hand", x), every("autodiff", x), indices

    return jax.jit(run)(x)
