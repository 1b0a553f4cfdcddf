"""Attention, lookup and positions: loops over the definitions, values by hand, empty rows."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

IMPLS = ("plain", "blocked")
attend = fcnn.dot_product_attention


def by_loops(q, k, v, mask=None, *, causal=False, scale=None):
    """One query and one head after another."""
    (n, t, h, d), (_, s, g, e) = q.shape, v.shape
    y = np.zeros((n, t, h, e))
    mask = None if mask is None else np.broadcast_to(mask, (n, h, t, s))
    for i, j, m in itertools.product(range(n), range(h), range(t)):
        weights = []
        for u in range(s):
            fit = sum(q[i, m, j] * k[i, u, j // (h // g)]) * (scale or 1 / math.sqrt(d))
            hidden = causal and u > m
            if mask is not None and mask.dtype == bool:
                hidden = hidden or not mask[i, j, m, u]
            elif mask is not None:
                fit = fit + mask[i, j, m, u]
            weights.append(0.0 if hidden else math.exp(fit))
        for u in range(s):
            if sum(weights) > 0:
                y[i, m, j] += weights[u] / sum(weights) * v[i, u, j // (h // g)]
    return y


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("seed", range(8))
def test_attention_by_loops(seed, impl):
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 5, 7)
    q, k, v = (rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e)))
    shape = tuple(int(a) if rng.random() < 0.5 else 1 for a in (n, g * r, t, s))
    hidden = rng.random(shape) < 0.4
    for mask in (None, ~hidden, np.where(hidden, -np.inf, rng.standard_normal(shape))):
        how = {"causal": seed % 2 == 1, "scale": [None, 0.7][seed % 3 == 2]}
        y = jax.jit(lambda *a, how=how: attend(*a, **how, impl=impl, block=2))(q, k, v, mask)
        np.testing.assert_allclose(y, by_loops(q, k, v, mask, **how), rtol=0, atol=1e-13)


def test_weights_by_hand():
    """Scores 0 and log 3 weigh 1/4 and 3/4; causal counts from the start."""
    q, k = jnp.ones((1, 2, 1, 1)), jnp.array([0.0, math.log(3)]).reshape(1, 2, 1, 1)
    v = jnp.array([4.0, 8.0]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(attend(q, k, v).ravel(), [7, 7], rtol=1e-15)
    np.testing.assert_allclose(attend(q, k, v, causal=True).ravel(), [4, 7], rtol=1e-15)
    np.testing.assert_allclose(attend(q[:, :1], k, v, causal=True).ravel(), [4], rtol=1e-15)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("added", [False, True])
def test_a_query_that_may_look_nowhere_gives_0_and_moves_nothing(mode, impl, added, key):
    q, k, v = (jax.random.normal(k, (1, 4, 1, 2)) for k in jax.random.split(key, 3))
    look = jnp.ones((1, 1, 4, 4), bool).at[0, 0, 1].set(False).at[0, 0, 2, :3].set(False)
    mask = jnp.where(look, 0.0, -jnp.inf) if added else look

    def everything(*x):
        f = lambda q, k, v: attend(q, k, v, mask, impl=impl, block=2)
        first = jax.grad(lambda *x: jnp.sin(f(*x) + 1).sum(), (0, 1, 2))
        second = jax.grad(lambda *x: sum(jnp.sin(g).sum() for g in first(*x)), (0, 1, 2))
        return f(*x), first(*x), second(*x)

    with fcnn.gradients(mode):
        y, first, second = jax.jit(everything)(q, k, v)
    for a in (y, first[0], second[0]):
        np.testing.assert_array_equal(a[0, 1], 0)
        assert (a[0, 0] != 0).all()
    for a in (*first, *second):
        assert jnp.isfinite(a).all()


@pytest.mark.parametrize("impl", IMPLS)
def test_an_added_mask_has_a_gradient_where_it_is_not_infinite(impl, key):
    q, k, v = (jax.random.normal(k, (1, 2, 1, 2)) for k in jax.random.split(key, 3))
    mask = jnp.array([[0.0, -jnp.inf], [0.3, -0.2]]).reshape(1, 1, 2, 2)
    total = lambda mask: attend(q, k, v, mask, impl=impl, block=1)[..., 0].sum()
    g = jax.grad(total)(mask)[0, 0]
    p = jax.nn.softmax(jnp.einsum("td,sd->ts", q[0, :, 0], k[0, :, 0]) / 2**0.5 + mask[0, 0])
    wanted = p[1, 0] * p[1, 1] * (v[0, 0, 0, 0] - v[0, 1, 0, 0])
    np.testing.assert_allclose(g, [[0, 0], [wanted, -wanted]], rtol=0, atol=1e-15)


def numbers_in(text):
    """The largest count of numbers that any array in a program has."""
    shapes = [part.split(">")[0].split("x")[:-1] for part in text.split("tensor<")[1:]]
    return max(math.prod(map(int, shape)) for shape in shapes)


def test_blocked_never_holds_all_scores():
    """Nor do its gradients, by hand or by autodiff of the same loop."""
    q, k = jnp.zeros((1, 512, 1, 4)), jnp.zeros((1, 512, 1, 4))
    for mode in ("hand", "autodiff"):
        for impl, most in (("plain", 512 * 512), ("blocked", 512 * 32)):
            total = lambda q, k, impl=impl: attend(q, k, k, block=32, impl=impl).sum()
            with fcnn.gradients(mode):
                text = jax.jit(jax.grad(total, (0, 1))).lower(q, k).as_text()
            assert numbers_in(text) == most


def test_auto_is_blocked_from_a_million_scores_on():
    loops = lambda t: "while" in jax.jit(attend).lower(*[jnp.zeros((1, t, 1, 2))] * 3).as_text()
    assert not loops(1024)
    assert loops(1025)


def test_half_precision_sums_do_not_stall():
    """4,096 equal keys weigh 1/4096 each; their sum in bfloat16 would stop at 256."""
    q, k = jnp.ones((1, 1, 1, 1), jnp.bfloat16), jnp.ones((1, 4096, 1, 1), jnp.bfloat16)
    for impl in IMPLS:
        f = jax.jit(lambda q, k, impl=impl: attend(q, k, k, impl=impl))
        assert f(q, k).squeeze() == 1


def test_one_head_of_identities_is_attention(key):
    x, eye = jax.random.normal(key, (2, 3, 4)), jnp.eye(4)
    into, back = eye.reshape(4, 1, 4), eye.reshape(1, 4, 4)
    y = fcnn.multi_head_attention(x, into, into, into, back)
    np.testing.assert_allclose(y, attend(*[x[:, :, None]] * 3)[:, :, 0], rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.int64])
def test_an_id_out_of_range_is_nan_and_moves_nothing(mode, dtype):
    table = jnp.arange(6.0).reshape(3, 2)
    ids = jnp.array([2, 3, 0, 2, 100]).astype(dtype)
    if jnp.issubdtype(dtype, jnp.signedinteger):
        ids = ids.at[1].set(-1)
    with fcnn.gradients(mode):
        y, pull = jax.vjp(lambda table: fcnn.embedding(table, ids), table)
        (g,) = pull(jnp.ones((5, 2)))
    nan = np.full(2, np.nan)
    np.testing.assert_array_equal(y, [table[2], nan, table[0], table[2], nan])
    np.testing.assert_array_equal(g, [[1, 1], [0, 0], [2, 2]])


def test_a_row_read_often_sums_in_float32():
    ids = jnp.zeros(4096, int)
    total = lambda table: fcnn.embedding(table, ids).sum()
    assert jax.grad(total)(jnp.ones((2, 1), jnp.bfloat16))[0, 0] == 4096


def test_ids_shorter_than_the_table(key):
    table = jax.random.normal(key, (300, 2))
    for ids in (jnp.array([3, 255], jnp.uint8), jnp.array([3, 127], jnp.int8)):
        np.testing.assert_array_equal(fcnn.embedding(table, ids), table[ids.astype(int)])


def test_one_hot_by_hand():
    y = fcnn.one_hot(jnp.array([2, 0, 3, -1], jnp.int8), classes=3)
    np.testing.assert_array_equal(y, [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert y.dtype == jnp.float64
    assert fcnn.one_hot(jnp.array(200, jnp.uint8), classes=300)[200] == 1


def test_sines_at_even_features_and_cosines_at_odd():
    y = fcnn.positional_encoding(jnp.zeros((1, 4, 4)), base=100.0)
    wanted = [[math.sin(t), math.cos(t), math.sin(t / 10), math.cos(t / 10)] for t in range(4)]
    np.testing.assert_allclose(y[0], wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_is_a_complex_product(interleaved, key):
    x = np.asarray(jax.random.normal(key, (2, 5, 3, 6)))
    positions = np.array([[0, 3, 1, 50, 2], [9, 8, 7, 6, 1000]])
    turn = np.exp(1j * positions[..., None] * 10000.0 ** (-np.arange(3) / 3))[:, :, None]
    one, two = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :3], x[..., 3:])
    z = (one + 1j * two) * turn
    wanted = np.stack([z.real, z.imag], -1).reshape(x.shape)
    wanted = wanted if interleaved else np.concatenate([z.real, z.imag], -1)
    y = fcnn.rotary_embedding(x, positions, interleaved=interleaved)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)
    counted = fcnn.rotary_embedding(x, np.arange(5), interleaved=interleaved)
    np.testing.assert_array_equal(fcnn.rotary_embedding(x, interleaved=interleaved), counted)


def test_scores_of_turned_pairs_see_only_distance(key):
    q, k = (jax.random.normal(k, (1, 1, 1, 8)) for k in jax.random.split(key))
    turn = lambda x, at: fcnn.rotary_embedding(x, jnp.array([at]))
    near, far = ((turn(q, at) * turn(k, at - 3)).sum() for at in (3, 1003))
    np.testing.assert_allclose(near, far, rtol=1e-10)


def test_one_array_may_serve_as_every_weight(key):
    x, w = jax.random.normal(key, (1, 2, 2)), jax.random.normal(key, (2, 2, 2))
    b, bo = jnp.ones((2, 2)), jnp.ones(2)
    assert fcnn.multi_head_attention(x, w, w, w, w, b, b, b, bo).shape == (1, 2, 2)
