"""Structures of arguments, of the checked function, and of its outputs: one row for each leaf."""

import re
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcnn
from fcnn.checker import evidence
from fcnn.checker.compiled import CompiledSubject

check = partial(fcnn.check, cost=False)
A, B = np.random.default_rng(0).standard_normal((2, 3, 4))


class Pair(NamedTuple):
    a: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclass
class Record:
    a: Any
    b: Any


def times(p):
    return p.a * p.b


def rows(report):
    return {row.leaf: (row.verdict, row.mistake) for row in report.rows}


RIGHT = ("right", "")
DOUBLED = ("wrong", "constant factor")


@pytest.mark.parametrize("kind", [Pair, Record])
@pytest.mark.parametrize("form", [lambda dp: dp, lambda dp: (dp,), lambda dp: [dp]])
def test_the_gradient_of_one_pytree_may_be_returned_with_or_without_a_tuple(kind, form):
    backward = lambda p, dy: form(kind(2 * dy * p.b, dy * p.a))
    assert rows(check(times, (kind(A, B),), backward=backward)) == {"p/a": DOUBLED, "p/b": RIGHT}


def test_a_tuple_of_one_leaf_may_be_returned_as_it_is():
    f = lambda p: p[0] ** 2
    for backward in (lambda p, dy: (4 * p[0] * dy,), lambda p, dy: ((4 * p[0] * dy,),)):
        assert rows(check(f, ((A,),), backward=backward)) == {"p/0": DOUBLED}


def test_numbers_and_arrays_without_axes_are_leaves():
    f = lambda a, b, c, n: a * b * c * n
    backward = lambda a, b, c, n, dy: (b * c * n * dy, 2 * a * c * n * dy, a * b * n * dy, None)
    report = check(f, (2.5, np.float64(3.5), np.array(0.5), 3), backward=backward)
    assert rows(report) == {"a": RIGHT, "b": DOUBLED, "c": RIGHT}
    assert {row.shape for row in report.rows} == {()}


@pytest.mark.parametrize(
    ("f", "args", "backward", "leaves"),
    [
        (
            lambda a, b: a**2 * b,
            (A, A),
            lambda a, b, dy: (2 * a * b * dy, a**2 * dy),
            ("a", "b"),
        ),
        (
            lambda p: p["a"] ** 2 * p["b"],
            ({"a": A, "b": A},),
            lambda p, dy: {"a": 2 * p["a"] * p["b"] * dy, "b": p["a"] ** 2 * dy},
            ("p/a", "p/b"),
        ),
    ],
    ids=["arguments", "leaves"],
)
def test_an_array_that_occurs_twice_has_two_gradients(f, args, backward, leaves):
    """The gradient of a leaf is not that of both together, which is 3 a² dy."""
    assert rows(check(f, args, backward=backward)) == dict.fromkeys(leaves, RIGHT)

    def of_both(*args):
        parts, tree = jax.tree.flatten(backward(*args))
        return jax.tree.unflatten(tree, [sum(parts)] * 2)

    assert [row.verdict for row in check(f, args, backward=of_both).rows] == ["wrong", "wrong"]


OTHERS = {"none": None, "empty": {}, "n": 3, "on": True, "ids": np.arange(3)}


@pytest.mark.parametrize("kept", [lambda p: p, lambda p: jax.tree.map(lambda _: None, p)])
def test_leaves_without_floats_have_no_row(kept):
    p = {**OTHERS, "key": jax.random.key(0), "w": A}
    f = lambda p: p["w"] * jax.random.normal(p["key"], (3, 4)) * p["n"]
    right = lambda p, dy: dy * jax.random.normal(p["key"], (3, 4)) * p["n"]
    backward = lambda p, dy: {**kept(p), "w": 2 * right(p, dy)}
    assert rows(check(f, (p,), backward=backward)) == {"p/w": DOUBLED}
    assert rows(check(f, (p,))) == {"p/w": RIGHT}


def test_an_argument_without_leaves_needs_no_gradient():
    f = lambda options, x: x * x
    for nothing in ({}, None):
        report = check(f, ({}, A), backward=lambda options, x, dy, n=nothing: (n, 2 * x * dy))
        assert rows(report) == {"x": RIGHT}


def test_dy_has_the_structure_of_the_output_with_none_for_integers():
    f = lambda x: Pair({"y": 2 * x, "n": 3}, (x**2, None, jnp.argmax(x)))

    def backward(x, dy):
        assert dy.a["n"] is None
        assert dy.b[1:] == (None, None)
        return 2 * dy.a["y"] + 4 * x * dy.b[0]

    row = check(f, (A,), backward=lambda x, dy: backward(x, dy) - 2 * x * dy.b[0]).rows[0]
    assert row.ok
    assert not check(f, (A,), backward=backward).ok


def scaled(**options):
    """c x, whose rule returns twice the gradient; c is not differentiated."""
    f = jax.custom_vjp(lambda x, c: c * x, **options)
    f.defvjp(lambda x, c: (c * x, ()), lambda c, saved, dy: (2 * c * dy,))
    return f


