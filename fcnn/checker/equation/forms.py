"""Other forms of the right backward pass, in which people derive it.

JAX differentiates p = e / Σ e, e = exp(a), step by step. People derive the whole softmax:

    da = p (dp - Σ p dp)

A mistake in one step of this form may be several mistakes in JAX's form. So the equation is
searched in both.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.source_info_util import user_context

from fcnn.checker.equation.evaluate import BY_JAX, Change, Site, evaluated, outputs
from fcnn.checker.equation.program import Equation, Program, traced
from fcnn.checker.equation.wording import MOVES


def with_softmax(plain: Callable, x: Sequence[Any]) -> Callable:
    """`plain` with the backward pass of each softmax in its own form.

    Raises: LookupError if plain has no softmax.
    """
    program = traced(plain, list(x))
    changes = dict(_softmaxes(program))
    if not changes:
        raise LookupError("no softmax")
    return lambda x: outputs(program, evaluated(BY_JAX, program, list(x), changes))


def _softmaxes(program: Program) -> Iterator[tuple[Site, Change]]:
    """The divisions exp(a) / Σ exp(a), as softmax(a)."""
    made = program.producers()
    for index, e in enumerate(program.equations):
        if e.name != "div":
            continue
        top, total = (_unmoved(made, slot) for slot in e.inputs)
        if top is None or total is None or (top.name, total.name) != ("exp", "reduce_sum"):
            continue
        if _unmoved(made, total.inputs[0]) is top:
            axes = tuple(total.params["axes"])
            yield (index,), partial(_softmax, a=top.inputs[0], axes=axes)


def _unmoved(made: dict[int, Equation], slot: int) -> Equation | None:
    e = made.get(slot)
    while e is not None and e.name in MOVES:
        e = made.get(e.inputs[0])
    return e


def _softmax(scope, values, e, v, *, a, axes):
    @jax.custom_vjp
    def softmax(a):
        return jax.nn.softmax(a, axes)

    def backward(p, dp):
        return (p * (dp - (p * dp).sum(axes, keepdims=True)),)

    softmax.defvjp(lambda a: (softmax(a),) * 2, backward)
    with user_context(e.traceback):
        return [softmax(values[a])]
