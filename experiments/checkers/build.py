"""Construction of problems: a function, its arguments, and a backward pass with replacements.

A replacement is a function that returns the gradient of one argument, or None for no gradient. The
names of its parameters choose the values that it receives:

    x, w, ...      an argument of the function, by its name
    dx, dw, ...    the correct gradient of that argument
    y, dy          the output and its cotangent, if no argument is called y
    dl             the cotangent of the output, even if an argument is called y
    g              the correct gradient that is replaced

    problem("affine", "transposed", "dense dw", dense, ((7, 5), (5, 5)), dw=lambda x, dy: dy.T @ x)

Gradients without a replacement are correct. They come from the operator's own rule, or from jax.vjp
if the function is not an operator. An argument is given as a shape, for values from a normal
distribution, or as a function of a NumPy generator.
"""

import inspect
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.problem import CheckerProblem
from fcnn.ops.op import Op

Draw = tuple[int, ...] | Callable[[np.random.Generator], Any]


def problem(
    family: str,
    kind: str,
    name: str,
    f: Callable,
    args: tuple[Draw, ...],
    **replaced: Callable | None,
) -> CheckerProblem:
    return CheckerProblem(
        name, family, kind, f, partial(_drawn, name, args), _backward(f, replaced)
    )


def correct_backward(f: Callable) -> Callable[..., tuple]:
    """The correct backward(*args, dy): the operator's own rule, or jax.vjp if f is no operator."""
    op, options = (f.func, f.keywords) if isinstance(f, partial) else (f, {})
    if not isinstance(op, Op):
        return partial(_by_vjp, f)

    def backward(*args):
        *args, dy = args
        arrays, bound = op.bind(*args, **options)
        _, saved = op.fwd_rule(*arrays, **bound)
        return op.bwd_rule(saved, dy, **bound)[: len(args)]

    return backward


def ints(shape: tuple[int, ...], below: int) -> Draw:
    return lambda rng: rng.integers(0, below, shape, np.int32)


def key(rng: np.random.Generator) -> jax.Array:
    return jax.random.key(int(rng.integers(2**31)))


def numbers(values: Any) -> Draw:
    """Function of a generator that ignores it and returns `values`."""
    return lambda rng: np.array(values, float)


def one_sum(g: jax.Array) -> jax.Array:
    """The sum of all entries of g, in every entry: the mistake "reduced too far"."""
    return jnp.full_like(g, g.sum())


def _backward(f, replaced):
    names, reference = list(inspect.signature(f).parameters), correct_backward(f)

    def backward(*args):
        *args, dy = jax.tree.map(jnp.asarray, args)
        arguments = dict(zip(names, args, strict=False))
        found = zip(names, reference(*args, dy), strict=False)
        gradients = {f"d{name}": g for name, g in found}
        values = {"y": f(*args), "dy": dy, "dl": dy} | arguments | gradients
        return tuple(
            _replacement(replaced[d], values | {"g": g}) if d in replaced else g
            for d, g in gradients.items()
        )

    return backward


def _replacement(gradient, values):
    return gradient and gradient(**{k: values[k] for k in inspect.signature(gradient).parameters})


def _by_vjp(f, *args):
    *args, dy = args
    _, pull = jax.vjp(f, *args)
    return tuple(None if g.dtype == jax.dtypes.float0 else g for g in pull(dy))


def _drawn(name, args):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return tuple(rng.standard_normal(a) if isinstance(a, tuple) else a(rng) for a in args)
