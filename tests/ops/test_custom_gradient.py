"""Functions that `custom_gradient` makes: every transformation, `check`, and errors."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_transformations as suite
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, Key

import fcnn
from fcnn.ops import Case, custom_gradient, operator
from fcnn.ops.case import ints
from fcnn.ops.registration import RULE

DRAW = np.random.default_rng(0).standard_normal


def lookup(params, ids, key, *, scale=1.0):
    """Noisy linear map of some rows. The output has integers, and an empty part."""
    noise = jax.random.normal(key, params["b"].shape, params["b"].dtype)
    y = jnp.tanh(scale * params["x"][ids] @ params["w"] + (params["b"] * noise)[None])
    return {"y": y, "next": ids + 1, "none": None}


def lookup_fwd(params, ids, key, *, scale=1.0):
    y = lookup(params, ids, key, scale=scale)
    noise = jax.random.normal(key, params["b"].shape, params["b"].dtype)
    return y, (params["x"], params["w"], ids, noise, y["y"], params["x"].shape, "tanh", None)


def lookup_bwd(saved, dy, *, scale=1.0):
    """The last residuals are static: a shape and a name. ids and key have no cotangent."""
    x, w, ids, noise, y, shape, name, nothing = saved
    assert dy["next"] is None
    assert (nothing, name, type(shape[1])) == (None, "tanh", int)
    dz = dy["y"] * (1 - y**2)
    dx = jnp.zeros(shape, x.dtype).at[ids].add(scale * dz @ w.T)
    return {"x": dx, "w": scale * x[ids].T @ dz, "b": noise * dz.sum(0)}, None, None


def swish(x):
    return x / (1 + jnp.exp(-x))


def swish_backward(x, dy):
    s = 1 / (1 + jnp.exp(-x))
    return dy * s * (1 + x * (1 - s))


def problems(lookup_bwd=lookup_bwd, swish_backward=swish_backward):
    """The functions as operators without rules of their own, for the suite of all operators."""
    looked_up = custom_gradient(lookup, (lookup_fwd, lookup_bwd))
    swished = custom_gradient(swish, swish_backward)

    @operator()
    def by_pair(
        x: Float[Array, "n c"],
        w: Float[Array, "c o"],
        b: Float[Array, " o"],
        ids: Int[Array, " m"],
        key: Key[Array, ""],
    ):
        return looked_up({"x": x, "w": w, "b": b}, ids, key, scale=0.5)

    @operator()
    def by_function(x: Float[Array, "n c"]):
        return swished(x)

    by_pair.cases = (
        Case("pair", ((4, 3), (3, 2), (2,), ints((5,), 4), lambda _: jax.random.key(0))),
    )
    by_function.cases = (Case("function", ((4, 3),)),)
    return by_pair, by_function


FUNCTIONS = problems()
every_function = pytest.mark.parametrize("op", FUNCTIONS, ids=lambda op: op.name)


@pytest.mark.parametrize("name", suite.TRANSFORMATIONS)
@every_function
def test_transformation(op, name):
    suite.test_transformation_of_the_hand_rule(op, op.cases[0], {}, name)


@every_function
def test_autodiff_of_the_forward_function_can_be_traced(op):
    suite.test_transformations_of_the_plain_forward_can_be_traced(op, op.cases[0], {})


@every_function
def test_reverse_mode_uses_the_given_rule_and_no_other_mode_does(op):
    """Under custom_vjp, checkpoint uses the given rule too."""
    called = []
    note = lambda f, name: lambda *a, **k: called.append(name) or f(*a, **k)
    spied = problems(note(lookup_bwd, "pair"), note(swish_backward, "function"))
    (case,) = op.cases
    p = suite.Problem(spied[FUNCTIONS.index(op)], case, {})
    plain = {"vmap", "vmap of constants", *suite.FORWARD_MODE}
    plain |= {"checkpoint"} if RULE == "hijax" else set()
    for name in suite.supported():
        called.clear()
        jax.eval_shape(partial(suite.TRANSFORMATIONS[name], p), p.two)
        assert set(called) == (set() if name in plain else {case.name}), name
    called.clear()
    with fcnn.gradients("autodiff"):
        jax.eval_shape(p.grad, *p.x)
    assert not called


def root_forward(a):
    """The root of y^2 = a by Newton's method, in a loop that has no reverse mode."""
    step = lambda y: (y + a / y) / 2
    return lax.while_loop(lambda y: jnp.abs(y * y - a).max() > 1e-12, step, jnp.maximum(a, 1.0))


