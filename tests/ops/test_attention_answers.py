"""Attention, embeddings and positions: known values, loops over the definitions, masks."""

import itertools
import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

IMPLS = ("plain", "blocked")
attend = fcnn.dot_product_attention


def normals(*shapes):
    draw = np.random.default_rng(0).standard_normal
    return [draw(shape) for shape in shapes]


def by_loops(
    q,
    k,
    v,
    mask=None,
    lengths=None,
    offset=None,
    *,
    causal=False,
    window=None,
    softcap=None,
    scale=None,
):
    """Attention and its weights by loops over examples, heads and queries."""
    (n, t, h, d), (_, s, g, e) = q.shape, v.shape
    y, p = np.zeros((n, t, h, e)), np.zeros((n, h, t, s))
    mask = None if mask is None else np.broadcast_to(mask, (n, h, t, s))
    for i, j, m in itertools.product(range(n), range(h), range(t)):
        weights = []
        for u in range(s):
            score = sum(q[i, m, j] * k[i, u, j // (h // g)]) * (scale or 1 / math.sqrt(d))
            score = score if softcap is None else softcap * math.tanh(score / softcap)
            at = m if offset is None else m + offset[i]
            hidden = (causal and u > at) or (window is not None and abs(u - at) >= window)
            hidden = hidden or (lengths is not None and u >= lengths[i])
            if mask is not None and mask.dtype == bool:
                hidden = hidden or not mask[i, j, m, u]
            elif mask is not None:
                score = score + mask[i, j, m, u]
            weights.append(0.0 if hidden else math.exp(score))
        for u in range(s):
            if sum(weights) > 0:
                p[i, j, m, u] = weights[u] / sum(weights)
                y[i, m, j] += p[i, j, m, u] * v[i, u, j // (h // g)]
    return y, p


MASKS = ("none", "boolean", "added")


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("seed", range(8))
def test_attention_equals_loops(seed, impl):
    found, wanted = answers_and_loops(seed)
    for mask in MASKS:
        np.testing.assert_allclose(found[impl, mask], wanted[mask], rtol=0, atol=1e-13)


@cache
def answers_and_loops(seed):
    """The outputs of all implementations (from one program) and of the loops, for every mask."""
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 5, 7)
    x = [rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e))]
    shape = tuple(int(a) if rng.random() < 0.5 else 1 for a in (n, g * r, t, s))
    hidden = rng.random(shape) < 0.4
    masks = None, ~hidden, np.where(hidden, -np.inf, rng.standard_normal(shape))
    masks = dict(zip(MASKS, masks, strict=True))
    options = {"causal": seed % 2 == 1, "scale": [None, 0.7][seed % 3 == 2]}

    def run(masks, *x):
        cases = itertools.product(IMPLS, MASKS)
        return {(i, m): attend(*x, masks[m], **options, impl=i, block=2) for i, m in cases}

    return jax.jit(run)(masks, *x), {m: by_loops(*x, masks[m], **options)[0] for m in MASKS}


@pytest.mark.parametrize("seed", range(6))
def test_windows_softcap_lengths_and_offsets_equal_loops(seed):
    """Keys and values beyond the lengths are NaN. Some queries have no key."""
    rng = np.random.default_rng(seed)
    n, t, s, g, r, d, e = rng.integers(1, 6, 7)
    q, k, v = (rng.standard_normal(a) for a in ((n, t, g * r, d), (n, s, g, d), (n, s, g, e)))
    lengths, offset = rng.integers(-1, s + 2, n), rng.integers(-2, s + 1, n)
    options = {"causal": seed % 2 == 1, "window": 1 + seed % 3, "softcap": 0.5 + seed % 4}
    beyond = np.arange(s) >= lengths[:, None]
    k[beyond], v[beyond] = np.nan, np.nan

    @jax.jit
    def run(q, k, v, lengths, offset):
        given = {"lengths": lengths, "offset": offset}
        ys = [attend(q, k, v, **given, **options, impl=impl, block=2) for impl in IMPLS]
        weights = fcnn.attention_weights(q, k, **given, **options)
        gradient = jax.grad(lambda *x: attend(*x, **given, **options).sum(), (1, 2))(q, k, v)
        return ys, weights, gradient

    ys, weights, gradient = run(q, k, v, lengths, offset)
    y, p = by_loops(q, *map(np.nan_to_num, (k, v)), None, lengths, offset, **options)
    for found in ys:
        np.testing.assert_allclose(found, y, atol=1e-13)
    np.testing.assert_allclose(weights, p, atol=1e-13)
    for g in gradient:
        np.testing.assert_array_equal(np.asarray(g)[beyond], 0)


