"""Evaluation of a program, one equation after the other.

`by_numpy` runs the common primitives in NumPy, which needs no compilation, and the others by JAX.
`by_jax` runs all primitives by JAX, so that the program can be traced again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.source_info_util import user_context

from fcnn.checker.equation.program import Equation, Program

Values = dict[int, Any]
Change = Callable[["Scope", Values, Equation, list[Any]], Sequence[Any]]
Site = tuple[int, ...]
Changes = Mapping[Site, Change]
NONE: Changes = {}


class Scope:
    """A way to compute: `xp` is numpy or jax.numpy, `compute` runs one equation."""

    def __init__(self, xp: Any, compute: Callable[[Equation, list[Any]], Sequence[Any]]):
        self.xp, self.compute = xp, compute


def evaluated(
    scope: Scope, program: Program, inputs: Sequence[Any], changes: Changes = NONE
) -> Values:
    """The values of all slots; an equation at the site of a change is computed by the change."""
    values: Values = {**program.known, **dict(zip(program.inputs, inputs, strict=True))}
    for k, equation in enumerate(program.equations):
        step(scope, values, equation, at(changes, k) if changes else NONE)
    return values


def at(changes: Changes, k: int) -> Changes:
    """The changes of equation k and of its body, by their sites within it."""
    return {site[1:]: change for site, change in changes.items() if site[0] == k}


def step(scope: Scope, values: Values, equation: Equation, changes: Changes = NONE) -> None:
    """Compute one equation. A change of the equation itself has the site ()."""
    given = [values[slot] for slot in equation.inputs]
    if () in changes:
        found = changes[()](scope, values, equation, given)
    elif equation.body is not None and (changes or scope.xp is np):
        found = scan(scope, equation, given, changes)
    else:
        found = scope.compute(equation, given)
    if scope.xp is np:  # NumPy computes some functions of bfloat16 in float32
        found = [_as(dtype, a) for dtype, a in zip(equation.dtypes, found, strict=True)]
    values.update(zip(equation.outputs, found, strict=True))


def scan(
    scope: Scope, equation: Equation, given: Sequence[Any], changes: Changes = NONE
) -> list[Any]:
    """The outputs of a scan, by its body; the changes are made in every step."""
    run = _scan if scope.xp is np else _traced_scan
    return run(scope, equation, given, changes)


def outputs(program: Program, values: Values) -> list[Any]:
    return [values[slot] for slot in program.outputs]


def bind(equation: Equation, given: Sequence[Any]) -> Sequence[Any]:
    """The outputs of the primitive, by JAX."""
    params = equation.primitive.get_bind_params(equation.params)
    with user_context(equation.traceback):  # so that the equation keeps its line if traced again
        found = equation.primitive.bind(*given, **params)
    return found if equation.primitive.multiple_results else [found]


def _by_numpy(equation, given):
    f = NUMPY.get(equation.name)
    if f is not None and not any(map(_is_key, given)):
        return [np.asarray(f(*given, **equation.params))]
    return [a if _is_key(a) else np.asarray(a) for a in bind(equation, given)]


def _as(dtype, a):
    if a.dtype == dtype or _is_key(a):
        return a
    to_real = np.iscomplexobj(a) and np.dtype(dtype).kind != "c"
    return (a.real if to_real else a).astype(dtype)


def _is_key(a):
    """Whether an array holds random keys, which NumPy cannot hold."""
    return isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.extended)


def _parts(equation, given):
    consts, carries = equation.consts, equation.carries
    return given[:consts], given[consts : consts + carries], given[consts + carries :]


def _scan(scope, equation, given, changes):
    consts, carry, xs = _parts(equation, given)
    body, length = equation.body, equation.params["length"]
    order = range(length)[::-1] if equation.params["reverse"] else range(length)
    rows: list[Any] = [None] * length
    for t in order:
        inputs = [*consts, *carry, *(x[t] for x in xs)]
        found = outputs(body, evaluated(scope, body, inputs, changes))
        carry, rows[t] = found[: len(carry)], found[len(carry) :]
    stacked = [np.stack([row[k] for row in rows]) for k in range(len(rows[0]))] if rows else []
    return [*carry, *stacked]


def _traced_scan(scope, equation, given, changes):
    consts, carry, xs = _parts(equation, given)

    def following(carry, xs):
        inputs = [*consts, *carry, *xs]
        found = outputs(equation.body, evaluated(scope, equation.body, inputs, changes))
        return found[: len(carry)], found[len(carry) :]

    length, reverse = equation.params["length"], equation.params["reverse"]
    last, rows = jax.lax.scan(following, list(carry), list(xs), length, reverse=reverse)
    return [*last, *rows]


def _dot(a, b, *, dimension_numbers, **_):
    (over_a, over_b), (batch_a, batch_b) = dimension_numbers
    rest_a = [k for k in range(a.ndim) if k not in (*over_a, *batch_a)]
    rest_b = [k for k in range(b.ndim) if k not in (*over_b, *batch_b)]
    sizes = lambda x, axes: tuple(x.shape[k] for k in axes)
    batch, n = sizes(a, batch_a), math.prod(sizes(a, over_a))
    left = a.transpose(*batch_a, *rest_a, *over_a).reshape(*batch, -1, n)
    right = b.transpose(*batch_b, *over_b, *rest_b).reshape(*batch, n, -1)
    return np.reshape(left @ right, (*batch, *sizes(a, rest_a), *sizes(b, rest_b)))


def _broadcast(x, *, shape, broadcast_dimensions, **_):
    wide = [1] * len(shape)
    for k, n in zip(broadcast_dimensions, np.shape(x), strict=True):
        wide[k] = n
    return np.broadcast_to(np.reshape(x, wide), shape)


def _select(which, *cases, **_):
    return np.choose(np.broadcast_to(which, cases[0].shape).astype(int), cases)


def _cumulative(f):
    def run(x, *, axis, reverse, **_):
        return np.flip(f(np.flip(x, axis), axis=axis), axis) if reverse else f(x, axis=axis)

    return run


def _slice(x, *, start_indices, limit_indices, strides, **_):
    steps = strides or [1] * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def _unary(f):
    return lambda x, **_: f(x)


def _binary(f):
    return lambda x, y, **_: f(x, y)


def _reduced(f):
    return lambda x, *, axes, **_: f(x, axis=tuple(axes))


NUMPY: dict[str, Callable] = {
    "add": _binary(np.add),
    "add_any": _binary(np.add),
    "sub": _binary(np.subtract),
    "mul": _binary(np.multiply),
    "div": lambda x, y, **_: np.divide(x, y) if np.asarray(x).dtype.kind in "fc" else x // y,
    "pow": _binary(np.power),
    "max": _binary(np.maximum),
    "min": _binary(np.minimum),
    "atan2": _binary(np.arctan2),
    "eq": _binary(np.equal),
    "ne": _binary(np.not_equal),
    "lt": _binary(np.less),
    "le": _binary(np.less_equal),
    "gt": _binary(np.greater),
    "ge": _binary(np.greater_equal),
    "and": _binary(np.bitwise_and),
    "or": _binary(np.bitwise_or),
    "not": _unary(np.invert),
    "neg": _unary(np.negative),
    "exp": _unary(np.exp),
    "exp2": _unary(np.exp2),
    "expm1": _unary(np.expm1),
    "log": _unary(np.log),
    "log1p": _unary(np.log1p),
    "sin": _unary(np.sin),
    "cos": _unary(np.cos),
    "tan": _unary(np.tan),
    "tanh": _unary(np.tanh),
    "sinh": _unary(np.sinh),
    "cosh": _unary(np.cosh),
    "logistic": _unary(lambda x: 0.5 + 0.5 * np.tanh(0.5 * x)),
    "sqrt": _unary(np.sqrt),
    "rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "square": _unary(np.square),
    "abs": _unary(np.abs),
    "sign": _unary(np.sign),
    "floor": _unary(np.floor),
    "ceil": _unary(np.ceil),
    "is_finite": _unary(np.isfinite),
    "real": _unary(np.real),
    "imag": _unary(np.imag),
    "conj": _unary(np.conj),
    "complex": _binary(lambda x, y: x + 1j * y),
    "copy": _unary(lambda x: x),
    "copy_p": _unary(lambda x: x),
    "stop_gradient": _unary(lambda x: x),
    "integer_pow": lambda x, *, y, **_: np.power(x, y) if y >= 0 else 1 / np.power(x, -y),
    "convert_element_type": lambda x, *, new_dtype, **_: _as(new_dtype, np.asarray(x)),
    "select_n": _select,
    "reduce_sum": _reduced(np.sum),
    "reduce_max": _reduced(np.max),
    "reduce_min": _reduced(np.min),
    "reduce_prod": _reduced(np.prod),
    "reduce_and": _reduced(np.all),
    "reduce_or": _reduced(np.any),
    "cumsum": _cumulative(np.cumsum),
    "cumprod": _cumulative(np.cumprod),
    "cummax": _cumulative(np.maximum.accumulate),
    "broadcast_in_dim": _broadcast,
    "reshape": lambda x, *, new_sizes, **_: np.reshape(x, new_sizes),
    "squeeze": lambda x, *, dimensions, **_: np.squeeze(x, tuple(dimensions)),
    "expand_dims": lambda x, *, dimensions, **_: np.expand_dims(x, tuple(dimensions)),
    "transpose": lambda x, *, permutation, **_: np.transpose(x, permutation),
    "rev": lambda x, *, dimensions, **_: np.flip(x, tuple(dimensions)),
    "concatenate": lambda *xs, dimension, **_: np.concatenate(xs, dimension),
    "slice": _slice,
    "dot_general": _dot,
}

BY_NUMPY = Scope(np, _by_numpy)
BY_JAX = Scope(jnp, bind)
