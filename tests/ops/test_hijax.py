"""Behaviour of hijax (experimental) that fcnn relies on, and the fallback for a JAX without it.

All other test files also pass without hijax. tests/without_hijax/ disables hijax.
"""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.interpreters import ad, batching
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import fcnn
from fcnn.ops import registration
from fcnn.ops.hijax_primitive import by_hijax
from fcnn.ops.hijax_promises import PROMISES, Scale, broken_promises

ROOT = Path(__file__).parents[2]
DRAW = np.random.default_rng(0).standard_normal


@pytest.mark.parametrize("promise", PROMISES)
def test_this_jax_keeps_promise(promise):
    assert promise not in broken_promises()


def test_hijax_is_in_use():
    assert registration.RULE == "hijax"
    assert registration.by_rule is by_hijax


def breaks(*args, **kwargs):
    raise NotImplementedError("no longer")


def the_primitive():
    """The JAX primitive of hijax, which runs all operators."""
    jaxpr = jax.make_jaxpr(fcnn.tanh)(jnp.ones(2)).jaxpr
    return jaxpr.eqns[0].primitive


REVERSE = ["grad uses the hand rule", "vmap of grad uses the hand rule"]
REVERSE += ["grad of vmap uses the hand rule"]


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        (batching.fancy_primitive_batchers, ["grad of vmap uses the hand rule"]),
        (ad.primitive_jvps, ["jvp differentiates the plain forward"]),
        (
            ad.primitive_linearizations,
            [*REVERSE, "linearize differentiates the plain forward"],
        ),
    ],
    ids=["vmap", "jvp", "linearize and grad"],
)
def test_a_jax_that_breaks_a_promise_gets_custom_vjp_and_one_warning(table, broken, monkeypatch):
    monkeypatch.setitem(table, the_primitive(), breaks)
    found = broken_promises()
    assert set(broken) <= set(found)
    assert any("no longer" in cause for cause in found.values())
    with pytest.warns(UserWarning, match="fcnn: jax .* breaks hijax") as caught:
        rule, name = registration.choose()
    assert (rule, name) == (registration.by_custom_vjp, "custom_vjp")
    (warning,) = caught
    assert all(promise in str(warning.message) for promise in found)
    assert next(iter(found.values())) in str(warning.message)
    assert "forward mode of an operator (jvp, linearize, jacfwd)" in str(warning.message)
    assert 'need `with fcnn.gradients("autodiff"):` around the call' in str(warning.message)


def test_a_jax_without_hijax():
    """The import warns once. Reverse mode uses the hand rule. Forward mode needs autodiff."""
    program = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import fcnn, fcnn.checker, fcnn.layers, fcnn.training
assert len([w for w in caught if "breaks hijax" in str(w.message)]) == 1, caught
import jax, jax.numpy as jnp
x = jnp.arange(3.0)
assert jnp.allclose(jax.vmap(jax.grad(fcnn.tanh))(x), 1 - jnp.tanh(x) ** 2)
assert "custom_vjp" in str(jax.make_jaxpr(fcnn.tanh)(x))
try:
    jax.jvp(fcnn.tanh, (x,), (x,))
except TypeError:
    with fcnn.gradients("autodiff"):
        jax.jvp(fcnn.tanh, (x,), (x,))
        raise SystemExit(7)