def test_weights_of_multi_head_attention_are_the_weights_of_its_queries_and_keys():
    x, wq, wk, wo = normals((2, 3, 4), (4, 2, 5), (4, 1, 5), (2, 5, 4))
    run = jax.jit(partial(fcnn.multi_head_attention, causal=True, weights=True))
    y, p = run(x, wq, wk, wk, wo)
    q, k = (np.einsum("ntc,chd->nthd", x, w) for w in (wq, wk))
    np.testing.assert_allclose(p, by_loops(q, k, k, causal=True)[1], atol=1e-13)
    z = np.einsum("nhts,nsgd->nthd", p, k)
    np.testing.assert_allclose(y, np.einsum("nthd,hdo->nto", z, wo), atol=1e-12)


def test_attention_weights_known_values():
    """Scores 0 and log 3 have weights 1/4 and 3/4. With `causal`, query i sees keys 0 to i."""
    q, k = np.ones((1, 2, 1, 1)), np.array([0.0, math.log(3)]).reshape(1, 2, 1, 1)
    v = np.array([4.0, 8.0]).reshape(1, 2, 1, 1)
    causal = partial(attend, causal=True)
    run = lambda q, k, v: (attend(q, k, v), causal(q, k, v), causal(q[:, :1], k, v))
    for y, wanted in zip(jax.jit(run)(q, k, v), ([7, 7], [4, 7], [4]), strict=True):
        np.testing.assert_allclose(np.ravel(y), wanted, rtol=1e-15)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("added", [False, True])
def test_a_query_without_any_key_gives_0_and_has_no_gradient(mode, impl, added):
    y, first, second = masked_queries(mode, impl)[added]
    for a in (y, first[0], second[0]):
        np.testing.assert_array_equal(a[0, 1], 0)
        assert (a[0, 0] != 0).all()
    for a in (*first, *second):
        assert np.isfinite(a).all()


@cache
def masked_queries(mode, impl):
    """Outputs, gradients and second gradients of attention, for a boolean and an added mask."""
    x = normals(*[(1, 4, 1, 2)] * 3)
    visible = np.ones((1, 1, 4, 4), bool)
    visible[0, 0, 1] = visible[0, 0, 2, :3] = False

    def everything(mask, *x):
        f = lambda q, k, v: attend(q, k, v, mask, impl=impl, block=2)
        first = jax.grad(lambda *x: jnp.sin(f(*x) + 1).sum(), (0, 1, 2))
        second = jax.grad(lambda *x: sum(jnp.sin(g).sum() for g in first(*x)), (0, 1, 2))
        return f(*x), first(*x), second(*x)

    masks = visible, np.where(visible, 0.0, -np.inf)
    with fcnn.gradients(mode):
        found = jax.jit(lambda masks, *x: [everything(mask, *x) for mask in masks])(masks, *x)
    return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("impl", IMPLS)
def test_gradient_of_an_added_mask_is_0_at_infinite_entries(impl):
    q, k, v = normals(*[(1, 2, 1, 2)] * 3)
    mask = np.array([[0.0, -np.inf], [0.3, -0.2]]).reshape(1, 1, 2, 2)
    total = lambda mask, q, k, v: attend(q, k, v, mask, impl=impl, block=1)[..., 0].sum()
    g = jax.jit(jax.grad(total))(mask, q, k, v)[0, 0]
    weights = np.exp(q[0, :, 0] @ k[0, :, 0].T / 2**0.5 + mask[0, 0])
    p = weights / weights.sum(-1, keepdims=True)
    wanted = p[1, 0] * p[1, 1] * (v[0, 0, 0, 0] - v[0, 1, 0, 0])
    np.testing.assert_allclose(g, [[0, 0], [wanted, -wanted]], rtol=0, atol=1e-15)


def largest_array(text):
    """The size of the largest array in a program."""
    shapes = [part.split(">")[0].split("x")[:-1] for part in text.split("tensor<")[1:]]
    return max(math.prod(map(int, shape)) for shape in shapes)


def test_blocked_attention_never_holds_all_scores():
    """Neither the hand-derived gradient nor autodiff of the loop holds an array of all scores."""
    q = k = jax.ShapeDtypeStruct((1, 512, 1, 4), float)
    for mode in ("hand", "autodiff"):
        for impl, most in (("plain", 512 * 512), ("blocked", 512 * 32)):
            total = lambda q, k, impl=impl: attend(q, k, k, block=32, impl=impl).sum()
            with fcnn.gradients(mode):
                text = jax.jit(jax.grad(total, (0, 1))).lower(q, k).as_text()
            assert largest_array(text) == most