root = custom_gradient(
    root_forward, (lambda a: (root_forward(a), root_forward(a)), lambda y, dy: dy / (2 * y))
)


def test_a_forward_function_without_reverse_mode():
    """All transformations but forward mode, also checkpoint, use the given rule."""
    a = jnp.asarray(1 + DRAW((2, 3)) ** 2)
    value = lambda a: root(a).sum()
    again = lambda a: lax.scan(lambda total, one: (total + value(one), None), 0.0, a)[0]
    split = jax.shard_map(
        jax.grad(value), mesh=suite.TWO, in_specs=suite.SPLIT, out_specs=suite.SPLIT
    )
    found = jax.jit(
        lambda a: {
            "grad": jax.grad(value)(a),
            "vmap of grad": jax.vmap(jax.grad(value))(a),
            "grad of vmap": jax.grad(lambda a: jax.vmap(root)(a).sum())(a),
            "checkpoint": jax.grad(jax.checkpoint(value))(a),
            "vmap of checkpoint": jax.vmap(jax.grad(jax.checkpoint(value)))(a),
            "scan": jax.grad(again)(a),
            "shard_map": split(a),
            "export": suite.exported(jax.grad(value), jax.ShapeDtypeStruct((2, suite.N), a.dtype))(
                a
            ),
        }
    )(a)
    for name, g in found.items():
        np.testing.assert_allclose(g, 0.5 / np.sqrt(a), rtol=1e-9, err_msg=name)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jit(lambda a: jax.jvp(value, (a,), (a,))).lower(a)
    assert fcnn.check(root, (a,), cost=False).ok


def affine(x, w, *, scale=1):
    return scale * x @ w


def affine_backward(x, w, dy, *, scale=1):
    return scale * dy @ w.T, scale * x.T @ dy


X, W = DRAW((4, 3)), DRAW((3, 2))


def test_check_judges_the_rule():
    check = partial(fcnn.check, args=(X, W), cost=False)
    f = custom_gradient(affine, affine_backward)
    assert check(f).ok
    assert check(f, order=2).ok
    assert check(partial(f, scale=2)).ok
    forgets_scale = custom_gradient(affine, lambda x, w, dy, *, scale=1: (dy @ w.T, x.T @ dy))
    dx, dw = check(partial(forgets_scale, scale=2)).rows
    assert (dx.verdict, dx.leaf, dx.mistake) == ("wrong", "x", "constant factor")
    assert dw.verdict == "wrong"
    other_y = custom_gradient(
        affine, (lambda x, w: (2 * x @ w, (x, w)), lambda s, dy: (None, None))
    )
    assert not check(other_y).ok
    without_y = custom_gradient(affine, (affine, affine_backward))
    with pytest.raises(ValueError, match="check: fwd of affine returns"):
        check(without_y)


def test_arguments_by_name_and_options_are_passed_to_both_passes():
    f = custom_gradient(affine, affine_backward)
    dw = jax.grad(lambda w: f(w=w, x=X, scale=2).sum())(W)
    np.testing.assert_allclose(dw, np.broadcast_to(2 * X.sum(0)[:, None], W.shape))


def test_the_function_has_the_name_and_the_signature_of_the_forward_function():
    f = custom_gradient(lookup, (lookup_fwd, lookup_bwd))
    assert (f.__name__, f.__doc__) == ("lookup", lookup.__doc__)
    assert inspect.signature(f) == inspect.signature(lookup)
    assert repr(f) == "<lookup with a custom gradient>"


def test_a_cotangent_may_be_a_python_number():
    double = custom_gradient(lambda x: 2 * x, lambda x, dy: 2)
    assert jax.grad(double)(jnp.float32(3)) == 2
    assert jax.grad(double)(jnp.float32(3)).dtype == jnp.float32