"""
    environment = {"PYTHONPATH": f"{ROOT}/tests/without_hijax:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (7, "")


SIZE = 2  # size of every mapped axis


def grown(shape, axis):
    """`shape` with the mapped axis inserted."""
    if axis is None:
        return shape
    axis = axis % (len(shape) + 1)
    return (*shape[:axis], SIZE, *shape[axis:])


def normal(*shape):
    return jnp.asarray(DRAW(shape))


def loss(x, w, b):
    return jnp.sin(fcnn.dense(fcnn.tanh(x), w, b)).sum()


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ((0, None, None), (0, None, None)),
        ((1, 0, None), (None, 2, 0)),
        ((2, None, 0), (1, 1, None)),
        ((-1, -1, -1), (0, None, 1)),
        ((None, 1, None), (None, None, 0)),
    ],
)
def test_nested_vmap_over_any_axes(inner, outer):
    """Nested vmap of the loss, and of its gradient, equals loops.

    The gradient of the sum of all losses equals the gradient by autodiff.
    """
    shapes = (4, 3), (3, 2), (2,)
    args = [normal(*grown(grown(s, i), o)) for s, i, o in zip(shapes, inner, outer, strict=True)]
    grad = jax.grad(loss, (0, 1, 2))
    twice = lambda f: jax.vmap(jax.vmap(f, inner), outer)
    total = lambda f: lambda *a: jax.tree.map(jnp.sum, twice(f)(*a))

    def one(i, j, *args):
        pick = lambda a, axis, k: a if axis is None else jnp.take(a, k, axis)
        each = zip(args, inner, outer, strict=True)
        return [pick(pick(a, far, i), near, j) for a, near, far in each]

    def loops(f, *args):
        stacked = lambda trees: jax.tree.map(lambda *a: jnp.stack(a), *trees)
        row = lambda i: stacked([f(*one(i, j, *args)) for j in range(SIZE)])
        return stacked([row(i) for i in range(SIZE)])

    @jax.jit
    def run(*args):
        by_vmap = twice(loss)(*args), twice(grad)(*args), jax.grad(total(loss), (0, 1, 2))(*args)
        in_loops = loops(loss, *args), loops(grad, *args)
        with fcnn.gradients("autodiff"):
            return by_vmap, (*in_loops, jax.grad(total(loss), (0, 1, 2))(*args))

    found, wanted = run(*args)
    for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_shared_weights_are_saved_once():
    """Under vmap, a residual that does not depend on mapped arguments has no mapped axis."""
    x, w = normal(7, 4, 3), normal(3, 2)
    _, pull = jax.vjp(lambda x, w: jax.vmap(fcnn.dense, (0, None))(x, w), x, w)
    assert sorted(a.shape for a in jax.tree.leaves(pull)) == [w.shape, x.shape]


def test_vmap_over_a_named_axis_of_devices():
    """On automatic and explicit meshes, the batch stays sharded and the gradient is unchanged."""
    x, w, b = normal(4, 5, 3), normal(3, 2), normal(2)
    grad = jax.grad(loss, (0, 1, 2))
    wanted = jax.jit(jax.vmap(grad, (0, None, None)))(x, w, b)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((2,), ("d",), axis_types=(kind,))
        with jax.set_mesh(mesh):
            split = jax.device_put(x, NamedSharding(mesh, PartitionSpec("d")))
            options = {"spmd_axis_name": "d"} if kind is AxisType.Auto else {}
            found = jax.jit(jax.vmap(grad, (0, None, None), **options))(split, w, b)
            assert found[0].sharding.spec[0] == "d"
        for a, c in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, c, rtol=0, atol=1e-12)


def test_an_output_without_a_gradient_under_vmap():
    """max_pool_with_indices also returns integers, whose cotangent is not a float."""
    x = normal(3, 1, 4, 4, 2)
    with_indices = lambda x: jnp.square(fcnn.max_pool_with_indices(x, 2)[0]).sum()
    without_indices = lambda x: jnp.square(fcnn.max_pool(x, 2)).sum()
    found, wanted = (jax.jit(jax.vmap(jax.grad(f)))(x) for f in (with_indices, without_indices))
    np.testing.assert_array_equal(found, wanted)


def test_the_plain_forward_runs_where_nothing_is_differentiated():
    """z is differentiated, but x and y are not. So fwd does not run, and saves no residuals."""
    scale = Scale()
    f = lambda x, y: jax.grad(lambda z: z * by_hijax(scale, (x, y), {}).sum())(1.0)
    jax.eval_shape(f, *scale.types)
    assert scale.called == set()


def test_shard_map_over_some_axes_of_a_mesh():
    mesh = jax.make_mesh((2, 2), ("d", "m"), axis_types=(AxisType.Auto,) * 2)
    specs = PartitionSpec("d"), PartitionSpec()
    grad = jax.grad(lambda x, w: fcnn.dense(fcnn.tanh(x), w).sum(), (0, 1))
    x, w = normal(4, 3), normal(3, 2)
    for names in ({"d"}, {"d", "m"}):
        f = jax.shard_map(grad, mesh=mesh, in_specs=specs, out_specs=specs, axis_names=names)
        assert [a.shape for a in jax.eval_shape(jax.jit(f), x, w)] == [x.shape, w.shape]


def with_setting(setting):
    def f(x, w):
        with setting:
            return fcnn.dense(x, w)

    return f


def test_rules_run_under_the_settings_of_the_call():
    """JAX traces the rules after the user's code has left the `with` block of the setting."""
    x, w = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((4, 3), (3, 2)))
    with jax.default_matmul_precision("default"):
        f = with_setting(jax.default_matmul_precision("highest"))
        loss = lambda x, w: f(x, w).sum()
        text = lambda f: jax.jit(f).lower(x, w).as_text()
        assert "HIGHEST" in text(f)
        assert "DEFAULT" not in text(jax.grad(loss, (0, 1)))
        mapped = jax.vmap(jax.jit(f), (0, None))
        assert (
            "HIGHEST"
            in jax.jit(mapped).lower(jax.ShapeDtypeStruct((2, 4, 3), x.dtype), w).as_text()
        )


