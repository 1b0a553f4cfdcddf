"""Every implementation of convolution and pooling against plain loops over the definition."""

from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings
from registry import over

import fcnn

BY_LOOPS = {
    fcnn.conv: reference.conv,
    fcnn.max_pool: reference.max_pool,
    fcnn.avg_pool: reference.avg_pool,
    fcnn.lp_pool: reference.lp_pool,
    fcnn.im2col: reference.im2col,
}
IMPLS = ("auto", "lax", "im2col", "tiled")


TOO_LARGE = {"many tiles"}  # for loops; other cases of the same operator have no fewer taps
UNDEFINED = {"no examples", "huge"}  # nothing to loop over; powers that overflow


@over(
    lambda op, case: op in BY_LOOPS and not case.raises and case.name not in TOO_LARGE | UNDEFINED
)
def test_loops_agree(op, case, options, key):
    args = [a if a is None else np.asarray(a) for a in case.draw(key)]
    wanted = BY_LOOPS[op](*args, **case.options)
    np.testing.assert_allclose(
        jax.jit(partial(op, **options))(*args), wanted, rtol=0, atol=1e-12 * np.abs(wanted).max()
    )


@pytest.mark.parametrize("impl", IMPLS)
def test_the_textbook_example(impl):
    x = jnp.arange(1.0, 17).reshape(1, 4, 4, 1)
    w = jnp.array([[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]]).reshape(3, 3, 1, 1)
    np.testing.assert_array_equal(fcnn.conv(x, w, impl=impl)[0, :, :, 0], [[6, 7], [10, 11]])


axis = st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))


@given(st.lists(axis, min_size=1, max_size=3), st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_convolution(axes, data):
    """Any rank, size, window, stride, dilation, padding, groups: all implementations and loops."""
    size, window, stride, dilation = zip(*axes, strict=True)
    words = st.sampled_from(["same", "same_lower", "causal", "full"])
    pairs = [st.tuples(st.integers(0, 2), st.integers(0, 2)) for _ in axes]
    padding = data.draw(st.one_of(words, st.tuples(*pairs), st.just("valid")))
    groups, c, o = (data.draw(st.integers(1, 2)) for _ in range(3))
    draw = np.random.default_rng(0).standard_normal
    x, w = draw((2, *size, c * groups)), draw((*window, c, o * groups))
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if not fits(size, window, stride, padding, dilation):
        with pytest.raises(ValueError, match="exceeds the padded input"):
            fcnn.conv(x, w, **how)
        return
    by_lax, *others = every_way(x, w, how)
    np.testing.assert_allclose(by_lax[0], reference.conv(x, w, **how), rtol=0, atol=1e-12)
    for other in others:
        for a, b in zip(other, by_lax, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


def fits(size, window, stride, padding, dilation):
    pairs = reference.pad_pairs(padding, size, window, stride, dilation)
    axes = zip(size, pairs, window, dilation, strict=True)
    return all(n + lo + hi > d * (k - 1) for n, (lo, hi), k, d in axes)


def every_way(x, w, how):
    """y, dx and dw by each implementation, in one compiled program."""

    def run(x, w, impl):
        y, pull = jax.vjp(lambda x, w: fcnn.conv(x, w, **how, impl=impl), x, w)
        return y, *pull(jnp.cos(y))

    return jax.jit(lambda x, w: [run(x, w, impl) for impl in ("lax", "im2col", "tiled")])(x, w)


@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["valid", "same", "same_lower", "full", 1]),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_pooling(size, window, stride, dilation, padding):
    x = np.random.default_rng(size).standard_normal((2, size, size + 1, 2))
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    at = reference.places(x, window, stride, padding, dilation)
    places = [covered for _, covered, _ in at]
    assume(places and all(any(cell for _, cell in covered) for covered in places))
    pools = (fcnn.max_pool, fcnn.avg_pool, fcnn.lp_pool)
    pooled = jax.jit(lambda x: [op(x, window, **how) for op in pools])(x)
    np.testing.assert_array_equal(pooled[0], reference.max_pool(x, window, **how))
    np.testing.assert_allclose(pooled[1], reference.avg_pool(x, window, **how), atol=1e-12)
    np.testing.assert_allclose(pooled[2], reference.lp_pool(x, window, **how), atol=1e-12)
