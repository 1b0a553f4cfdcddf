"""The check itself: from a function and its arguments to a report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.bench import Cost, compare
from fcnn.checker.cases import CheckCase, has_gradient, problems
from fcnn.checker.caution import cautions
from fcnn.checker.compiled import CompiledSubject, exactly
from fcnn.checker.diagnosis import Mistake, diagnose
from fcnn.checker.evidence import TOLERANCE, Evidence, gather, largest, rounding
from fcnn.checker.kink import verdicts
from fcnn.checker.report import Report, Row
from fcnn.checker.subject import Leaves, Subject, differentiated, subject_of
from fcnn.checker.verdict import KINK, NOISY, NOT_FINITE, RIGHT, WRONG, Finding
from fcnn.ops import Op, gradients
from fcnn.ops.validation import did_you_mean


def check(
    f: Callable,
    args: Sequence[Any] | None = None,
    *,
    backward: Any = None,
    dtype: Any = None,
    order: int = 1,
    cost: bool = True,
    seed: int = 0,
) -> Report:
    """Whether the gradient of f at args is right; and if not, where, and what is wrong with it.

    f is an operator of fcnn, a `jax.custom_vjp` function, or any function of arrays and pytrees, in
    JAX or NumPy. A gradient derived by hand beside it is `backward`: a function (*args, dy) -> one
    cotangent per argument, None where there is none; or a pair (fwd, bwd) as for custom_vjp. dy has
    the structure of what f gives, so it is a tuple where that is one.
    Without `backward`, the gradient that f has already is judged. An operator without args is
    judged at all its cases.

    The formula is judged in float64: against reverse and forward autodiff of the plain function,
    where it is not that itself, and against differences. Then the same gradient is computed in the
    dtype of args, or in `dtype`, and compared with that.

    Shapes: any. `order` 2 judges the gradient of the gradient too.
    Units:  errors are relative to the largest entry of a leaf, whatever its size.
    Raises: TypeError or ValueError, in one line, for what is no function, args or outputs without
            floats, complex ones, an operator without cases, or a backward of another form. What f
            itself raises passes through.
    Cost:   about 30 values of f per leaf, 4 per entry where a leaf has at most 32; two programs
            are compiled, and as many again where `cost` is asked for.
    Source: the adjoint identity: Claerbout 1992; extrapolation: Ridders 1982; what else a checker
            should do: README.md.
    """
    if order not in (1, 2):
        raise ValueError(f"check: order is 1 or 2, not {order!r}")
    dtype = None if dtype is None else _known(dtype)
    rows: list[Row] = []
    costs: dict[str, list[Cost]] = {}
    notes: dict[str, str] = {}
    for todo in _todo(f, args, backward, seed):
        if cost and todo.counts:
            costs[todo.name] = _cost(todo.subject, dtype)
        found, note = _rows(todo, dtype, seed)
        rows += found
        warnings = [] if args is None else cautions(todo.subject)
        notes[todo.name] = "\n".join([note, *warnings]).strip()
        if order == 2:
            rows += _second(todo, seed)
    notes = {name: note for name, note in notes.items() if note}
    return Report(tuple(rows), {k: c for k, c in costs.items() if c}, notes, _environment(seed))


def _known(dtype):
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in TOLERANCE:
        raise ValueError(
            f"check: dtype {name} is none of {', '.join(TOLERANCE)}{did_you_mean(name, TOLERANCE)}"
        )
    return name


class _Todo(NamedTuple):
    """What to judge, what to call it, and whether to measure its cost."""

    name: str
    subject: Subject
    impl: str = ""
    counts: bool = True


def _todo(f, args, backward, seed) -> Iterator[_Todo]:
    if args is not None:
        subject = subject_of(f, args, backward)
        yield _Todo(subject.name, subject)
        return
    if not isinstance(f, Op):
        raise TypeError("check: args are needed, as in check(f, (x, w)); only operators have cases")
    if not has_gradient(f):
        lacks = "no case with a floating argument" if f.cases else "no cases"
        raise TypeError(f"check: {f.name} has {lacks}; give args, as in check({f.name}, (x,))")
    for p in problems(f):
        yield _Todo(p.name, subject_in(p, seed), p.impl, counts=p.case is f.cases[0])


def subject_in(problem: CheckCase, seed: int) -> Subject:
    """A case of an operator as something to judge, its arguments drawn in float64."""
    with exactly():
        args = problem.case.draw(seed)
        return subject_of(partial(problem.op, **problem.options), args)


def _rows(todo: _Todo, dtype, seed) -> tuple[list[Row], str]:
    """A row per leaf, and a note on all of them."""
    subject, note = todo.subject, ""
    own = [dtype or _known(a.dtype) for a in subject.x]
    with exactly():
        x = [jnp.asarray(a, to) for a, to in zip(subject.x, own, strict=True)]
        try:
            machine = CompiledSubject(replace(subject, x=[jnp.asarray(a, "float64") for a in x]))
            _ = machine.y
        except Exception as refusal:  # some functions take no other dtype than their own
            if set(own) == {"float64"}:
                raise
            machine = CompiledSubject(replace(subject, x=x))
            _ = machine.y
            first = (str(refusal).splitlines() or [type(refusal).__name__])[0]
            note = f"Judged in {own[0]} only; in float64 it raises: {first}"
        e = gather(machine, seed, own[0])
        findings = verdicts(e, seed)
        alone = note or set(own) == {"float64"}
        short = None if alone else _claimed_in(replace(subject, x=x), e)
        rows = []
        for i, finding in enumerate(findings):
            error = None
            if short is not None and finding.verdict in (RIGHT, KINK) and own[i] != "float64":
                error, finding = _in_own(e, i, finding, own[i], short[i], seed)
            rows.append(_row(todo, e, i, finding, own[i], error))
    if not any(y.size for y in machine.y):
        note += "\nWarning: every output is empty, so every gradient but 0 is wrong."
    return rows, note


def _row(todo, e, i, finding: Finding, dtype, error) -> Row:
    mistake = _mistake(e, i, finding) if finding.verdict == WRONG else None
    G, R = e.claimed[i], None if e.right is None else e.right[i]
    off = None
    alike = R is not None and G.shape == R.shape and jnp.issubdtype(G.dtype, jnp.floating)
    if finding.verdict == WRONG and alike:
        off = np.asarray(np.abs(G.astype(np.float64) - R))
    return Row(
        problem=todo.name,
        leaf=e.compiled.subject.names[i],
        shape=e.compiled.x[i].shape,
        dtype=dtype,
        verdict=finding.verdict,
        error=finding.error,
        impl=todo.impl,
        own_error=error,
        at=finding.at,
        claimed=finding.claimed,
        autodiff=finding.autodiff,
        slopes=finding.slopes,
        mistake=mistake.kind if mistake else "",
        says=_said(e, finding, mistake),
        map=off,
    )


def _mistake(e, i, finding):
    """What the finding shows, or else a known mistake; at a kink, ties have a name of their own."""
    if not jnp.issubdtype(e.claimed[i].dtype, jnp.floating):
        return None
    shown = Mistake(finding.mistake, finding.says) if finding.mistake else None
    if shown is not None and shown.kind != "kink":
        return shown
    known = diagnose(e, i)
    return shown if shown is not None and (known is None or known.kind != "ties") else known


def _said(e, finding, mistake):
    """The sentence; where JAX's own gradient is wrong, what may make it so."""
    says = mistake.says if mistake else finding.says
    if finding.verdict == WRONG and e.right is None and e.compiled.traced:
        if not e.compiled.subject.by_rule:
            says += "; this is JAX's own gradient: is there a stop_gradient, or a custom_jvp?"
    return says.removeprefix("; ")