def test_float64_within_a_program_in_float32():
    def f(x):
        with jax.enable_x64(True):
            return fcnn.tanh(x.astype(jnp.float64))

    with jax.enable_x64(False):
        assert "tensor<3xf64>" in jax.jit(f).lower(jnp.ones(3, jnp.float32)).as_text()


def test_operators_in_one_program_may_have_different_settings():
    def f(x, w):
        with jax.default_matmul_precision("default"):
            low = fcnn.dense(x, w)
        with jax.default_matmul_precision("highest"):
            return low + fcnn.dense(x, w)

    text = jax.jit(f).lower(normal(4, 3), normal(3, 2)).as_text()
    assert text.count("DEFAULT") > 0 < text.count("HIGHEST")


@pytest.mark.parametrize("names", ["i", ("i", "j")])
def test_batch_norm_over_a_named_axis_that_maps_no_array(names):
    """All instances along axis i are equal. batch_norm sums over them, and N counts all entries."""
    x, one = normal(4, 3), jnp.ones(3)

    def value(scale):
        options = {"train": True, "axis_name": names}
        return jnp.square(fcnn.batch_norm(scale * x, one, one, one, one, **options)[0]).sum()

    def mapped(f):
        return jax.vmap(
            jax.vmap(lambda _, s: f(s), (0, None), axis_name="i"), (None, 0), axis_name="j"
        )

    run = jax.jit(lambda n, s: (mapped(value)(n, s), mapped(jax.grad(value))(n, s)))
    args = jnp.arange(2.0), normal(3)
    by_hand = run(*args)
    with fcnn.gradients("autodiff"):
        wanted = run(*args)
    for a, b in zip(by_hand, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_linear_transpose():
    x, w, dy = normal(4, 3), normal(3, 2), normal(4, 2)
    (dx,) = jax.linear_transpose(lambda x: fcnn.dense(x, w), x)(dy)
    (dw,) = jax.linear_transpose(lambda w: fcnn.dense(x, w), w)(dy)
    np.testing.assert_allclose(dx, dy @ w.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(dw, x.T @ dy, rtol=0, atol=1e-12)
    image = normal(1, 4, 4, 1)
    (spread,) = jax.linear_transpose(lambda x: fcnn.avg_pool(x, 2), image)(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(spread, jnp.full_like(image, 0.25))


def test_gradients_at_a_python_number():
    for mode in ("hand", "autodiff"):
        with fcnn.gradients(mode):
            for f in (fcnn.elu, fcnn.gelu, fcnn.softsign):
                np.testing.assert_allclose(
                    jax.grad(f)(0.7), jax.grad(f)(jnp.float64(0.7)), rtol=1e-6
                )
            loss = jax.checkpoint(lambda z: fcnn.softmax_cross_entropy(z, 1))
            np.testing.assert_allclose(jax.grad(loss)(jnp.zeros(2)), [0.5, -0.5])


def test_fwd_must_return_the_y_of_forward():
    op = fcnn.ops.operator()(lambda x: x * x)
    op.__name__ = "square"
    op.fwd(lambda x: ((x * x)[None], x))
    op.bwd(lambda x, dy: (2 * x * dy,))
    message = r"^square: fwd returns y = float32\[1,3\], but square returns float32\[3\];"
    with pytest.raises(TypeError, match=message):
        jax.eval_shape(jax.grad(lambda x: op(x).sum()), jnp.ones(3, jnp.float32))