def test_auto_chooses_blocked_attention_above_2_to_the_20_scores():
    x = lambda t: jax.ShapeDtypeStruct((1, t, 1, 2), float)
    loops = lambda t: "while" in jax.jit(attend).lower(x(t), x(t), x(t)).as_text()
    assert not loops(1024)
    assert loops(1025)


def test_half_precision_sums_do_not_stall():
    """For 4,096 equal scores, softmax sums 4,096 ones. In bfloat16 the sum would stop at 256."""
    q, k = np.ones((1, 1, 1, 1), jnp.bfloat16), np.ones((1, 4096, 1, 1), jnp.bfloat16)
    run = lambda q, k: [attend(q, k, k, impl=impl) for impl in IMPLS]
    assert [y.item() for y in jax.jit(run)(q, k)] == [1, 1]


def test_multi_head_attention_with_one_head_and_identity_weights_is_attention():
    (x,), eye = normals((2, 3, 4)), np.eye(4)
    into, back = eye.reshape(4, 1, 4), eye.reshape(1, 4, 4)
    y = jax.jit(lambda x, w, wo: fcnn.multi_head_attention(x, w, w, w, wo))(x, into, back)
    wanted = jax.jit(attend)(*[x[:, :, None]] * 3)[:, :, 0]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-15)


IDS = (jnp.int8, jnp.uint8, jnp.int32, jnp.int64)


@pytest.mark.parametrize("mode", ["hand", "autodiff"])
@pytest.mark.parametrize("dtype", IDS)
def test_an_id_out_of_range_gives_nan_and_no_gradient(mode, dtype):
    table, found = rows_and_gradients(mode)
    y, g = found[IDS.index(dtype)]
    nan = np.full(2, np.nan)
    np.testing.assert_array_equal(y, [table[2], nan, table[0], table[2], nan])
    np.testing.assert_array_equal(g, [[1, 1], [0, 0], [2, 2]])


@cache
def rows_and_gradients(mode):
    """A table, and for ids of every type the rows looked up and the gradient of their sum."""
    table = np.arange(6.0).reshape(3, 2)
    low = {dtype: -1 if jnp.issubdtype(dtype, jnp.signedinteger) else 3 for dtype in IDS}
    ids = [np.array([2, low[dtype], 0, 2, 100], dtype) for dtype in IDS]

    def one(table, ids):
        y, pull = jax.vjp(lambda table: fcnn.embedding(table, ids), table)
        return y, *pull(jnp.ones((5, 2)))

    with fcnn.gradients(mode):
        return table, jax.jit(lambda table, ids: [one(table, each) for each in ids])(table, ids)


def test_gradient_of_a_row_read_often_is_summed_in_float32():
    total = lambda table, ids: fcnn.embedding(table, ids).sum()
    table, ids = np.ones((2, 1), jnp.bfloat16), np.zeros(4096, int)
    assert jax.jit(jax.grad(total))(table, ids)[0, 0] == 4096


def test_ids_of_a_type_with_fewer_values_than_the_table_has_rows():
    (table,) = normals((300, 2))
    for ids in (np.array([3, 255], np.uint8), np.array([3, 127], np.int8)):
        np.testing.assert_array_equal(jax.jit(fcnn.embedding)(table, ids), table[ids.astype(int)])


def test_one_hot_known_values():
    y = jax.jit(partial(fcnn.one_hot, classes=3))(np.array([2, 0, 3, -1], np.int8))
    np.testing.assert_array_equal(y, [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert y.dtype == jnp.float64
    far = jax.jit(partial(fcnn.one_hot, classes=300))(np.array(200, np.uint8))
    assert np.asarray(far)[200] == 1


def test_positional_encoding_has_sines_at_even_and_cosines_at_odd_features():
    y = jax.jit(partial(fcnn.positional_encoding, base=100.0))(np.zeros((1, 4, 4)))
    wanted = [[math.sin(t), math.cos(t), math.sin(t / 10), math.cos(t / 10)] for t in range(4)]
    np.testing.assert_allclose(y[0], wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embedding_equals_complex_multiplication(interleaved):
    (x,) = normals((2, 5, 3, 6))
    positions = np.array([[0, 3, 1, 50, 2], [9, 8, 7, 6, 1000]])
    rotation = np.exp(1j * positions[..., None] * 10000.0 ** (-np.arange(3) / 3))[:, :, None]
    one, two = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :3], x[..., 3:])
    z = (one + 1j * two) * rotation
    wanted = np.stack([z.real, z.imag], -1).reshape(x.shape)
    wanted = wanted if interleaved else np.concatenate([z.real, z.imag], -1)
    by = partial(fcnn.rotary_embedding, interleaved=interleaved)
    run = lambda x, *positions: (by(x), *(by(x, p) for p in positions))
    default, y, counted = jax.jit(run)(x, positions, np.arange(5))
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(default, counted)


@pytest.mark.parametrize("given", ["none", "shared", "of each example"])
def test_positional_encoding_at_positions_equals_loops(given):
    x, rng = normals((2, 3, 6))[0], np.random.default_rng(1)
    shape = {"none": None, "shared": (3,), "of each example": (2, 3)}[given]
    positions = None if shape is None else rng.integers(0, 1000, shape)
    y = jax.jit(partial(fcnn.positional_encoding, base=50.0))(x, positions)
    each = np.broadcast_to(np.arange(3) if positions is None else positions, (2, 3))
    wanted = x.copy()
    for n, t, i in np.ndindex(2, 3, 3):
        angle = each[n, t] / 50 ** (2 * i / 6)
        wanted[n, t, 2 * i : 2 * i + 2] += math.sin(angle), math.cos(angle)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)