def test_cotangents_on_an_explicit_mesh_are_sharded_like_the_arguments():
    """dw sums over the sharded axis, which JAX rejects without a sharding of the result."""
    f = custom_gradient(affine, affine_backward)
    mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, NamedSharding(mesh, PartitionSpec("d")))
        w = jnp.asarray(W)
        dx, dw = jax.jit(jax.grad(lambda x, w: f(x, w).sum(), (0, 1)))(x, w)
        assert (dx.sharding.spec[0], dw.sharding.spec[0]) == ("d", None)
    np.testing.assert_allclose(dw, np.broadcast_to(X.sum(0)[:, None], W.shape))


def test_a_traced_array_that_is_not_an_argument_is_an_error():
    """JAX would return gradient 0 for it."""

    def loss(w):
        return custom_gradient(lambda x: x * w, lambda x, dy: dy * w)(2.0)

    message = "uses a traced array that is not an argument; pass it as an argument"
    kind = TypeError if RULE == "hijax" else jax.errors.UnexpectedTracerError
    with pytest.raises(kind, match=message if RULE == "hijax" else None):
        jax.jit(jax.grad(loss))(3.0)


def gradient(backward, forward=affine):
    return lambda: jax.eval_shape(
        jax.grad(lambda *a: custom_gradient(forward, backward)(*a).sum()), X, W
    )


def of_tree(p, w):
    return p["x"] @ w


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "custom_gradient: backward must be a function or a pair (fwd, bwd), not 3",
            lambda: custom_gradient(affine, 3),
        ),
        (
            "affine: fwd returns float64[4,2], not the pair of y and the residuals; "
            "write return y, saved",
            gradient((affine, affine_backward)),
        ),
        (
            "affine: fwd returns y = float64[1,4,2], but affine returns float64[4,2]; "
            "return the same y in both",
            gradient((lambda x, w: ((x @ w)[None], ()), lambda saved, dy: (None, None))),
        ),
        (
            "affine: backward returns None, not a tuple of one cotangent for each of x, w; "
            "write return dx, dw, with None for an array without a gradient",
            gradient(lambda x, w, dy: None),
        ),
        (
            "affine: bwd returns (float64[4,3],), not a tuple",
            gradient((lambda x, w: (x @ w, w), lambda w, dy: (dy @ w.T,))),
        ),
        (
            "affine: backward returns dw (2,) for w (3, 2); return one entry for each entry of w",
            gradient(lambda x, w, dy: (None, dy.sum(0))),
        ),
        (
            "affine: backward returns dx in float32 for x in float64; write dx.astype(x.dtype)",
            gradient(lambda x, w, dy: ((dy @ w.T).astype("float32"), None)),
        ),
        (
            "affine: backward returns {a: float64[4,2]} for x; return the structure of x, "
            "float64[4,3], with None for a leaf without a gradient",
            gradient(lambda x, w, dy: ({"a": dy}, None)),
        ),
        (
            "of_tree: backward returns float64[4,3] for p; return the structure of p, "
            "{x: float64[4,3]}, with None for a leaf without a gradient",
            lambda: jax.eval_shape(
                jax.grad(
                    lambda p: custom_gradient(of_tree, lambda p, w, dy: (dy @ w.T, None))(
                        p, W
                    ).sum()
                ),
                {"x": X},
            ),
        ),
        (
            "<lambda>: computes in NumPy, which JAX cannot trace; call NumPy by jax.pure_callback",
            gradient(lambda x, w, dy: (dy, None), forward=lambda x, w: np.asarray(x)),
        ),
        (
            "of_tree: p/x 'rows' is not an array of numbers",
            lambda: custom_gradient(of_tree, abs)({"x": "rows"}, W),
        ),
        (
            "affine: option scale is a list, which is not hashable; options are static: write a "
            "tuple, or pass an array as a positional argument",
            lambda: custom_gradient(affine, affine_backward)(X, W, scale=[2]),
        ),
        (
            "affine: missing a required argument: 'x'",
            lambda: custom_gradient(affine, affine_backward)(w=W),
        ),
        (
            "<lambda>: b is given without an argument before it; give all of them",
            lambda: custom_gradient(lambda x, a=1, b=2: x, abs)(1.0, b=3),
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_misuse_raises_an_error_of_one_line(message, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_forward_must_be_a_function():
    """Without the check of annotations, which would fail first."""
    with pytest.raises(TypeError, match="custom_gradient: forward must be a function, not 3"):
        inspect.unwrap(custom_gradient)(3, affine_backward)
