"""A backward pass as a program: a list of equations that can be changed one at a time.

JAX traces the right backward pass Jᵀ dy of a function, or the claimed one, to a jaxpr. Here the
jaxpr is flat: calls of inner functions are inlined, and only the body of a scan is a program of its
own. Every value has a slot, a number. A slot that depends on dy belongs to the backward pass
proper; the other slots hold values of the forward pass, which the backward pass uses as factors.
"""

import linecache
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from os.path import basename, dirname
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core

import fcnn
from fcnn.checker.strip_rules import mentions, programs_in

PER_EQUATION, PER_ENTRY = 1e-5, 1e-8  # seconds
INLINED = {"jit", "remat2", "closed_call", "custom_jvp_call", "custom_vjp_call"}
HERE, *OTHERS = (f"{dirname(str(module.__file__))}/" for module in (fcnn, jax, np))


class Line(NamedTuple):
    """A line of the forward function, or of the claimed backward pass."""

    file: str
    number: int

    @property
    def text(self) -> str:
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        where = f"{basename(self.file)}:{self.number}"
        return f"`{self.text}` ({where})" if self.text else where


@dataclass(frozen=True)
class Equation:
    """outputs = primitive(inputs), where inputs and outputs are slots.

    dtypes: of the outputs.
    """

    primitive: Any
    params: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dtypes: tuple[Any, ...]
    traceback: Any
    body: "Program | None" = None  # of a scan, whose first inputs are constants and then carries
    consts: int = 0
    carries: int = 0

    @property
    def line(self) -> Line | None:
        return _line(self.traceback)

    @property
    def name(self) -> str:
        return self.primitive.name

    @cached_property
    def may_not_end(self) -> bool:
        """Whether it has a while loop, which may run forever if its inputs change."""
        inner = [program for value in self.params.values() for program in programs_in(value)]
        return self.name == "while" or any(mentions(program, ("while",)) for program in inner)


