"""Known answers at inputs where a correct formula can fail by rounding, or by overflow."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.ops import OPS
from fcnn.ops.activation import elementwise

F16, F32, BF16 = jnp.float16, jnp.float32, jnp.bfloat16
MODES = ("hand", "autodiff")


def in_both(run, *args):
    """Results of `run` with hand-derived gradients and with autodiff, from one program."""

    def both(*args):
        found = []
        for mode in MODES:
            with fcnn.gradients(mode):
                found.append(run(*args))
        return found

    return jax.jit(both)(*args)


def vjp(f, x, dy):
    y, pull = jax.vjp(f, x)
    return y, pull(dy)[0]


@pytest.mark.parametrize("impl", ["plain", "blocked"])
def test_attention_at_large_scores(impl):
    """Keys with equal scores have equal weights. A key whose score dominates has weight 1."""
    q, k = jnp.ones((1, 1, 1, 2), F32), jnp.ones((1, 4, 1, 2), F32)
    v = jnp.arange(4.0, dtype=F32).reshape(1, 4, 1, 1)
    masks = np.array([0, -1e4, -1e6, -1e9, np.finfo(np.float32).min], np.float32)
    rising = jnp.arange(1.0, 5, dtype=F32).reshape(k[..., :1].shape) * k

    def run(size, k):
        mask = jnp.broadcast_to(size, (1, 1, 1, 4))
        total = lambda v: fcnn.dot_product_attention(q, k, v, mask, block=2, impl=impl).sum()
        return jax.grad(total)(v).reshape(-1)

    scaled = lambda size: run(F32(0), rising * size)
    equal, one = lambda: jax.lax.map(lambda m: run(m, k), masks), lambda: jax.lax.map(scaled, sizes)
    sizes = jnp.array([1e3, 1e6, 1e7, 1e9], F32)
    for by_mask, by_size in in_both(lambda: (equal(), one())):
        np.testing.assert_allclose(by_mask, np.full((5, 4), 0.25), rtol=1e-6)
        np.testing.assert_allclose(by_size, np.tile([0, 0, 0, 1.0], (4, 1)), rtol=1e-6)


def test_softmax_sums_half_precision_in_float32():
    full, many = partial(jnp.full, (2,), dtype=F16), jnp.zeros(65520, F16)

    def run():
        dx = vjp(fcnn.log_softmax, jnp.zeros(2, F16), full(4e4))[1]
        return dx, fcnn.softmax(many)[:3], fcnn.log_softmax(many)[:3]

    for dx, p, log_p in in_both(run):
        np.testing.assert_array_equal(dx, [0, 0])
        np.testing.assert_allclose(p, np.full(3, 1 / 65520), rtol=4e-3)  # subnormal in float16
        np.testing.assert_allclose(log_p, np.full(3, -np.log(65520)), rtol=1e-3)


def test_cross_entropies_sum_half_precision_in_float32():
    z, t = jnp.zeros((1, 65520), F16), jnp.eye(1, 65520, dtype=F16)

    def run():
        hinge, dz = vjp(lambda z: fcnn.hinge(z, jnp.array([0])), z, jnp.ones(1, F16) / 4)
        losses = fcnn.softmax_cross_entropy(z, jnp.array([0])), fcnn.soft_cross_entropy(z, t)
        return jnp.concatenate(losses), hinge, dz[0, 0]

    for losses, hinge, dz in in_both(run):
        np.testing.assert_allclose(losses, np.full(2, np.log(65520)), rtol=1e-3)
        np.testing.assert_allclose(hinge, [65519], rtol=1e-3)
        np.testing.assert_allclose(dz, -65519 / 4, rtol=1e-3)


PRODUCERS = {  # functions that compute the scores from x
    "a product": lambda x: x * 3,
    "a quotient": lambda x: x / 3,
    "two products": lambda x: x * 3 + x[..., ::-1] * 7,
    "a square": lambda x: x * x / 1e9,
    "from bfloat16": lambda x: x.astype(BF16).astype(F32) * 3,
}


@pytest.mark.parametrize("classes", [3, 33])
def test_softmax_of_products(classes):
    """XLA may compute the scores z twice, for max z and for z - max z, with different roundings."""
    x = (1e9 * np.random.default_rng(0).standard_normal((4, classes))).astype(np.float32)
    labels = jnp.zeros(4, int)
    eye = jnp.eye(classes, dtype=F32)[:, None]

    def attend(x):
        one = jnp.ones((1, classes, 1, 1), F32)
        q, k = x[..., :1].reshape(1, 4, 1, 1) / 1e9, one * x[:1].reshape(one.shape)
        y, pull = jax.vjp(partial(fcnn.dot_product_attention, q, k), eye[None, :, :, :1])
        return y, *pull(jnp.ones_like(y))

    def answers(x):
        loss = lambda x: fcnn.softmax_cross_entropy(x, labels)
        ys = [vjp(f, x, jnp.ones_like(f(x))) for f in (fcnn.softmax, fcnn.log_softmax, loss)]
        return ys, fcnn.soft_cross_entropy(x, jax.nn.one_hot(labels, classes, dtype=F32))

    def run(x):
        each = {name: answers(make(x)) for name, make in PRODUCERS.items()}
        each["mapped"] = jax.vmap(lambda x: fcnn.softmax(x * 3))(x)
        each["scanned"] = jax.lax.map(lambda x: fcnn.softmax(x * 3), x)
        each["attention"] = attend(x)
        return each

    made = jax.jit(lambda x: {name: make(x) for name, make in PRODUCERS.items()})(x)
    for found in in_both(run, x):
        for name, scores in made.items():
            z = np.asarray(scores, float)
            top = z.max(-1, keepdims=True)
            p = (z == top).astype(float)  # scores lie far apart, so softmax is one-hot
            np.testing.assert_allclose(found[name][0][0][0], p, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(found[name][0][1][0], z - top, rtol=1e-6, err_msg=name)
            np.testing.assert_allclose(found[name][0][2][0], (top - z)[:, 0], rtol=1e-6)
            np.testing.assert_allclose(found[name][1], (top - z)[:, 0], rtol=1e-6)
            dz = p - np.eye(classes)[0]
            np.testing.assert_allclose(found[name][0][2][1], dz, atol=1e-6, err_msg=name)
            assert all(np.isfinite(g).all() for _, g in found[name][0])
        z = np.asarray(made["a product"], float)
        for name in ("mapped", "scanned"):
            np.testing.assert_allclose(found[name], z == z.max(-1, keepdims=True), atol=1e-6)
        assert all(np.isfinite(a).all() for a in found["attention"])
        np.testing.assert_allclose(found["attention"][1].sum(), 4, rtol=1e-6)


def test_intermediate_squares_do_not_overflow():
    big, eye = F32(2e19), jnp.full((1, 4), 2e19, F32)
    none = jnp.zeros_like(eye)

    def run():
        squares = fcnn.mean_squared_error(eye / 4, none), fcnn.l2_penalty(eye, rate=1e-3)
        return fcnn.squareplus(jnp.array([big, -big, 3e38])), *squares

    for plus, mean, penalty in in_both(run):
        np.testing.assert_allclose(plus, [2e19, 5e-20, 3e38], rtol=1e-6)
        np.testing.assert_allclose(mean, [2.5e37], rtol=1e-6)
        np.testing.assert_allclose(penalty, 8e35, rtol=1e-6)


def test_closed_gates_pass_no_gradient():
    """The product of dy and the gated value would overflow, although the gate's slope is 0."""
    closed = jnp.array([6e4, -6e4], F16)
    gates = (fcnn.glu, closed), (fcnn.swiglu, closed[::-1])
    with fcnn.gradients("hand"):
        for op, x in gates:
            _, dx = jax.jit(partial(vjp, op))(x, jnp.array([6e4], F16))
            np.testing.assert_array_equal(dx, [0, 0])


