"""Results at extreme arguments in float32, bfloat16 and float16 are as accurate as by autodiff.

`test_gradients.py` proves formulas in float64, where rounding errors are small. Here the inputs of
each operator's extreme cases are rounded to each shorter dtype. The results in that dtype are
compared with exact results: float64 autodiff at the rounded inputs. The error bounds are

    value                    4 (r + s)
    hand-derived gradient    the larger of 4 (r + s) and 2 a

where r is one rounding of the largest entry, and a is the error of autodiff in the same dtype. s is
the change of the exact result if the inputs change by about one rounding. For a gradient, only the
cotangents change. Where the exact result is finite in the dtype, the result must be finite too.

One program computes all cases, dtypes and gradients of an operator. Cases with the same shapes and
options differ only in their numbers, so each of these cases is a step of one loop.
"""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from registry import every_extreme, is_float

import fcnn

MODES = ("hand", "autodiff")
second_tier = pytest.mark.all("2 s for each operator; the first tier has test_extreme_answers")
LARGE = {"float32": 1e25, "bfloat16": 1e25, "float16": 2.0**13}  # scale of the large cotangents


@second_tier
@every_extreme
@pytest.mark.parametrize("dtype", LARGE)
def test_value(op, case, options, dtype):
    found, reference, (inputs_nearby, _) = answers(op)[case.name, dtype]
    for mode in MODES:
        for y, wanted, near in zip(found[mode][0], reference[0], inputs_nearby[0], strict=True):
            bound = 4 * (roundings(wanted, dtype) + error(near, wanted, dtype))
            assert_error_within(y, wanted, bound, dtype)


@second_tier
@every_extreme
@pytest.mark.parametrize("dtype", LARGE)
def test_gradient(op, case, options, dtype):
    found, reference, (_, cotangents_nearby) = answers(op)[case.name, dtype]
    of_each = found["hand"], found["autodiff"], reference, cotangents_nearby
    for of_argument in zip(*(gradients for _, gradients in of_each), strict=True):
        for hand, auto, exact, near in zip(*of_argument, strict=True):  # one step per cotangent
            bound = 4 * (roundings(exact, dtype) + error(near, exact, dtype))
            assert_error_within(hand, exact, max(bound, 2 * error(auto, exact, dtype)), dtype)


def assert_error_within(found, exact, bound, dtype):
    assert np.isfinite(found[fits(exact, dtype)]).all()
    np.testing.assert_array_equal(found[np.isinf(exact)], exact[np.isinf(exact)])
    assert error(found, exact, dtype) <= bound


def error(found, exact, dtype):
    """The largest error among entries for which `found`, and `exact` in this dtype, are finite."""
    counts = fits(exact, dtype) & np.isfinite(found)
    return np.abs(found[counts] - exact[counts]).max(initial=0)


def roundings(exact, dtype):
    """One rounding of the largest entry, or the smallest number of the dtype if that is larger."""
    largest = np.abs(exact[fits(exact, dtype)]).max(initial=0)
    # In float32 and bfloat16, XLA flushes numbers below `tiny` to 0.
    least = 2.0**-24 if dtype == "float16" else jnp.finfo(dtype).tiny
    return max(float(jnp.finfo(dtype).eps) * largest, float(least))


def fits(exact, dtype):
    """Whether each entry of the exact result is finite in this dtype."""
    return np.isfinite(rounded(exact, dtype, saturate=False))


def rounded(a, dtype, saturate=True):
    """Round `a` to a dtype. With `saturate`, a finite number does not become infinite."""
    a, most = np.asarray(a, float), float(jnp.finfo(dtype).max)
    a = np.where(np.isfinite(a) & saturate, np.clip(a, -most, most), a)
    with np.errstate(over="ignore"):
        return a.astype(jnp.dtype(dtype))


@lru_cache(maxsize=1)  # tests are sorted by operator
def answers(op):
    """{(case name, dtype): (results by mode, float64 results, two float64 results nearby)}.

    Each result is a pair (outputs, gradients). The first result nearby is at changed arguments, and
    the second is at changed cotangents.
    """
    groups = {}
    for case in op.cases:
        if case.extreme:
            shapes = tuple((a.shape, a.dtype) if a is not None else None for a in case.shapes())
            groups.setdefault((shapes, repr(sorted(case.options.items()))), []).append(case)
    programs = [Group(op, cases) for cases in groups.values()]
    found = jax.jit(lambda inputs: [p.run(x) for p, x in zip(programs, inputs, strict=True)])(
        [p.inputs for p in programs]
    )
    both = zip(programs, jax.tree.map(np.asarray, found), strict=True)
    return {name: each for p, out in both for name, each in p.by_case(out)}


