"""Arguments of any operator, with a symbolic or a given number of examples.

The annotations of an operator show which of its arrays have a batch axis: the axis n, or the first
of the axes *n or ..., which stand for any number of axes. Arrays without a batch axis, such as
weights, keep their shapes.
"""

from typing import get_args

import jax
import numpy as np

M, N = jax.export.symbolic_shape("m, n")
PLATFORMS = ("cpu", "cuda", "tpu")


def batch_axes(op, args):
    """0 for each argument that has a batch axis, and None for each argument without one."""
    annotations = [op.signature.parameters[name].annotation for name in op.arrays]
    return tuple(0 if has_batch(*each) else None for each in zip(annotations, args, strict=True))


def has_batch(annotation, a):
    """Whether the first axis of the array `a` is a batch."""
    if a is None:
        return False
    for kind in get_args(annotation) or (annotation,):
        first, *rest = getattr(kind, "dim_str", "").split() or [""]
        if first in ("*n", "...") and a.ndim > len(rest):
            return True
        fits = a.ndim == 1 + len(rest) or any(letter[0] in "*." for letter in rest)
        if fits and (first == "n" or (first == "#n" and a.shape[0] > 1)):
            return True
    return False


def types_of_batch(op, args, *batch):
    """The types of the arguments, where axes of sizes `batch` replace the batch axis."""
    shape = lambda a, axis: a.shape if axis is None else (*batch, *a.shape[1:])
    type_of = lambda a, axis: a if a is None else jax.ShapeDtypeStruct(shape(a, axis), a.dtype)
    return tuple(map(type_of, args, batch_axes(op, args)))


def with_batch(op, args, *batch):
    """The arguments, where axes of sizes `batch` replace the batch axis. Examples are repeated."""
    indices = lambda a: np.arange(np.prod(batch)).reshape(batch) % a.shape[0]
    repeated = lambda a, axis: a if axis is None else a[indices(a)]
    return tuple(map(repeated, args, batch_axes(op, args)))


def exported(f, *types, platforms=PLATFORMS):
    """A function that calls the exported program of f."""
    return jax.export.export(jax.jit(f), platforms=platforms)(*types).call