def test_a_bias_is_added_before_the_sum_is_rounded():
    x, w, b = jnp.full((1, 2, 2), 6e4, F16), jnp.full((1, 2, 1), 0.75, F16), jnp.array([-6e4], F16)

    def run():
        by = {impl: fcnn.conv(x, w, b, impl=impl) for impl in fcnn.conv.impls if impl != "winograd"}
        return by, fcnn.conv_transpose(x, w, b), fcnn.dense(x, w[0], b)

    for y in jax.tree.leaves(jax.jit(run)()):
        np.testing.assert_allclose(y, np.full((1, 2, 1), 3e4), rtol=2e-3)


def test_slopes_of_saturated_elu_are_accurate():
    """Computed as y + alpha, the slope alpha exp(x) would lose digits."""
    x = jnp.array([-20.0, -12], F32)
    with fcnn.gradients("hand"):
        for op, scale in ((fcnn.elu, 1), (fcnn.celu, 1), (fcnn.selu, 1.7580993408473768)):
            _, dx = jax.jit(partial(vjp, op))(x, jnp.ones_like(x))
            np.testing.assert_allclose(dx, scale * np.exp([-20.0, -12]), rtol=1e-6)


def test_hinge_margin_between_large_scores():
    z = jnp.full((1, 3), 1e9, F32)
    hinge = partial(fcnn.hinge, labels=jnp.array([0]))
    for loss, dz in in_both(lambda z: vjp(hinge, z, jnp.ones(1, F32)), z):
        np.testing.assert_array_equal(loss, [2])
        np.testing.assert_array_equal(dz, [[-2, 1, 1]])


