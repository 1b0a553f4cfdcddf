"""The equation of a backward pass: it is evaluated exactly, and one changed step is found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.checker.compiled import exactly
from fcnn.checker.equation.evaluate import BY_JAX, evaluated, outputs
from fcnn.checker.equation.mutation import Run
from fcnn.checker.equation.program import traced, used
from fcnn.checker.equation.search import backward_program, mutations, names_of

pytestmark = pytest.mark.usefixtures("jax_default_promotion")


def normalized(x, g):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(v + 1e-5) * g


def attention(q, k, v):
    a = jax.nn.softmax(jnp.where(jnp.tri(4, 5, dtype=bool), q @ k.T, -jnp.inf))
    return a @ v


def recurrent(x, w, u):
    def step(h, x):
        h = jnp.tanh(x @ w + h @ u)
        return h, h

    return jax.lax.scan(step, jnp.zeros((3, 4)), x)[1]


def unrolled(x, u):
    h, rows = jnp.zeros(4), []
    for t in range(len(x)):
        h = jnp.tanh(x[t] + u @ h)
        rows.append(h)
    return jnp.stack(rows)


def various(x, ids):
    """Sums by index, windows, sorting, cumulative sums and a loop with a condition."""
    y = jnp.zeros(4).at[ids].add(x) + jnp.cumsum(x)[:4] + jnp.sort(x)[::2][:4]
    y = jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, y) * jnp.linalg.norm(x[1:5])
    return jnp.clip(y, -0.5, 0.5) + jax.lax.rem(y, 2.0) + jnp.fft.rfft(x).real[:4]


SHAPES = {
    normalized: ((4, 6), (6,)),
    attention: ((4, 3), (5, 3), (5, 6)),
    recurrent: ((5, 3, 2), (2, 4), (4, 4)),
    unrolled: ((5, 4), (4, 4)),
}
IDS = np.array([0, 3, 3, 1, 0, 2, 3, 1])


def drawn(f):
    rng = np.random.default_rng(0)
    if f is various:
        return [rng.standard_normal(8)], lambda x: [various(x[0], IDS)]
    return [rng.standard_normal(s) for s in SHAPES[f]], lambda x: [f(*x)]


@pytest.mark.parametrize("f", [*SHAPES, various], ids=lambda f: f.__name__)
def test_a_program_gives_the_gradient_in_numpy_and_in_jax(f):
    x, plain = drawn(f)
    with exactly():
        dy = [np.random.default_rng(1).standard_normal(plain(x)[0].shape)]
        program = backward_program(plain, x, dy)
        right = jax.vjp(plain, [jnp.asarray(a) for a in x])[1](dy)[0]
        by_numpy = [Run(program, [*x, *dy]).values[slot] for slot in program.outputs]
        run = lambda x, dy: outputs(program, evaluated(BY_JAX, program, [*x, *dy]))
        by_jax = jax.jit(run)(x, dy)
    for r, a, b in zip(right, by_numpy, by_jax, strict=False):
        np.testing.assert_allclose(a, r, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(b, r, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("f", [*SHAPES, various], ids=lambda f: f.__name__)
def test_every_mutation_runs_and_most_change_a_gradient(f):
    """NumPy and JAX agree on a sample of mutations, so the engine and the search do too."""
    x, plain = drawn(f)
    with exactly():
        dy = [np.random.default_rng(1).standard_normal(plain(x)[0].shape)]
        program = backward_program(plain, x, dy)
        run, names = Run(program, [*x, *dy]), names_of(program, [f"x{k}" for k in range(len(x))], 1)
        right = [run.values[slot] for slot in program.outputs[: len(x)]]
        made = list(mutations(program, names))
        assert len({m.kind for m in made}) >= 4
        found = [run.mutated(m) for m in made]
        changes = [any((a != b).any() for a, b in zip(right, g, strict=False)) for g in found]
        assert np.mean(changes) > 0.6
        for k in np.random.default_rng(2).permutation(len(made))[:12]:
            values = evaluated(BY_JAX, program, [*x, *dy], made[k].changes)
            for a, b in zip(outputs(program, values), found[k], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_no_mistake_is_made_in_an_equation_without_use():
    def backward(x, dy):
        return (jnp.cos(x) * dy, jnp.tanh(x) * 2)[0]

    with exactly():
        program = traced(backward, np.ones(3), np.ones(3))
        made = list(mutations(program, {}))
    names = [e.name for e in program.equations]
    assert names == ["cos", "mul", "tanh", "mul"]
    assert used(program) == [True, True, False, False]
    assert {site[0] for m in made for site in m.changes} == {0, 1}


def test_a_while_loop_that_may_not_end_is_not_changed():
    """Without the absolute value, c would be negative, and the loop would run forever."""

    def f(x):
        start = jax.lax.stop_gradient(jnp.abs(x).sum())
        return x * jax.lax.while_loop(lambda c: c < 9, lambda c: c * 2, start)

    x = np.array([-1.0, -0.3, -2.0])
    report = fcnn.check(f, (x,), backward=lambda x, dy: (dy * x.prod() + x,), cost=False)
    assert report.rows[0].verdict == "wrong"


def test_x_for_its_normalized_value():
    def backward(x, g, dy):
        m, s = x.mean(-1, keepdims=True), jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
        z, t = (x - m) / s, g * dy
        dx = (t - t.mean(-1, keepdims=True) - z * (t * z).mean(-1, keepdims=True)) / s
        return dx, (dy * x).sum(0)

    report = checked(normalized, backward)
    assert [row.verdict for row in report.rows] == ["right", "wrong"]
    assert report.rows[1].mistake == "wrong value"
    assert report.rows[1].says.startswith("equals the right gradient with x in place of the quot")


def test_the_sum_of_a_softmax_and_a_mask_after_it():
    tri = np.tri(4, 5, dtype=bool)

    def without_sum(q, k, v, dy):
        p = jax.nn.softmax(jnp.where(tri, q @ k.T, -jnp.inf))
        ds = p * (dy @ v.T)
        return ds @ k, ds.T @ q, p.T @ dy

    def late_mask(q, k, v, dy):
        p = jax.nn.softmax(q @ k.T) * tri
        dp = dy @ v.T
        ds = p * (dp - (p * dp).sum(-1, keepdims=True))
        return ds @ k, ds.T @ q, p.T @ dy

    first, second = checked(attention, without_sum), checked(attention, late_mask)
    assert [row.mistake for row in first.rows] == ["missing term", "missing term", ""]
    assert (
        "without the part that flows through the sum in `a = jax.nn.softmax" in first.rows[0].says
    )
    assert [row.mistake for row in second.rows] == ["mask"] * 3


def test_the_present_state_in_a_loop():
    def backward(x, u, dy):
        h, d, dx, du = unrolled(x, u), jnp.zeros(4), [], 0
        for t in reversed(range(len(x))):
            da = (dy[t] + d) * (1 - h[t] ** 2)
            dx.append(da)
            du = du + jnp.outer(da, h[t])  # h[t - 1] is right
            d = u.T @ da
        return jnp.stack(dx[::-1]), du

    report = checked(unrolled, backward)
    assert [row.mistake for row in report.rows] == ["", "wrong value"]
    says = "equals the right gradient with the value of another repetition in place of tanh in `h ="
    assert report.rows[1].says.startswith(says)
    assert report.rows[1].says.endswith("in every repetition (every entry)")


def test_the_line_of_the_backward_pass_that_makes_it_right():
    def plain(q, k, v):
        return jax.nn.softmax(q @ k.T) @ v

    def backward(q, k, v, do):
        p = jax.nn.softmax(q @ k.T)
        delta = jnp.sum(do * (p @ v), axis=-2)  # over axis -1 is right
        ds = p * (do @ v.T - delta[:, None])
        return ds @ k, ds.T @ q, p.T @ do

    args = tuple(np.random.default_rng(k).standard_normal((4, 4)) for k in range(3))
    report = fcnn.check(plain, args, backward=backward, cost=False)
    assert [row.mistake for row in report.rows] == ["wrong axis", "wrong axis", ""]
    says = "becomes right with the sum in `delta = jnp.sum(do * (p @ v), axis=-2)"
    assert report.rows[0].says.startswith(says)
    assert report.rows[0].says.endswith("over axis 1, not axis 0 (every entry)")
    assert "<code>delta = jnp.sum(do * (p @ v), axis=-2)" in report.to_html()


def rotated(x, w):
    a, b, c = jnp.split(x @ w, 3, axis=1)
    return jnp.concatenate([b, -a, c * c], axis=1)


def scores(x, src, dst):
    """Softmax over the edges (src, dst) of each node dst, and its weighted sum."""
    e = jnp.exp(x[src] * x[dst])
    return jax.ops.segment_sum(e * x[src], dst, 4) / jax.ops.segment_sum(e, dst, 4)


SRC, DST = np.array([0, 1, 2, 3, 0, 2, 1]), np.array([1, 0, 3, 2, 2, 1, 3])


def of_edges(wrong):
    """The gradient of `scores`; if `wrong`, it reads a value of each edge at src, not at dst."""

    def backward(x, src, dst, dy):
        e = jnp.exp(x[src] * x[dst])
        total = jax.ops.segment_sum(e, dst, 4)
        y = jax.ops.segment_sum(e * x[src], dst, 4) / total
        share = (dy / total)[src if wrong else dst]
        of_edge = e * (x[src] - y[dst]) * share
        of_src = of_edge * x[dst] + e * (dy / total)[dst]
        dx = jax.ops.segment_sum(of_src, src, 4)
        return dx + jax.ops.segment_sum(of_edge * x[src], dst, 4), None, None

    return backward


def without_mean_square(x, w):
    z = x * w
    return z - z * (z * z).mean(1, keepdims=True)


def mean_over_rows(x, w, dy):
    z = x * w
    m = (z * z).mean(1, keepdims=True)
    inner = (dy * z).mean(0, keepdims=True)  # over axis 1 is right
    dz = dy * (1 - m) - 2 * z * inner
    return dz * w, (dz * x).sum(0)


def parts_exchanged(x, w, dy):
    dc = 2 * dy[:, 4:] * (x @ w)[:, 4:]
    dz = jnp.concatenate([dy[:, :2], -dy[:, 2:4], dc], 1)  # the first two parts are exchanged
    return dz @ w.T, x.T @ jnp.concatenate([-dy[:, 2:4], dy[:, :2], dc], 1)


def without_softmax(x, dy):
    lse = jax.nn.logsumexp(x, 1, keepdims=True)
    return (dy[:, None] * (jax.nn.softmax(x) + 0.4 * lse),)


def not_turned_back(x, w, dy):
    return jnp.cumsum(dy * w), dy * jnp.cumsum(x[::-1])


LINES = {
    "channels exchanged": (rotated, ((3, 4), (4, 6)), parts_exchanged),
    "wrong axis": (without_mean_square, ((5, 5), (5,)), mean_over_rows),
    "missing factor": (
        lambda x: jax.nn.logsumexp(x, 1) + 0.2 * jax.nn.logsumexp(x, 1) ** 2,
        ((3, 4),),
        without_softmax,
    ),
    "flipped": (lambda x, w: jnp.cumsum(x[::-1]) * w, ((5,), (5,)), not_turned_back),
}


@pytest.mark.parametrize("mistake", LINES)
def test_one_step_explains_a_mistake_or_makes_it_right(mistake):
    f, shapes, backward = LINES[mistake]
    args = tuple(map(np.random.default_rng(4).standard_normal, shapes))
    report = fcnn.check(f, args, backward=backward, cost=False)
    wrong = next(row for row in report.rows if row.verdict == "wrong")
    assert (wrong.mistake, wrong.exact) == (mistake, True), wrong.says


def test_the_indices_of_another_line():
    args = np.random.default_rng(4).standard_normal(4), SRC, DST
    assert fcnn.check(scores, args, backward=of_edges(wrong=False), cost=False).ok
    (row,) = fcnn.check(scores, args, backward=of_edges(wrong=True), cost=False).rows
    assert "with the indices of `" in row.says, row.says


def test_a_mistake_that_no_sentence_explains_is_located():
    report = checked(normalized, located)
    assert (report.rows[0].mistake, report.rows[0].exact) == ("", False)
    assert report.rows[0].says == "is wrong in 4 of 24 entries, at indices 1 to 2 along axis 0 " + (
        "and 2 to 3 along axis 1"
    )


def located(x, g, dy):
    """A backward pass in NumPy, which is not searched itself."""
    dx, dg = map(np.array, jax.vjp(normalized, x, g)[1](np.asarray(dy)))
    dx[1:3, 2:4] *= np.cos(3 * np.asarray(x)[1:3, 2:4])
    return dx, dg


def checked(f, backward):
    args = tuple(drawn(f)[0])
    return fcnn.check(f, args, backward=backward, cost=False)
