"""Every implementation of convolution and pooling against plain loops over the definition."""

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

BY_LOOPS = {
    fcnn.conv: reference.conv,
    fcnn.conv_transpose: reference.conv_transpose,
    fcnn.separable_conv: reference.separable_conv,
    fcnn.max_pool: reference.max_pool,
    fcnn.avg_pool: reference.avg_pool,
    fcnn.lp_pool: reference.lp_pool,
    fcnn.im2col: reference.im2col,
}
MODES = ("zeros", "reflect", "edge", "wrap")


TOO_LARGE = {"many tiles"}  # for loops; other cases of the same operator have no fewer taps
UNDEFINED = {"no examples", "huge"}  # nothing to loop over; powers that overflow


@over(lambda op, case: op in BY_LOOPS and case.proved and case.name not in TOO_LARGE | UNDEFINED)
def test_loops_agree(op, case, options):
    wanted, by = every_answer(op, case.name)
    actual = by[options.get("impl")]
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@cache
def every_answer(op, name):
    """That of the loops, and in one program those of all implementations."""
    (case,) = (case for case in op.cases if case.name == name)
    args = [a if a is None else np.asarray(a) for a in case.draw()]
    run = lambda *a: {how.get("impl"): op(*a, **how) for how in ways(op, case)}
    return BY_LOOPS[op](*args, **case.options), jax.jit(run)(*args)


@pytest.mark.parametrize("impl", fcnn.conv.impls)
def test_the_textbook_example(impl):
    np.testing.assert_allclose(textbook_example()[impl], [[6, 7], [10, 11]], rtol=1e-13)


@cache
def textbook_example():
    x = np.arange(1.0, 17).reshape(1, 4, 4, 1)
    w = np.array([[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]]).reshape(3, 3, 1, 1)
    by = lambda impl, *a: fcnn.conv(*a, impl=impl)[0, :, :, 0]
    return jax.jit(lambda *a: {impl: by(impl, *a) for impl in fcnn.conv.impls})(x, w)


axis = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
some_axes = st.lists(axis, min_size=1, max_size=3)
WORDS = ("valid", "same", "same_lower", "causal", "full")


def paddings(axes):
    pairs = [st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in axes]
    return st.one_of(st.sampled_from(WORDS), st.tuples(*pairs))


