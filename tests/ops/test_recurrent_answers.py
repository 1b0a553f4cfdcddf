"""Recurrent networks: known values, plain loops, and the products of the backward pass."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn

sigmoid = lambda a: 1 / (1 + np.exp(-a))


def run(f, *args):
    """f(*args), compiled as one program."""
    return jax.tree.map(np.asarray, jax.jit(f)(*args))


def rnn_step(x, h, w, u, b, f=np.tanh):
    return (f(x @ w + h @ u + b),)


def lstm_step(x, h, c, w, u, b):
    i, f, g, o = np.split(x @ w + h @ u + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, h, w, u, b, bu, reset):
    (w_r, w_z, w_n), (u_r, u_z, u_n) = np.split(w, 3, 1), np.split(u, 3, 1)
    b_r, b_z, b_n = np.split(b, 3)
    r, z = sigmoid(x @ w_r + h @ u_r + b_r), sigmoid(x @ w_z + h @ u_z + b_z)
    inner = r * (h @ u_n + bu) if reset == "after" else (r * h) @ u_n
    return ((1 - z) * np.tanh(x @ w_n + inner + b_n) + z * h,)


def loop(cell, x, states, lengths, reverse):
    """Run `cell` in loops over the examples, and over the steps of an example up to its length."""
    n, t, _ = x.shape
    y = np.zeros((n, t, states[0].shape[1]))
    ends = [s.copy() for s in states]
    for i in range(n):
        steps = range(min(max(lengths[i], 0), t))
        state = [s[i] for s in states]
        for j in reversed(steps) if reverse else steps:
            state = cell(x[i, j], *state)
            y[i, j] = state[0]
        for end, s in zip(ends, state, strict=True):
            end[i] = s
    return y, *ends


CELLS = {
    "rnn": (fcnn.rnn, rnn_step, 1, {}),
    "relu": (
        partial(fcnn.rnn, activation="relu"),
        partial(rnn_step, f=lambda a: np.maximum(a, 0)),
        1,
        {},
    ),
    "lstm": (fcnn.lstm, lstm_step, 4, {}),
    "gru after": (fcnn.gru, partial(gru_step, reset="after"), 3, {"bu": (3,)}),
    "gru before": (
        partial(fcnn.gru, reset="before"),
        partial(gru_step, bu=None, reset="before"),
        3,
        {},
    ),
}
every_cell = pytest.mark.parametrize(("op", "cell", "gates", "more"), CELLS.values(), ids=CELLS)


def problem(gates, more, states, seed=0):
    """x (6, 5, 2), the weights, and the initial states (6, 3)."""
    draw = np.random.default_rng(seed).standard_normal
    shapes = {"w": (2, 3 * gates), "u": (3, 3 * gates), "b": (3 * gates,)} | more
    weights = {name: draw(shape) for name, shape in shapes.items()}
    return draw((6, 5, 2)), weights, {s: draw((6, 3)) for s in states}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_cells_equal_loops(name, reverse):
    problem, lengths, found = both_ways(name)
    (x, weights, states), (_, cell, *_) = problem, CELLS[name]
    wanted = loop(partial(cell, **weights), x, tuple(states.values()), lengths, reverse)
    for a, b in zip(found[reverse], wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@cache
def both_ways(name):
    """A problem, lengths, and the outputs of the operator, forward and in reverse."""
    op, _, gates, more = CELLS[name]
    x, weights, states = problem(gates, more, "hc" if gates == 4 else "h")
    lengths = np.array([5, 3, 0, 1, 99, -2])
    by = lambda reverse, x, lengths, given: op(x, **given, lengths=lengths, reverse=reverse)
    found = run(
        lambda *a: [by(reverse, *a) for reverse in (False, True)], x, lengths, weights | states
    )
    return (x, weights, states), lengths, found


@every_cell
def test_padding_has_no_effect(op, cell, gates, more):
    """NaN in the padding changes no value and no gradient, and the gradient of the padding is 0."""
    x, weights, _ = problem(gates, more, "")
    lengths = np.array([5, 3, 0, 1, 2, 4], np.int8)
    padding = np.arange(5)[None, :, None] >= lengths[:, None, None]
    loss = lambda x, weights, lengths: jnp.square(op(x, **weights, lengths=lengths)[0]).sum()
    answers = jax.jit(jax.value_and_grad(loss, (0, 1)))
    clean, dirty = (answers(a, weights, lengths) for a in (x, np.where(padding, np.nan, x)))
    for a, b in zip(*map(jax.tree.leaves, (clean, dirty)), strict=True):
        np.testing.assert_array_equal(a, b)
    dx = dirty[1][0]
    assert (np.where(padding, dx, 0) == 0).all()
    assert (dx != 0).any()


def test_a_relu_network_that_counts():
    """For each 1 in x, h rises by 1/2. For each 0 in x, h falls by 1/2, but not below 0."""
    x = np.array([1.0, 1, 1, 0, 0, 0, 0, 1]).reshape(1, 8, 1)
    one = np.ones((1, 1))
    y, end = run(partial(fcnn.rnn, activation="relu"), x, one, one, np.array([-0.5]))
    np.testing.assert_array_equal(y.ravel(), [0.5, 1, 1.5, 1, 0.5, 0, 0, 0.5])
    np.testing.assert_array_equal(end, [[0.5]])


def test_one_lstm_step_known_values():
    """i = f = 1/2, g = tanh(log 2) = 3/5, o = 3/4; c = 1/2 (4/5) + 1/2 (3/5) = 7/10."""
    b = np.array([0, 0, np.log(2), np.log(3)])
    none = np.zeros((1, 4))
    y, h, c = run(fcnn.lstm, np.zeros((1, 1, 1)), none, none, b, None, np.array([[0.8]]))
    np.testing.assert_allclose(c, [[0.7]])
    np.testing.assert_allclose(h, [[0.75 * np.tanh(0.7)]])
    np.testing.assert_array_equal(y[:, 0], h)


def test_reset_after_and_before_known_values():
    """reset="after" computes r (h u_n), and reset="before" computes (r h) u_n.

    Here h = (1, 2), u_n swaps the two entries of h, r = (1, 0) and z = 0.
    """
    large = 1e3  # sigmoid(±large) is 1 or 0
    u = np.zeros((2, 6))
    u[:, 4:] = [[0, 1], [1, 0]]
    b = np.array([large, -large, -large, -large, 0, 0])
    x, w, h = np.zeros((1, 1, 1)), np.zeros((1, 6)), np.array([[1.0, 2]])
    ends = lambda bu, *weights, h, **options: fcnn.gru(x, *weights, bu, h, **options)[1]

    def three(bu, *weights, h):
        yield ends(None, *weights, h=h)
        yield ends(None, *weights, h=h, reset="before")
        yield ends(bu, *weights, h=h)

    found = run(lambda h, *a: list(three(*a, h=h)), h, np.array([1.0, 1]), w, u, b)
    for end, wanted in zip(found, ([np.tanh(2), 0], [0, np.tanh(1)], [np.tanh(3), 0]), strict=True):
        np.testing.assert_allclose(end, [wanted])


def test_an_open_forget_gate_keeps_the_cell():
    """With f = 1 and i = 0, c is unchanged after 500 steps. The initial c has gradient 1."""
    b = np.array([-1e3, 1e3, 0.0, 0.0])
    x, none = np.ones((1, 500, 1)), np.ones((1, 4))
    end = lambda c, x, none, b: fcnn.lstm(x, none, none, b, None, c)[2].sum()
    value, slope = run(jax.value_and_grad(end), np.array([[0.3]]), x, none, b)
    assert value == 0.3
    assert slope == 1


def test_small_increments_accumulate_in_half_precision():
    """i = f = o = 1, so c = 0.5 + 256 (2^-10). Each increment is below the spacing 2^-8 at 0.5."""
    dtype = jnp.bfloat16
    x, start = np.full((1, 256, 1), 2.0**-10, dtype), np.full((1, 1), 0.5, dtype)
    w, u, b = (np.array(a, dtype) for a in ([[0, 0, 1, 0]], [[0, 0, 0, 0]], [20, 20, 0, 20]))
    _, _, c = run(fcnn.lstm, x, w, u, b, None, start)
    assert abs(c.item() - 0.75) <= 2.0**-9


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_weight_gradients_are_one_product_over_all_steps(op, cell, gates, more, reverse):
    """In the loop of the backward pass, every product is with u, and its result has n rows."""
    x, weights, _ = problem(gates, more, "")
    x = np.tile(x, (2, 1, 1))  # n = 12, so that no product with u has the shape of du
    found = []

    def collect(x, weights):
        y, pull = jax.vjp(lambda x, weights: op(x, **weights, reverse=reverse)[0], x, weights)
        found.extend(_products(jax.make_jaxpr(pull)(y).jaxpr, inside=False))

    jax.eval_shape(collect, x, weights)
    # With reset="before", u is split: u_n multiplies r h, and the rest of u multiplies h.
    split = 2 if gates == 3 and not more else 1
    inside = [shape for shape, in_loop in found if in_loop]
    assert len(inside) == split
    assert all(shape[0] == 12 for shape in inside)
    outside = sorted(shape for shape, in_loop in found if not in_loop)
    du = [(3, 3 * gates)] if split == 1 else [(3, 3), (3, 6)]
    assert outside == sorted([(5, 12, 2), (2, 3 * gates), *du])


def _products(jaxpr, inside):
    """Yield the shape of every matrix product, and whether the product is in a loop."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            yield eqn.outvars[0].aval.shape, inside
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(inner, "jaxpr", inner)
            if hasattr(inner, "eqns"):
                yield from _products(inner, inside or eqn.primitive.name in ("scan", "while"))