class Group:
    """Cases of one operator with the same shapes and options."""

    def __init__(self, op, cases):
        self.op, self.cases, self.options = op, cases, cases[0].options
        self.args = [case.draw() for case in cases]
        self.floats = [i for i, a in enumerate(self.args[0]) if is_float(a)]
        others = lambda args: [None if i in self.floats else a for i, a in enumerate(args)]
        self.others = stacked([others(args) for args in self.args])
        y = jax.eval_shape(self.outputs, others(self.args[0]), *self.floats_of(self.args[0]))
        self.inputs = {d: stacked([self.rounded(args, y, d) for args in self.args]) for d in LARGE}

    def floats_of(self, args):
        return [args[i] for i in self.floats]

    def rounded(self, args, y, dtype):
        """The floating arguments, and two cotangents for each output, rounded to `dtype`."""
        rng = np.random.default_rng(1)
        cotangents = [
            np.stack([scale * rng.standard_normal(a.shape) for scale in (1.0, LARGE[dtype])])
            for a in y
        ]
        to = partial(rounded, dtype=dtype)
        return [list(map(to, self.floats_of(args))), list(map(to, cotangents))]

    def outputs(self, others, *floats):
        floats = iter(floats)
        args = (next(floats) if i in self.floats else a for i, a in enumerate(others))
        y = self.op(*args, **self.options)
        return [a for a in jax.tree.leaves(y) if is_float(a)]

    def run(self, inputs):
        """Results of both modes in every dtype, and float64 results at these inputs and nearby."""
        found = {d: self.loop(MODES, self.others, inputs[d]) for d in LARGE}
        float64 = [jax.tree.map(lambda a: a.astype(float), inputs[d]) for d in LARGE]
        for which in range(2):
            float64 += [
                nearby(a, d, which) for a, d in zip(float64[: len(LARGE)], LARGE, strict=True)
            ]
        concatenated = lambda trees: jax.tree.map(lambda *each: jnp.concatenate(each), *trees)
        others = concatenated([self.others for _ in float64])
        return found, self.loop(("autodiff",), others, concatenated(float64))["autodiff"]

    def loop(self, modes, others, inputs):
        """Outputs and gradients of every case, by mode. One loop runs all modes."""

        def one(step):
            others, (floats, cotangents) = step
            wide = lambda tree: jax.tree.map(lambda a: a.astype(float), tree)
            found = {}
            for mode in modes:
                with fcnn.gradients(mode):
                    y, pull = jax.vjp(partial(self.outputs, others), *floats)
                    found[mode] = wide(y), pull
            gradients = jax.lax.map(
                lambda dy: {mode: wide(pull(dy)) for mode, (_, pull) in found.items()}, cotangents
            )
            return {mode: (y, gradients[mode]) for mode, (y, _) in found.items()}

        return jax.lax.map(one, (others, inputs))

    def by_case(self, out):
        found, exact = out
        pick = lambda tree, i: jax.tree.map(lambda a: a[i], tree)
        for j, dtype in enumerate(LARGE):
            for i, case in enumerate(self.cases):
                at_inputs, *changed = (
                    (which * len(LARGE) + j) * len(self.cases) + i for which in range(3)
                )
                near = [pick(exact, step) for step in changed]
                yield (case.name, dtype), (pick(found[dtype], i), pick(exact, at_inputs), near)


def nearby(inputs, dtype, which):
    """Change arguments (which = 0) or cotangents (which = 1) of `inputs` by about one rounding."""
    rng, eps = np.random.default_rng(2), float(jnp.finfo(dtype).eps)
    off = lambda a: a * (1 + eps * rng.standard_normal(a.shape))
    return [list(map(off, a)) if i == which else a for i, a in enumerate(inputs)]


def stacked(trees):
    return jax.tree.map(lambda *each: jnp.stack(each), *trees)