def rotated_by_loops(x, cos, sin, interleaved):
    """Each pair of each head in turn, with cos and sin (n, t, r)."""
    y, r = x.copy(), cos.shape[-1]
    for n, t, h, i in np.ndindex(*x.shape[:3], r):
        one, two = (2 * i, 2 * i + 1) if interleaved else (i, i + r)
        c, s, (a, b) = cos[n, t, i], sin[n, t, i], x[n, t, h, [one, two]]
        y[n, t, h, [one, two]] = a * c - b * s, a * s + b * c
    return y


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 2)], ids=["shared", "of each example"])
def test_rotary_embedding_with_tables_equals_loops(shape, interleaved):
    """Of 5 features, 4 are rotated. cos and sin need not belong to an angle."""
    x, cos, sin, dy = normals((2, 3, 2, 5), shape, shape, (2, 3, 2, 5))
    by = lambda *a: fcnn.rotary_embedding(a[0], None, *a[1:], interleaved=interleaved)
    y, grads = jax.jit(lambda dy, *a: (by(*a), jax.vjp(by, *a)[1](dy)))(dy, x, cos, sin)
    loops = lambda x, *tables: rotated_by_loops(
        x, *(np.broadcast_to(a, (2, 3, 2)) for a in tables), interleaved
    )
    np.testing.assert_allclose(y, loops(x, cos, sin), rtol=0, atol=1e-14)
    for at in np.ndindex(shape):  # y is linear in cos and sin
        one, turned = np.zeros(shape), x[..., :4]
        one[at] = 1
        slopes = loops(turned, one, 0 * one), loops(turned, 0 * one, one)
        for g, slope in zip(grads[1:], slopes, strict=True):
            np.testing.assert_allclose(g[at], (dy[..., :4] * slope).sum(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("interleaved", [False, True])
def test_partial_rotation_rotates_the_leading_features_alone(interleaved):
    """The frequencies are those of a head with `features` features."""
    (x,) = normals((2, 5, 3, 7))
    rotate = partial(fcnn.rotary_embedding, base=100.0, interleaved=interleaved)
    some = lambda x: (rotate(x, features=4), rotate(x[..., :4]))
    y, leading = jax.jit(some)(x)
    np.testing.assert_array_equal(y[..., :4], leading)
    np.testing.assert_array_equal(y[..., 4:], x[..., 4:])
    assert not np.allclose(y[..., :4], x[..., :4])


def test_gradient_of_shared_tables_is_summed_in_float32():
    x = np.ones((1, 1, 4096, 2), jnp.bfloat16)
    total = lambda cos, sin: fcnn.rotary_embedding(x, None, cos, sin).sum(dtype=np.float32)
    one = np.ones((1, 1), jnp.bfloat16)
    dcos, dsin = jax.jit(jax.grad(total, (0, 1)))(one, one)
    assert (dcos.item(), dsin.item()) == (8192, 0)


def test_scores_of_rotated_queries_and_keys_depend_only_on_their_distance():
    q, k = normals(*[(1, 1, 1, 8)] * 2)
    rotate = jax.jit(fcnn.rotary_embedding)
    score = lambda at: (np.asarray(rotate(q, np.array([at]))) * rotate(k, np.array([at - 3]))).sum()
    np.testing.assert_allclose(score(3), score(1003), rtol=1e-10)


def test_one_array_may_be_passed_as_every_weight():
    x, w, b, bo = (jax.ShapeDtypeStruct(s, float) for s in ((1, 2, 2), (2, 2, 2), (2, 2), (2,)))
    all_by = lambda x, w, b, bo: fcnn.multi_head_attention(x, w, w, w, w, b, b, b, bo)
    assert jax.eval_shape(all_by, x, w, b, bo).shape == (1, 2, 2)
