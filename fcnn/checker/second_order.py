"""The second-order subject: the gradient of a subject at one dy, as a function of x.

    plain(x)      Jᵀ dy by reverse autodiff of the plain function
    claimed(x)    the claimed gradient at dy

JAX differentiates the operations of both by autodiff.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from fcnn.checker.compiled import CompiledSubject, exactly
from fcnn.checker.evidence import cotangent
from fcnn.checker.subject import Subject, by_vjp


def second_order(subject: Subject, seed: int) -> Subject:
    """The gradient of `subject` at a random dy, as a new subject in float64."""
    with exactly():
        x = [jnp.asarray(a, "float64") for a in subject.x]
        first = CompiledSubject(replace(subject, x=x))
        dy = [jnp.asarray(d) for d in cotangent(first, seed)]

    def claimed(x):
        found = subject.claimed(x, dy)[1]
        return [jnp.zeros_like(a) if g is None else g for g, a in zip(found, x, strict=True)]

    return replace(
        subject,
        name=f"{subject.name}, second order",
        x=x,
        plain=lambda x: jax.vjp(subject.plain, x)[1](dy)[0],
        claimed=by_vjp(claimed, subject.name),
        complex_y=list(subject.complex_x),
        differentiable=claimed,
        timed=False,
    )
