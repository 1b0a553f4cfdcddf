"""Meshes: shardings of the outputs and gradients of every operator.

The type of an array includes its sharding along explicit mesh axes, but not along automatic mesh
axes. Tracing gives the types without compilation. The letters of the operator's annotations give
the expected shardings.
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import UnionType
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, Float
from registry import is_float, takes_floats

import fcnn
from fcnn.checker.cases import ways
from fcnn.ops import OPS, operator
from fcnn.ops.sharding import letters


def mesh(shape, kind):
    axes = ("d", "m")[: len(shape)]
    return jax.make_mesh(shape, axes, axis_types=(kind,) * len(axes))


LINE, GRID = mesh((2,), AxisType.Explicit), mesh((2, 2), AxisType.Explicit)
AUTOMATIC = mesh((2, 2), AxisType.Auto)


@dataclass(frozen=True)
class Layout:
    """Shardings of a case: mesh axis d splits the batch axis, and m splits the axes of `letter`.

    The letter of the batch axis is the first letter of the first output.
    """

    op: fcnn.ops.Op
    case: fcnn.ops.Case
    letter: str | None = None

    @cached_property
    def args(self):
        return self.case.draw()

    @property
    def given(self):
        return [self.op.signature.parameters[name].annotation for name in self.op.arrays]

    @property
    def out(self):
        """The annotation of each output, of as many outputs as the case has."""
        out = self.op.signature.return_annotation
        options = get_args(out) if isinstance(out, UnionType) else (out,)
        tuples = [get_args(option) or (option,) for option in options]
        return next(each for each in tuples if len(each) == self.outputs)

    @cached_property
    def outputs(self):
        return len(
            jax.tree.leaves(jax.eval_shape(partial(self.op, **self.case.options), *self.args))
        )

    @cached_property
    def batch(self):
        run = partial(self.op, **self.case.options)
        y = jax.tree.leaves(jax.eval_shape(run, *self.args))
        return next(letters(self.out[0], y[0].ndim), None)

    def sizes(self):
        """{letter: lengths of the axes with this letter}, without 1 for broadcast axes."""
        sizes = {}
        for annotation, a in zip(self.given, self.args, strict=True):
            if a is not None:
                for letter, n in zip(letters(annotation, a.ndim), a.shape, strict=True):
                    sizes.setdefault(letter, set()).add(n)
        return {letter: ns - {1} if len(ns) > 1 else ns for letter, ns in sizes.items()}

    def even(self):
        """The letters whose axes can be split over two devices."""
        return [k for k, ns in self.sizes().items() if all(n > 0 and n % 2 == 0 for n in ns)]

    def spec(self, annotation, shape):
        axes = {self.letter: "m", self.batch: "d"}
        names = zip(letters(annotation, len(shape)), shape, strict=True)
        return PartitionSpec(*(axes.get(k) if n % 2 == 0 else None for k, n in names))

    def put(self, mesh):
        put = lambda text, a: jax.device_put(a, NamedSharding(mesh, self.spec(text, a.shape)))
        each = zip(self.given, self.args, strict=True)
        return [None if a is None else put(text, a) for text, a in each]

    def gradient(self, **options):
        """A function that returns the outputs, and the gradient of a sum of the outputs' sines."""
        at = [i for i, a in enumerate(self.args) if is_float(a)]

        def run(*args):
            def value(*floats):
                held = dict(zip(at, floats, strict=True))
                y = self.op(*(held.get(i, a) for i, a in enumerate(args)), **options)
                sines = [jnp.sin(a + 0.1).sum() for a in jax.tree.leaves(y) if is_float(a)]
                return sum(sines), y

            (_, y), g = jax.value_and_grad(value, range(len(at)), has_aux=True)(
                *(args[i] for i in at)
            )
            return y, dict(zip(at, g, strict=True))

        return run


def layouts(op):
    """Yield a layout that splits only the batch, and a layout for each letter of the arguments.

    Each layout is of the first case in which the axes to be split have even lengths.
    """
    seen = set()
    for case in op.cases:
        if not case.proved or not any(map(is_float, case.shapes())):
            continue
        layout = Layout(op, case)
        even = layout.even()
        if layout.batch in (None, *even):
            new = [letter for letter in (None, *even) if letter not in seen]
            seen.update(new)
            yield from (replace(layout, letter=letter) for letter in new)


OF_FLOATS = pytest.mark.parametrize("op", list(filter(takes_floats, OPS)), ids=lambda op: op.name)
MODES = pytest.mark.parametrize("mode", ["hand", "autodiff"])


@MODES
@OF_FLOATS
def test_outputs_and_gradients_are_sharded_by_their_letters(op, mode):
    *_, layout = layouts(op)
    check_types(layout, layout.case.options, mode, GRID)


@pytest.mark.all("0.1 s for each of 900 layouts; the first tier tests one layout of each operator")
@MODES
@OF_FLOATS
def test_shardings_for_every_letter_and_implementation(op, mode):
    for layout in layouts(op):
        for mesh in (GRID,) if layout.letter else (LINE, GRID):
            for options in ways(op, layout.case):
                check_types(layout, options, mode, mesh)