class Scale:
    c = 3.0

    @partial(jax.custom_vjp, nondiff_argnums=(0,))
    def rule(self, x):
        return self.c * x

    rule.defvjp(lambda self, x: (self.c * x, ()), lambda self, saved, dy: (2 * self.c * dy,))

    def plain(self, x):
        return self.c * x

    def plain_backward(self, x, dy):
        return 2 * self.c * dy


BY_NUMBER, BY_NAME = scaled(nondiff_argnums=(1,)), scaled(nondiff_argnames=("c",))


@pytest.mark.parametrize(
    ("f", "args", "backward"),
    [
        (BY_NUMBER, (A, 3.0), None),
        (BY_NAME, (A, 3.0), None),
        (BY_NUMBER, (A, 3.0), lambda x, c, dy: (2 * c * dy, None)),
        (jax.jit(BY_NUMBER, static_argnums=1), (A, 3.0), None),
        (partial(BY_NAME, c=3.0), (A,), None),
        (jax.vmap(lambda x: BY_NUMBER(x, 3.0)), (A,), None),
        (jax.jit(lambda x: BY_NAME(x, 3.0)), (A,), None),
        (Scale.rule, (Scale(), A), None),
        (Scale().plain, (A,), Scale().plain_backward),
        (jax.jit(Scale().plain), (A,), Scale().plain_backward),
    ],
    ids=(
        "nondiff_argnums,nondiff_argnames,other backward,jit static,partial,vmap,jit,"
        "rule of a class,method,jitted method"
    ).split(","),
)
def test_arguments_that_are_not_differentiated_have_no_row(f, args, backward):
    assert rows(check(f, args, backward=backward)) == {"x": DOUBLED}


def test_a_static_argument_of_custom_jvp_has_no_row():
    f = partial(jax.custom_jvp, nondiff_argnums=(1,))(lambda x, c: jnp.sin(c * x))
    f.defjvp(lambda c, x, v: (jnp.sin(c * x[0]), 2 * c * jnp.cos(c * x[0]) * v[0]))
    assert rows(check(f, (A, 3.0))) == {"x": DOUBLED}


def test_keyword_options_are_bound_by_partial():
    def f(x, *, scale=1.0, power=2):
        return scale * x**power

    backward = lambda x, dy: 12 * x**2 * dy
    assert rows(check(partial(f, scale=2.0, power=3), (A,), backward=backward)) == {"x": DOUBLED}


def loss_of(n):
    """A loss of n leaves, its arguments and its backward pass."""
    p = {f"w{i}": w for i, w in enumerate(np.random.default_rng(1).standard_normal((n, 2, 2)))}
    f = lambda p: sum((i + 1) * np.sin(w).sum() for i, w in enumerate(p.values()))
    backward = lambda p, dy: {k: (i + 1) * np.cos(w) * dy for i, (k, w) in enumerate(p.items())}
    return f, p, backward


def test_many_leaves_share_evaluations(monkeypatch):
    """A slope that autodiff does not see is still found among them."""
    _, p, _ = loss_of(12)
    weights = np.arange(1.0, 13)
    f = lambda p: weights @ jnp.sin(jnp.stack([*p.values()])).sum((1, 2))
    calls, step = [], CompiledSubject.step
    counted = lambda self, v, h: calls.append(h) or step(self, v, h)
    monkeypatch.setattr(CompiledSubject, "step", counted)
    report = check(f, (p,), backward=lambda p, dy: jax.tree.map(lambda g: dy * g, jax.grad(f)(p)))
    assert report.ok
    assert len(report.rows) == 12
    assert len(calls) < 5 * 12 / 3
    stopped = lambda p: f({**p, "w9": jax.lax.stop_gradient(p["w9"])})
    assert [row.leaf for row in check(stopped, (p,)).rows if not row.ok] == ["p/w9"]


def test_a_slow_function_is_evaluated_a_limited_number_of_times(monkeypatch):
    monkeypatch.setattr(evidence, "SECONDS", 0.04)
    f, p, right = loss_of(20)
    calls = []

    def slow(p):
        calls.append(time.sleep(0.002))
        return f(p)

    report = check(slow, (p,), backward=right)
    assert report.ok
    assert len(calls) < 60
    assert "finite differences test only groups of gradients" in report.notes["slow"]
    wrong = lambda p, dy: {**right(p, dy), "w7": 2 * right(p, dy)["w7"]}
    (row,) = (row for row in check(slow, (p,), backward=wrong).rows if not row.ok)
    assert row.leaf == "p/w7"
    assert "so no entry was searched" in row.says
    report = check(slow, ({"w": A},), backward=right)
    assert report.ok
    assert re.search(r"s, so finite differences test only \d directions? ", report.notes["slow"])


def test_integers_that_the_function_reads_with_numpy():
    """Labels in a Python loop, as in CTC, and an index that JAX cannot trace."""

    def picked(x, labels):
        return sum(x[t, label] for t, label in enumerate(np.asarray(labels)))

    def backward(x, labels, dy):
        return jnp.zeros_like(x).at[np.arange(3), labels].add(dy), None

    x = np.random.default_rng(0).standard_normal((3, 4))
    for labels in (np.array([1, 3, 1]), jnp.array([1, 3, 1])):
        report = fcnn.check(picked, (x, labels), backward=backward, cost=False)
        assert [row.verdict for row in report.rows] == ["right"]