def _claimed_in(subject: Subject, e: Evidence) -> Leaves:
    """G as computed in the dtype of subject.x."""
    machine = CompiledSubject(replace(subject, independent=False))  # R is known
    try:
        types = jax.eval_shape(subject.plain, subject.x)
    except Exception:  # JAX cannot trace it
        types = machine.y
    dy = [d.astype(t.dtype) for d, t in zip(e.dy, types, strict=True)]
    (_, found), _ = machine.claimed(dy)
    return found


def _in_own(e, i, finding: Finding, own, G, seed) -> tuple[float, Finding]:
    """The error in the caller's dtype, and what that means where the formula is right."""
    right = (e.claimed[i] if e.right is None else e.right[i]).astype(np.float64)
    G = np.zeros_like(right) if G is None else np.asarray(G).astype(np.float64)
    if not np.isfinite(G).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(G))[0]))
        says = f"in {own}; in float64 it is {finding.verdict}"
        return np.inf, finding._replace(verdict=NOT_FINITE, at=at, claimed=float(G[at]), says=says)
    eps, off = float(jnp.finfo(own).eps), largest(G - right)
    of_0 = 30 * eps * largest(e.slopes.parts) / e.slopes.sizes[i]  # what rounding makes of 0
    top = (largest(right) if largest(right) > of_0 else of_0 / TOLERANCE[own]) or 1.0
    if off > max(TOLERANCE[own], e.loose[0]) * top and finding.verdict == RIGHT:
        rng = np.random.default_rng((seed, 3, i))
        if e.right is None or off > 30 * rounding(e, i, rng, eps):
            says = f"{own} loses its digits; in float64 it is right"
            finding = finding._replace(verdict=NOISY, says=says)
    return off / top, finding


def _second(todo: _Todo, seed) -> list[Row]:
    with exactly():
        x = [jnp.asarray(a, "float64") for a in todo.subject.x]
        machine = CompiledSubject(replace(todo.subject, x=x))
        dy = [jnp.asarray(d) for d in gather(machine, seed).dy]
        second = differentiated(machine.subject, dy)
        todo = todo._replace(name=f"{todo.name}, second order", subject=second)
        rows, _ = _rows(todo, None, seed)
        return rows


def _cost(subject, dtype) -> list[Cost]:
    """By hand, if it is, and by autodiff, at the caller's shapes and dtype."""
    wide = "float64" in {dtype or a.dtype.name for a in subject.x}
    with jax.enable_x64(wide), gradients("hand"):
        x = [jnp.asarray(a, dtype or a.dtype) for a in subject.x]
        ways = {"by hand": subject.whole, "by autodiff": subject.plain}
        if not subject.independent:
            del ways["by hand"]
        try:
            return compare(ways, (x,))
        except Exception:  # a NumPy function is not compiled
            return []


def _environment(seed) -> dict[str, Any]:
    device = next(iter(jnp.zeros(()).devices()))
    return {
        "jax": jax.__version__,
        "device": f"{device.platform} {device.device_kind}",
        "matmul precision": "highest",
        "seed": seed,
    }