CONVOLUTIONS = {  # size, window, stride, dilation, padding, border; n, groups, c and o of a group
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
def test_any_convolution(name):
    """Any rank, size, window, stride, dilation, padding, groups: all implementations and loops.

    "tiled" is left out: for as few cells it is "im2col".
    """
    implementations_agree(*CONVOLUTIONS[name])


@pytest.mark.all("0.4 s each; the first tier has one problem of every kind")
@given(some_axes, st.tuples(st.integers(0, 2), *[st.integers(1, 2)] * 3), st.data())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_drawn_convolutions(axes, counts, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding, mode = data.draw(paddings(axes)), data.draw(st.sampled_from(MODES))
    assume(not refusal(size, window, stride, dilation, padding, mode))
    implementations_agree(size, window, stride, dilation, padding, mode, counts)


def implementations_agree(size, window, stride, dilation, padding, mode, counts):
    n, groups, c, o = counts
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c * groups)), draw((*window, c, o * groups))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    how |= {"padding_mode": mode}
    by_lax, *others = every_way(x, w, how, ("lax", "im2col", "taps", "fft"))
    np.testing.assert_allclose(by_lax[0], reference.conv(x, w, **how), rtol=0, atol=1e-12)
    for other in others:
        for a, b in zip(other, by_lax, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


@given(some_axes, st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_convolution_is_refused_or_has_its_shape(axes, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding, mode = data.draw(paddings(axes)), data.draw(st.sampled_from(MODES))
    x, w = (jax.ShapeDtypeStruct(s, float) for s in ((2, *size, 1), (*window, 1, 3)))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": mode}
    of = lambda: jax.eval_shape(partial(fcnn.conv, **how), x, w).shape
    says = refusal(size, window, stride, dilation, padding, mode)
    if says:
        with pytest.raises(ValueError, match=says):
            of()
    else:
        assert of() == (2, *outputs(size, window, stride, dilation, padding), 3)


@pytest.mark.parametrize(
    ("size", "padding", "channels"),
    [
        ((1, 10), ((1, 1), (1, 1)), (1, 3, 2)),
        ((9, 5), ((1, 1), (2, 2)), (2, 1, 3)),
        ((3, 4), ((2, 3), (3, 2)), (3, 2, 1)),
        ((6, 7), ((1, 3), (2, 1)), (1, 1, 1)),
        ((1, 2), ((1, 2), (1, 1)), (0, 2, 2)),
    ],
    ids=["1 by 10 places", "9 by 7", "6 by 7", "8 by 8", "no examples"],
)
def test_any_convolution_by_winograd(size, padding, channels):
    """Any size, tiles of 2 places that stick out of it, and padding."""
    (n, c, o), draw = channels, np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c)), draw((3, 3, c, o))
    how = {"padding": padding, "padding_mode": "edge"}
    by_lax, by_winograd = every_way(x, w, how, ("lax", "winograd"))
    for a, b in zip(by_winograd, by_lax, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


def refusal(size, window, stride, dilation, padding, mode):
    """What a convolution cannot do: fit no window, or read cells that are not there."""
    if not all(outputs(size, window, stride, dilation, padding)):
        return "exceeds the padded input"
    pairs = reference.pad_pairs(padding, size, window, stride, dilation)
    most = {"reflect": lambda n: n - 1, "wrap": lambda n: n}.get(mode, lambda n: math.inf)
    fine = all(max(pair) <= most(n) for n, pair in zip(size, pairs, strict=True))
    return None if fine else f"{mode} padding of . cells is at most"


def outputs(size, window, stride, dilation, padding, ceil_mode=False):
    """Places along every axis."""
    pairs = reference.pad_pairs(padding, size, window, stride, dilation)
    axes = zip(size, pairs, window, stride, dilation, strict=True)
    return [
        reference.outputs(n, lo, hi, d * (k - 1) + 1, s, ceil_mode) for n, (lo, hi), k, s, d in axes
    ]


def every_way(x, w, how, impls):
    """y, dx and dw by each implementation, in one compiled program."""

    def run(x, w, impl):
        y, pull = jax.vjp(lambda x, w: fcnn.conv(x, w, **how, impl=impl), x, w)
        return y, *pull(jnp.cos(y))

    return jax.jit(lambda x, w: [run(x, w, impl) for impl in impls])(x, w)


@given(st.lists(axis, min_size=1, max_size=2), st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_transposed_convolution(axes, data):
    """It is what autodiff makes of a convolution, and what loops make of its definition."""
    size, window, stride, dilation = zip(*axes, strict=True)
    pairs = [st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in axes]
    words = st.sampled_from(["valid", "same", "same_lower"])
    padding = data.draw(st.one_of(words, st.tuples(*pairs)))
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in stride)
    extra = (0,) * len(axes) if padding in ("same", "same_lower") else extra
    n, groups, c, o = (data.draw(st.integers(low, 2)) for low in (0, 1, 1, 1))
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((n, *size, c * groups)), draw((*window, c * groups, o))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    wanted = reference.conv_transpose(x, w, output_padding=extra, **how)
    if wanted is None:
        with pytest.raises(ValueError, match="leaves nothing"):
            fcnn.conv_transpose(x, w, output_padding=extra, **how)
        return

    def run(x, w):
        _, pull = jax.vjp(lambda y: fcnn.conv(y, w.swapaxes(-1, -2), **how), jnp.asarray(wanted))
        by = partial(fcnn.conv_transpose, x, w, output_padding=extra, **how)
        return *pull(x), by(), by(impl="lax")

    for actual in jax.jit(run)(x, w):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-12)


@given(some_axes, st.booleans(), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_pooling_is_refused_or_has_its_shape(axes, ceil_mode, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding = data.draw(paddings(axes))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    x = jax.ShapeDtypeStruct((2, *size, 3), float)
    of = lambda: jax.eval_shape(lambda x: fcnn.max_pool(x, window, **how), x).shape
    places = outputs(size, window, stride, dilation, padding, ceil_mode)
    if not all(places):
        with pytest.raises(ValueError, match="exceeds the padded input"):
            of()
    else:
        assert of() == (2, *places, 3)


POOLINGS = {  # size, window, stride, dilation, padding, ceil_mode; include, mean, p, n
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
def test_any_pooling(name):
    """Any rank, size, window, stride, dilation, padding, ends cut off, and no examples at all."""
    pools_agree(*POOLINGS[name])


@pytest.mark.all("0.4 s each; the first tier has one problem of every kind")
@given(some_axes, st.booleans(), st.data())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_drawn_poolings(axes, ceil_mode, data):
    size, window, stride, dilation = zip(*axes, strict=True)
    padding = data.draw(paddings(axes))
    assume(all(outputs(size, window, stride, dilation, padding, ceil_mode)))
    p = data.draw(st.sampled_from([1, 1.5, 2, 3, 40, math.inf]))
    more = data.draw(st.booleans()), data.draw(st.booleans()), p, data.draw(st.integers(0, 2))
    pools_agree(size, window, stride, dilation, padding, ceil_mode, more)


def pools_agree(size, window, stride, dilation, padding, ceil_mode, more):
    include, mean, p, n = more
    x = np.random.default_rng(0).standard_normal((n, *size, 2))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    asked = {
        fcnn.max_pool: how,
        fcnn.avg_pool: how | {"count_include_pad": include},
        fcnn.lp_pool: how | {"p": p, "mean": mean},
    }
    by_hand, by_autodiff, (y, index) = pooled_and_back(asked, x, window)
    for op, hand, autodiff in zip(asked, by_hand, by_autodiff, strict=True):
        wanted = BY_LOOPS[op](x, window, **asked[op])
        np.testing.assert_allclose(hand[0], wanted, rtol=0, atol=1e-12)
        for a, b in zip(hand, autodiff, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(y, by_hand[0][0])
    np.testing.assert_array_equal(index < 0, y == -np.inf)
    cells, index = (a.reshape(len(x), math.prod(a.shape[1:-1]), 2) for a in (x, index))
    found = np.take_along_axis(cells, index, 1).reshape(y.shape)
    np.testing.assert_array_equal(np.where(y == -np.inf, y, found), y)


def pooled_and_back(asked, x, window):
    """y and dx of every pool asked for, by hand and by autodiff, then where the maxima stand."""

    def one(op, how, x):
        y, pull = jax.vjp(lambda x: op(x, window, **how), x)
        return y, pull(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))[0]

    def every(kind, x):
        with fcnn.gradients(kind):
            return [one(op, how, x) for op, how in asked.items()]

    def run(x):
        indices = fcnn.max_pool_with_indices(x, window, **asked[fcnn.max_pool])
        return every("hand", x), every("autodiff", x), indices

    return jax.jit(run)(x)