def test_focal_at_infinite_logits():
    z, t = jnp.array([[-jnp.inf, jnp.inf, 0]]), jnp.array([[0.0, 1, 1]])
    one = 0.25 * 0.25 * np.log(2)
    for loss, dz in in_both(lambda: vjp(lambda z: fcnn.focal(z, t), z, jnp.ones(1))):
        np.testing.assert_allclose(loss, [one])
        np.testing.assert_allclose(dz, [[0, 0, -0.0625 * (0.5 + np.log(2))]])


def test_normalization_with_an_overflowing_variance():
    """The normalized values and their gradient are 0, as the docstrings promise."""
    x, one = jnp.array([[1e20, -1e20], [2e20, 0]], F32), jnp.ones(2, F32)
    ops = {
        fcnn.layer_norm: lambda x: fcnn.layer_norm(x, one, one),
        fcnn.rms_norm: lambda x: fcnn.rms_norm(x, one) + 1,
        fcnn.group_norm: lambda x: fcnn.group_norm(x, one, one, groups=1),
        fcnn.instance_norm: lambda x: fcnn.instance_norm(x[None], one, one)[0],
        fcnn.batch_norm: lambda x: fcnn.batch_norm(x, one, one, one, one, train=True)[0],
        fcnn.weight_standardization: lambda x: fcnn.weight_standardization(x) + 1,
    }
    run = lambda: [vjp(f, x, x * 1e-20) for f in ops.values()]
    with fcnn.gradients("hand"):
        for op, (y, dx) in zip(ops, jax.jit(run)(), strict=True):
            np.testing.assert_array_equal(y, np.ones((2, 2)), err_msg=op.name)
            np.testing.assert_array_equal(dx, np.zeros((2, 2)), err_msg=op.name)
            assert "1e19" in op.__doc__


