"""Which mesh axes a value varies along, under shard_map."""

import jax
from jax import lax


def sum_to_type(aval, cotangent):
    """Sum `cotangent` over the mesh axes along which it varies and its primal `aval` does not.

    Devices that share an input each have a cotangent of their own for it.
    """
    if cotangent is None:
        return None
    extra = tuple(sorted(_varying(jax.typeof(cotangent)) - _varying(aval)))
    return lax.psum(cotangent, extra) if extra else cotangent


def _varying(aval):
    manual = getattr(aval, "manual_axis_type", None)  # since jax 0.10.2; `vma` before
    return frozenset(manual.varying) if manual is not None else aval.vma
