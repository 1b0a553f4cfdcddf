"""The check of a gradient, step by step: from a function and its arguments to a report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import jax
import jax.numpy as jnp

from fcnn.bench.machine import device_name
from fcnn.checker.caller_dtype import in_caller_dtype
from fcnn.checker.cases import count_of, subjects_of
from fcnn.checker.caution import cautions
from fcnn.checker.compiled import compiled_in_float64, exactly
from fcnn.checker.cost import costs_of
from fcnn.checker.diagnosis import Diagnosis
from fcnn.checker.diagnosis.context import WHERE
from fcnn.checker.evidence import dtype_of, gather, known_dtype
from fcnn.checker.explanation import row_of
from fcnn.checker.kink import judge_together
from fcnn.checker.progress import Progress
from fcnn.checker.report import Report
from fcnn.checker.row import Row
from fcnn.checker.second_order import second_order
from fcnn.checker.status_line import since, status_line
from fcnn.checker.subject import Subject
from fcnn.checker.together import few_directions
from fcnn.checker.verdict import KINK, WRONG, Finding, verdicts

QUIET = 2.0  # seconds until `check` shows its position on a terminal


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
    """Check the gradient of `f` at `args`, and name the mistake in a wrong gradient.

    f is an operator of fcnn, a function by `fcnn.custom_gradient`, a `jax.custom_vjp` or
    `jax.custom_jvp` function, or any function of arrays and pytrees, in JAX or NumPy. The claimed
    gradient is compared in float64 with reverse and forward autodiff of f without hand-written
    rules, and with finite differences. A correct gradient is then computed and compared in the
    caller's dtype too.

    Shapes: args: any pytrees; each array of floats or complex numbers in them is a leaf, and has a
            row in the report. The `nondiff_argnums` of a `jax.custom_vjp` function have no row.
    Options:
        backward: the claimed gradient: a function (*args, dy) -> one cotangent, or None, for each
            argument; or a pair (fwd, bwd) as for `jax.custom_vjp`. dy has the structure of f's
            output. Default: the gradient that f already has.
        dtype: compute the gradient in this dtype too: float64, float32, float16 or bfloat16.
            Default: the dtypes of `args`.
        order: 2 checks the gradient of the gradient too.
        cost: measure seconds, FLOP and bytes of the backward pass.
        seed: seed of the random cotangent dy and the random directions.
    Units:  errors are relative to the largest entry of a leaf. Complex gradients follow JAX's
            convention, as jax.vjp and jax.grad return them: dz = dL/da - i dL/db for z = a + i b,
            so dz = f'(z) dy, without a conjugate. PyTorch returns the conjugate.
    Raises: TypeError if f is not callable, if args or outputs have no floats, or if an operator
            without cases has no args; ValueError for an unknown order or dtype, or a backward that
            does not return one gradient per argument. An error of f or of backward becomes a
            RuntimeError that names the function, file and line; its `__cause__` is the error.
    Cost:   about 30 evaluations of f per leaf. Leaves of at most 32 entries add 4 evaluations per
            entry. More than 8 leaves share evaluations if autodiff confirms each entry. A slow f is
            evaluated for at most about 40 seconds, and the report states what is left out. Two
            programs are compiled, and up to three more for `cost`.
    Source: Claerbout (1992), Earth Soundings Analysis (adjoint test <dy, J v> = <G, v>); Ridders
            (1982), Accurate computation of F'(x) (extrapolated differences).

    >>> x = jnp.array([0.5, -1.0, 2.0])
    >>> report = fcnn.check(jnp.tanh, (x,), backward=lambda x, dy: (dy * (1 - x**2),), cost=False)
    >>> report.ok, report.rows[0].verdict, report.rows[0].mistake
    (False, 'wrong', 'wrong derivative')
    >>> report.rows[0].says
    'is dy (1 − x²): compare it with dy f′(x) (every entry, to 1e-16)'
    """
    progress, started = Progress(), monotonic()
    options = {"backward": backward, "dtype": dtype, "order": order, "cost": cost, "seed": seed}
    with status_line(lambda: f"check: {progress}  {since(started)}", after=QUIET):
        run(f, args, progress, **options)
    return report_of(progress, seed)


def run(
    f: Callable,
    args: Sequence[Any] | None,
    progress: Progress,
    *,
    backward: Any,
    dtype: Any,
    order: int,
    seed: int,
    cost: bool = True,
) -> None:
    """Check as `check` does, and add each row to `progress` as soon as it is judged."""
    if order not in (1, 2):
        raise ValueError(f"check: unknown order {order!r}; expected 1 or 2")
    dtype = None if dtype is None else known_dtype(dtype)
    progress.cases = count_of(f, args)
    for subject in subjects_of(f, args, backward, seed):
        progress.enter(subject.name, order * len(subject.x))
        _judge(subject, dtype, seed, progress)
        if order == 2:
            _judge(second_order(subject, seed), None, seed, progress, order=2)
        progress.leaf = progress.leaves + 1
        progress.note(*([] if args is None else cautions(subject)))
        if cost and subject.timed and (measured := costs_of(subject, dtype)):
            progress.costs[subject.name] = measured


def report_of(progress: Progress, seed: int, interrupted: str = "") -> Report:
    """The report with the rows judged so far."""
    rows = tuple(progress.rows)
    return Report(rows, progress.costs, progress.notes, _environment(seed), interrupted)


def _judge(
    subject: Subject, dtype: str | None, seed: int, progress: Progress, order: int = 1
) -> None:
    """Add one row per leaf, and notes on the subject.

    The row of a leaf at a kink is added last, because kinks are judged together.
    """
    leaves = zip(subject.x, subject.complex_x, strict=True)
    dtypes = [dtype_of(a, of_parts, dtype) for a, of_parts in leaves]
    with exactly():
        x = [jnp.asarray(a, to) for a, to in zip(subject.x, dtypes, strict=True)]
        subject = replace(subject, x=x)
        compiled, notes = compiled_in_float64(subject)
        e = gather(compiled, seed, dtypes[0])
        in_own_dtype = None if notes else in_caller_dtype(subject, e, seed)
        if not any(y.size for y in compiled.y):
            notes = [*notes, "Warning: every output is empty, so every gradient except 0 is wrong."]
        progress.note(*(notes if order == 1 else []))
        diagnosis = Diagnosis(e, seed)

        def row(i: int, finding: Finding) -> Row:
            finding, error = in_own_dtype(i, finding) if in_own_dtype else (finding, None)
            return row_of(diagnosis, i, finding, dtypes[i], error)

        findings: list[Finding] = []
        first, judged = len(progress.rows), {}
        progress.leaf = (order - 1) * len(x) + 1
        for i, finding in enumerate(verdicts(e, seed)):
            findings.append(finding)
            if finding.verdict != KINK:
                judged[i] = row(i, finding)
                progress.rows.append(judged[i])
            progress.leaf = min(progress.leaf + 1, progress.leaves)
        for i, finding in enumerate(judge_together(e, findings, seed)):
            if i not in judged:
                judged[i] = row(i, finding)
        progress.rows[first:] = [judged[i] for i in range(len(findings))]
        progress.note(*(few_directions(e) if order == 1 else []))
        wrong = [r for r in judged.values() if r.verdict == WRONG and not r.exact]
        if any(r.mistake in WHERE for r in wrong) and not compiled.traced:
            progress.note(
                f"Note: {subject.name} is in NumPy, so only simple mistakes are named; in "
                "jax.numpy, it would be searched step by step."
            )


def _environment(seed: int) -> dict[str, Any]:
    device = next(iter(jnp.zeros(()).devices()))
    return {
        "jax": jax.__version__,
        "device": device_name(device),
        "matmul precision": "highest",
        "seed": seed,
    }
