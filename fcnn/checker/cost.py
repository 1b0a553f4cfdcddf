"""Seconds, FLOP and bytes of the claimed backward pass and of the backward pass by autodiff."""

import jax
import jax.numpy as jnp

from fcnn.bench import Cost, compare
from fcnn.checker.subject import Subject
from fcnn.ops import gradients


def costs_of(subject: Subject, dtype: str | None) -> list[Cost]:
    """Costs at the caller's shapes and dtype; an empty list if JAX cannot compile the function."""
    x64 = "float64" in {dtype or a.dtype.name for a in subject.x}
    with jax.enable_x64(x64), gradients("hand"):
        x = [jnp.asarray(a, dtype or a.dtype) for a in subject.x]
        ways = {"by hand": subject.differentiable, "by autodiff": subject.plain}
        if not subject.independent:
            del ways["by hand"]
        try:
            return compare(ways, (x,))
        except Exception:  # a NumPy function
            return []