def check_types(layout, options, mode, mesh):
    args = layout.put(mesh)
    with fcnn.gradients(mode):
        y, g = jax.eval_shape(layout.gradient(**options), *args)
    y = jax.tree.leaves(y)
    each = zip(layout.out, y, strict=True)
    wanted = [NamedSharding(mesh.abstract_mesh, layout.spec(text, a.shape)) for text, a in each]
    assert [jax.typeof(a).sharding for a in y] == wanted
    for i, dx in g.items():
        assert jax.typeof(dx).sharding == jax.typeof(args[i]).sharding


@pytest.mark.all("two programs for each operator; the first tier checks the shardings in the types")
@pytest.mark.parametrize("mesh", [GRID, AUTOMATIC], ids=["explicit", "automatic"])
@OF_FLOATS
def test_values_on_a_mesh_equal_values_on_one_device(op, mesh):
    *_, layout = layouts(op)
    run = layout.gradient(**layout.case.options)
    with fcnn.gradients("autodiff"):
        wanted = jax.jit(run)(*layout.args)
    found = jax.jit(run)(*layout.put(mesh))
    for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * max(1, np.abs(b).max(initial=0)))


def put(a, *axes):
    return jax.device_put(a, NamedSharding(GRID, PartitionSpec(*axes)))


def two_layers(x, w):
    """Two dense layers. A gradient computes five products: two forward and three backward."""
    return fcnn.dense(fcnn.tanh(fcnn.dense(x, w)), w.T).sum()


def test_a_gradient_on_a_mesh_has_no_repeated_products():
    x, w = np.ones((4, 6)), np.ones((6, 8))
    products = lambda *a: (
        jax.jit(jax.grad(two_layers, 1)).lower(*a).compile().as_text().count(" dot(")
    )
    assert products(put(x, "d"), put(w, None, "m")) == products(x, w) > 0


@pytest.mark.parametrize("axes", [("d", None), (None, "d")])
def test_weights_sharded_along_the_mesh_axis_of_the_batch_must_be_gathered(axes):
    x, w = put(np.ones((4, 6)), "d"), put(np.ones((6, 8)), *axes)
    message = r"dense: mesh axes \['d'\] shard both n of x and [co] of w; gather w first: write jax"
    with pytest.raises(ValueError, match=message):
        jax.jit(fcnn.dense)(x, w)
    with jax.set_mesh(GRID):
        gathered = jax.jit(
            jax.grad(lambda w: fcnn.dense(x, jax.sharding.reshard(w, jax.P())).sum())
        )
        assert jax.typeof(gathered(w)).sharding.spec == PartitionSpec(*axes)


def test_an_operator_without_annotations_keeps_the_sharding_of_x():
    @operator()
    def double(x):
        return 2 * x

    double.fwd(lambda x: (2 * x, None))
    double.bwd(lambda saved, dy: (2 * dy,))
    double.validate(lambda x: None)
    assert jax.typeof(jax.jit(double)(put(np.ones((4, 3)), "d"))).sharding.spec[0] == "d"


def test_letters_of_annotations():
    of = lambda text, rank: list(letters(Float[Array, text] | None, rank))
    assert of("n *size c_per_group", 4) == ["n", "size[0]", "size[1]", "c"]
    assert of("#n *size c", 3) == ["n", "size", "c"]
    assert of("*n c", 1) == ["c"]
    assert list(letters(None, 2)) == ["...[0]", "...[1]"]
    assert of("n c d", 2) == ["...[0]", "...[1]"]  # an annotation of 3 axes for an array of 2


def on_grid(f, *args):
    """The shardings of the outputs of an operator whose forward pass is f."""
    y = jax.eval_shape(operator()(f), *args)
    return [jax.typeof(a).sharding.spec for a in jax.tree.leaves(y)]


Matrix, Vector = Float[Array, "n c"], Float[Array, " n"]


class Both(NamedTuple):
    whole: Matrix
    first: Vector


def test_outputs_are_sharded_by_annotations_of_any_form():
    both = lambda x: (x, x[:, 0])
    forms = {
        "tuple": (both, tuple[Matrix, Vector], [("d", "m"), ("d",)]),
        "any number": (lambda x: (x, x), tuple[Matrix, ...], [("d", "m"), ("d", "m")]),
        "named": (lambda x: Both(*both(x)), Both, [("d", "m"), ("d",)]),
        "list": (lambda x: [x, x], list[Matrix], [("d", "m"), ("d", "m")]),
        "text": (lambda x: x.sum(1), "Vector", [("d",)]),
        "transposed": (lambda x: x.T, Float[Array, "c n"], [("m", "d")]),
        "twice": (lambda x: x @ x.T, Float[Array, "n n"], [("d", None)]),
    }
    x = put(np.ones((4, 6)), "d", "m")
    for form, (f, annotation, wanted) in forms.items():
        f.__annotations__ = {"x": Matrix, "return": annotation}
        assert on_grid(f, x) == [PartitionSpec(*axes) for axes in wanted], form


def test_arrays_on_different_meshes_are_rejected():
    w = jax.device_put(np.ones((6, 8)), NamedSharding(LINE, PartitionSpec()))
    message = r"dense: arrays lie on different meshes, {'d': 2, 'm': 2} and {'d': 2}; use one"
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(fcnn.dense, put(np.ones((4, 6)), "d"), w)