def test_normalization_far_from_0():
    """In float32, a mean near 1000 is rounded by up to 3e-5, which is 0.006 standard deviations."""
    rng, one = np.random.default_rng(0), jnp.ones(6, F32)
    x = (1000 + 0.005 * rng.standard_normal((3, 50, 6))).astype(np.float32)
    dy, mask = rng.standard_normal(x.shape).astype(np.float32), rng.random((3, 50)) < 0.8
    train = lambda x, mask: fcnn.batch_norm(x, one, one * 0, one, one, mask, train=True)
    ops = {
        "layer": (lambda x: fcnn.layer_norm(x, one, one * 0), (2,), None),
        "instance": (lambda x: fcnn.instance_norm(x, one, one * 0), (1,), None),
        "group": (lambda x: fcnn.group_norm(x, one, one * 0, groups=1), (1, 2), None),
        "batch": (lambda x: train(x, None)[0], (0, 1), None),
        "masked": (lambda x: train(x, mask)[0], (0, 1), mask[..., None]),
        "filters": (fcnn.weight_standardization, (0, 1), None),
    }

    def exact(x, axes, mask):
        """z in float64, and the gradient dx, whose formula holds only without a mask."""
        mean = lambda a: np.mean(a, axes, keepdims=True, where=True if mask is None else mask)
        d = x - mean(x)
        r = 1 / np.sqrt(mean(d * d) + 1e-5)
        return d * r, r * (dy - mean(dy) - d * r * mean(dy * d * r))

    run = lambda x: ({name: vjp(f, x, dy) for name, (f, *_) in ops.items()}, train(x, None)[1])
    for found, running in in_both(run, x):
        np.testing.assert_allclose(running, 0.9 + 0.1 * x.mean((0, 1), float), rtol=2e-7)
        for name, (_, axes, mask) in ops.items():
            z, dx = exact(x.astype(float), axes, mask)
            np.testing.assert_allclose(found[name][0], z, atol=1e-5, err_msg=name)
            if mask is None:
                atol = 1e-5 * np.abs(dx).max()
                np.testing.assert_allclose(found[name][1], dx, atol=atol, err_msg=name)


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_of_activations_are_finite(mode):
    """At large and infinite inputs, a slope or its reciprocal can overflow."""
    ends = np.array([-np.inf, -3e38, -2e19, -1e18, -1e9, 0.3, 1e9, 1e18, 2e19, 3e38, np.inf], F32)
    ops = [op for op in OPS if op.fwd_rule.__module__ == elementwise.__name__]

    def run(x):
        return {op.name: jax.vmap(jax.grad(jax.grad(op)))(x) for op in ops}

    with fcnn.gradients(mode):
        found = jax.jit(run)(ends)
    for name, ddx in found.items():
        assert np.isfinite(ddx).all(), (name, ddx)
    np.testing.assert_array_equal(found["squareplus"][:3], 0)


def test_gates_and_pools_of_infinities():
    """A closed gate maps an infinite value to 0.

    In lp_pool, two infinite entries of a window have the slopes of two equal finite entries.
    """
    inf = np.inf
    glu = np.array([[inf, -inf], [-inf, -inf], [inf, inf], [-inf, inf], [inf, -1e9]], F32)
    swiglu = np.array([[-inf, inf], [-inf, -inf], [-1e9, inf]], F32)
    pooled = np.array([-inf, -inf, 5, inf, 7, 3e38, 0, 0], F32).reshape(1, 8, 1)

    def run():
        gates = vjp(fcnn.glu, glu, np.ones((5, 1), F32)), vjp(fcnn.swiglu, swiglu, ones3)
        pools = {p: vjp(partial(fcnn.lp_pool, window=2, p=p), pooled, ones4) for p in (1, 2, 3)}
        return gates, pools

    ones3, ones4 = np.ones((3, 1), F32), np.ones((1, 4, 1), F32)
    for ((y, dx), (silu, dsilu)), pools in in_both(run):
        np.testing.assert_array_equal(y[:, 0], [0, 0, inf, -inf, 0])
        np.testing.assert_array_equal(dx, [[0, 0], [0, 0], [1, 0], [1, 0], [0, 0]])
        np.testing.assert_array_equal(silu, np.zeros((3, 1)))
        np.testing.assert_array_equal(dsilu, np.zeros((3, 2)))
        for p, (y, dx) in pools.items():
            np.testing.assert_allclose(y[0, :, 0], [inf, inf, 3e38, 0], rtol=1e-6)
            both, beside = -(2 ** (1 / p - 1)), float(p == 1)
            wanted = [both, both, beside, 1, dx[0, 4, 0], 1, 0, 0]
            np.testing.assert_allclose(dx[0, :, 0], wanted, rtol=1e-6, err_msg=str(p))
