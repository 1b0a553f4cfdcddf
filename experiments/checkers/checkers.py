"""The checkers that are compared, each called as its documentation shows.

    fcnn          fcnn.check(forward, args, backward=backward)
    jax float32   jax.test_util.check_grads of a custom_vjp function, in JAX's default dtype
    jax float64   jax.test_util.check_grads of a custom_vjp function, in float64
    torch         torch.autograd.gradcheck of an autograd.Function, in float64

torch runs in its fast mode if arguments and outputs have more than SLOW entries. If fast mode
finds an error, torch builds a dense Jacobian for its message, 8 TB for a million entries. This
experiment skips the Jacobian, which changes no verdict.
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

SLOW = 300  # for more entries than this, torch runs in its fast mode


@dataclass(frozen=True)
class Answer:
    """The answer of a checker: "" if it accepts the gradient, else its message."""

    message: str
    seconds: float  # compilation included, because users wait for it

    @property
    def accepted(self) -> bool:
        return not self.message


def run_checker(checker: str, problem: CheckerProblem) -> Answer:
    """The answer of a checker. An exception is a rejection, with its class name as the message."""
    start = perf_counter()
    try:
        with jax.enable_x64(checker != "jax float32"):
            message = CHECKERS[checker](problem)
    except Exception as error:
        message = type(error).__name__
    return Answer(message, perf_counter() - start)


def by_fcnn(problem: CheckerProblem) -> str:
    """The mistakes that fcnn.check names; for a leaf without a named mistake, the verdict."""
    report = fcnn.check(problem.forward, problem.args(), backward=problem.backward, cost=False)
    return " and ".join(sorted({row.mistake or row.verdict for row in report.rows if not row.ok}))


def by_jax(problem: CheckerProblem) -> str:
    """check_grads in reverse mode, the only mode of a custom_vjp function."""
    subject = _subject(problem)
    x = [jnp.asarray(np.asarray(a)) for a in subject.x]  # float32, unless float64 is enabled
    check_grads(jax.jit(lambda *x: subject.differentiable(list(x))), x, order=1, modes=["rev"])
    return ""


def by_torch(problem: CheckerProblem) -> str:
    """gradcheck of an autograd.Function whose forward and backward passes run in JAX."""
    import torch  # pyright: ignore[reportMissingImports]  # in the extra parity, not in dev

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


CHECKERS: dict[str, Callable[[CheckerProblem], str]] = {
    "fcnn": by_fcnn,
    "jax float32": by_jax,
    "jax float64": by_jax,
}
if find_spec("torch"):
    CHECKERS["torch"] = by_torch
