"""The checkers that are compared, each as anybody would call it.

    fcnn          fcnn.check(forward, args, backward=backward)
    jax float32   jax.test_util.check_grads of a custom_vjp function, in JAX's default dtype
    jax float64   the same in float64
    torch         torch.autograd.gradcheck of an autograd.Function, in float64

torch is asked in its fast mode where arguments and outputs have more than SLOW entries. Where that
disagrees, it goes on to build a dense Jacobian for its message, 8 TB for a million entries: that
part is left out, which changes no verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

import fcnn
from experiments.checkers.problem import CheckerProblem
from fcnn.checker.subject import Subject, subject_of

SLOW = 300


@dataclass(frozen=True)
class Answer:
    """What a checker said of a problem: "" where all is right, else its words."""

    says: str
    seconds: float  # compilation included: that is what people wait for

    @property
    def right(self) -> bool:
        return not self.says


def run_checker(judge: str, problem: CheckerProblem) -> Answer:
    """A checker that raises, whatever it raises, has told its user that something is wrong."""
    start = perf_counter()
    try:
        with jax.enable_x64(judge != "jax float32"):
            says = JUDGES[judge](problem)
    except Exception as wrong:
        says = type(wrong).__name__
    return Answer(says, perf_counter() - start)


def by_fcnn(problem: CheckerProblem) -> str:
    """The mistakes that it names, or else its verdicts."""
    report = fcnn.check(problem.forward, problem.args(), backward=problem.backward, cost=False)
    return " and ".join(sorted({row.mistake or row.verdict for row in report.rows if not row.ok}))


def by_jax(problem: CheckerProblem) -> str:
    """In reverse mode: custom_vjp has no other."""
    subject = _subject(problem)
    check_grads(jax.jit(lambda *x: subject.whole(list(x))), subject.x, order=1, modes=["rev"])
    return ""


def by_torch(problem: CheckerProblem) -> str:
    """Forward and backward run in JAX; torch differentiates numerically and compares."""
    import torch  # pyright: ignore[reportMissingImports]  # of the extra parity, which dev lacks

    subject = _subject(problem)
    run, pull = jax.jit(subject.plain), lambda x, dy: subject.claimed(x, dy)[1]
    pull = pull if problem.kind == "not deterministic" else jax.jit(pull)
    to_jax = lambda tensors: [jnp.asarray(a.detach().numpy()) for a in tensors]
    to_torch = lambda arrays: tuple(
        None if a is None else torch.tensor(np.asarray(a, np.float64)) for a in arrays
    )

    class Judged(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *x):
            ctx.x = to_jax(x)
            return to_torch(run(ctx.x))

        @staticmethod
        def backward(ctx, *dy):
            return to_torch(pull(ctx.x, to_jax(dy)))

    x = [torch.tensor(np.asarray(a, np.float64), requires_grad=True) for a in subject.x]
    size = sum(a.numel() for a in x) + sum(y.size for y in run(subject.x))
    with patch("torch.autograd.gradcheck._run_slow_mode_and_get_error", return_value=""):
        torch.autograd.gradcheck(Judged.apply, x, fast_mode=size > SLOW)
    return ""


def _subject(problem: CheckerProblem) -> Subject:
    return subject_of(problem.forward, problem.args(), problem.backward)


JUDGES: dict[str, Callable[[CheckerProblem], str]] = {
    "fcnn": by_fcnn,
    "jax float32": by_jax,
    "jax float64": by_jax,
}
if find_spec("torch"):
    JUDGES["torch"] = by_torch
