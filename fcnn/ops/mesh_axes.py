"""Mesh axes along which a value varies under shard_map, where they are part of its type."""

import jax
from jax import lax


def cotangent_of(aval, cotangent):
    """`cotangent`, varying along the mesh axes of its primal `aval`; None stays None.

    Devices that share an input compute one cotangent each, and these are summed. A cotangent that
    is equal on all devices, such as zeros, is marked as varying.
    """
    if cotangent is None:
        return None
    extra = tuple(sorted(_varying(jax.typeof(cotangent)) - _varying(aval)))
    return _marked(lax.psum(cotangent, extra) if extra else cotangent, _varying(aval))


def varying_like(a, *others):
    """`a`, marked as varying along the mesh axes along which any of `others` varies.

    A loop that adds varying values to zeros needs zeros that are marked as varying.
    """
    return _marked(a, frozenset().union(*(_varying(jax.typeof(other)) for other in others)))


def _marked(a, axes):
    missing = tuple(sorted(axes - _varying(jax.typeof(a))))
    return lax.pcast(a, missing, to="varying") if missing else a


def _varying(aval):
    manual = getattr(aval, "manual_axis_type", None)  # since jax 0.10.2; `vma` before
    return frozenset(manual.varying) if manual is not None else aval.vma