@dataclass(frozen=True)
class Program:
    """Equations in the order of their evaluation.

    avals:   shape and dtype of each slot.
    known:   the values of constant slots.
    cotangent: the slots that depend on dy.
    """

    avals: tuple[Any, ...]
    known: dict[int, Any]
    inputs: tuple[int, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[int, ...]
    cotangent: frozenset[int] = frozenset()

    @cached_property
    def seconds(self) -> float:
        """About how long one evaluation takes in NumPy."""
        total = 0.0
        for e in self.equations:
            entries = sum(math.prod(getattr(self.avals[slot], "shape", ())) for slot in e.outputs)
            total += PER_EQUATION + PER_ENTRY * entries
            total += e.params["length"] * e.body.seconds if e.body is not None else 0.0
        return total

    def producers(self) -> dict[int, Equation]:
        return {slot: e for e in self.equations for slot in e.outputs}


def traced(f: Callable, *args: Any) -> Program:
    """`f(*args)` as a program; args and outputs are pytrees, whose leaves are slots in order.

    Raises: any error of tracing.
    """
    closed = jax.make_jaxpr(f)(*args)
    return _program(closed.jaxpr, closed.consts)


def with_cotangents(program: Program, given: Iterable[int]) -> Program:
    """The program, with the slots that depend on the slots `given`; also inside scans."""
    depends, equations = set(given), []
    for equation in program.equations:
        if depends.intersection(equation.inputs):
            if equation.body is not None:
                equation, found = _scan_with_cotangents(equation, depends)
                depends.update(found)
            else:
                depends.update(equation.outputs)
        equations.append(equation)
    return replace(program, equations=tuple(equations), cotangent=frozenset(depends))


def used(program: Program) -> list[bool]:
    """For each equation, whether an output depends on it."""
    needed, keep = set(program.outputs), []
    for equation in reversed(program.equations):
        keep.append(bool(needed.intersection(equation.outputs)))
        if keep[-1]:
            needed.update(equation.inputs)
    return keep[::-1]


def _scan_with_cotangents(equation, depends):
    consts, carries = equation.consts, equation.carries
    body, inside = equation.body, [slot in depends for slot in equation.inputs]
    while True:  # a carry that gets a cotangent passes it to the next step
        given = [slot for slot, yes in zip(body.inputs, inside, strict=True) if yes]
        found = with_cotangents(body, given)
        carried = [slot in found.cotangent for slot in body.outputs[:carries]]
        new = [a or b for a, b in zip(inside[consts : consts + carries], carried, strict=True)]
        if new == inside[consts : consts + carries]:
            break
        inside[consts : consts + carries] = new
    pairs = zip(equation.outputs, body.outputs, strict=True)
    return replace(equation, body=found), [a for a, b in pairs if b in found.cotangent]


class _Builder:
    def __init__(self):
        self.avals: list[Any] = []
        self.known: dict[int, Any] = {}
        self.equations: list[Equation] = []

    def slot(self, aval) -> int:
        self.avals.append(aval)
        return len(self.avals) - 1

    def constant(self, value, aval) -> int:
        slot = self.slot(aval)
        self.known[slot] = value
        return slot

    def inline(self, jaxpr, consts, inputs: Sequence[int]) -> list[int]:
        """Add the equations of `jaxpr`, and return the slots of its outputs."""
        env = dict(zip(jaxpr.invars, inputs, strict=True))
        for v, value in zip(jaxpr.constvars, consts, strict=True):
            env[v] = self.constant(value, v.aval)
        read = lambda v: self.constant(v.val, v.aval) if isinstance(v, core.Literal) else env[v]
        for e in jaxpr.eqns:
            given = tuple(map(read, e.invars))
            inner, given_to = self._inner(e, given)
            if inner is not None:
                found = self.inline(inner.jaxpr, inner.consts, given_to)
                env.update(zip(e.outvars, found, strict=True))
                continue
            if e.primitive.name == "platform_index":
                env[e.outvars[0]] = self.constant(np.asarray(_bound(e)), e.outvars[0].aval)
                continue
            out = tuple(self.slot(v.aval) for v in e.outvars)
            env.update(zip(e.outvars, out, strict=True))
            traceback = e.source_info.traceback
            dtypes = tuple(getattr(v.aval, "dtype", None) for v in e.outvars)
            new = Equation(e.primitive, e.params, given, out, dtypes, traceback)
            self.equations.append(_scan(new, e) if e.primitive.name == "scan" else new)
        return list(map(read, jaxpr.outvars))

    def _inner(self, equation, given):
        """The jaxpr that a call runs and its inputs; None if the equation is no call.

        A choice by a known index, such as the choice by platform, is a call of one branch.
        """
        params = equation.params
        if equation.primitive.name == "cond" and given[0] in self.known:
            return params["branches"][int(self.known[given[0]])], given[1:]
        if equation.primitive.name not in INLINED:
            return None, given
        inner = params.get("call_jaxpr", params.get("jaxpr"))
        if isinstance(inner, core.Jaxpr) and not hasattr(inner, "consts"):  # before jax 0.12
            inner = core.ClosedJaxpr(inner, [])
        return (inner if isinstance(inner, core.ClosedJaxpr) else None), given


def _program(jaxpr, consts):
    builder = _Builder()
    inputs = tuple(builder.slot(v.aval) for v in jaxpr.invars)
    outputs = builder.inline(jaxpr, consts, inputs)
    return Program(
        tuple(builder.avals), builder.known, inputs, tuple(builder.equations), tuple(outputs)
    )


def _scan(equation, e):
    """The equation of a scan. Constants and carries have the same shape in each of its steps."""
    jaxpr = e.params["jaxpr"]
    inner, consts = getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())
    same = lambda a, b: sum(v.aval.shape == w.aval.shape for v, w in zip(a, b, strict=True))
    carries = same(e.outvars, inner.outvars)
    whole = same(e.invars, inner.invars)
    body = _program(inner, consts)
    return replace(equation, body=body, consts=whole - carries, carries=carries)


def _bound(equation):
    return equation.primitive.bind(**equation.primitive.get_bind_params(equation.params))


@cache
def _line(traceback) -> Line | None:
    """The innermost line outside JAX, NumPy and fcnn; else the innermost line of an operator."""
    frames = [(f.file_name, f.line_num) for f in traceback.frames] if traceback else []
    outside = [f for f in frames if not f[0].startswith((*OTHERS, HERE, "<frozen"))]
    operators = [f for f in frames if f[0].startswith(f"{HERE}ops/")]
    return next((Line(*frame) for frame in (*outside, *operators)), None)
