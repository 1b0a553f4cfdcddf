"""Complex arrays as real arrays with a last axis of parts, so that all tests see real numbers.

    z = a + i b   of shape s   ->   (a, b)   of shape (*s, 2)

A gradient follows JAX's convention. For a real loss L, the cotangent of z, as jax.vjp and jax.grad
return it, is

    dz = dL/da - i dL/db   ->   (dL/da, dL/db)

So dL = Re(sum dz δz), and dz = f'(z) dy for a holomorphic f, without a conjugate. PyTorch returns
the conjugate of this dz.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from fcnn.ops.arrays import is_float

OF_PARTS = {"float32": "complex64", "float64": "complex128"}  # complex dtype by dtype of its parts


def is_complex(leaf: Any) -> bool:
    """Whether a leaf is an array of complex numbers, or a Python complex number."""
    if hasattr(leaf, "dtype"):
        return bool(jnp.issubdtype(leaf.dtype, jnp.complexfloating))
    return type(leaf) is complex


def has_gradient(leaf: Any) -> bool:
    """Whether a leaf holds floats or complex numbers."""
    return is_float(leaf) or is_complex(leaf)


def split(z: Any) -> Any:
    """The parts of z; an array of floats is returned as it is."""
    return _numpy_or_jax(z).stack([z.real, z.imag], -1) if is_complex(z) else z


def join(parts: Any) -> Any:
    """The complex array with these parts."""
    if isinstance(parts, np.ndarray):
        z = np.empty(parts.shape[:-1], OF_PARTS[parts.dtype.name])
        z.real, z.imag = parts[..., 0], parts[..., 1]
        return z
    return lax.complex(parts[..., 0], parts[..., 1])


def split_cotangent(dz: Any) -> Any:
    """The parts of the cotangent of a complex array; only one part if dz is not complex."""
    if not is_complex(dz):
        return _numpy_or_jax(dz).asarray(dz)[..., None]
    return _numpy_or_jax(dz).stack([dz.real, -dz.imag], -1)


def join_cotangent(parts: Any) -> Any:
    """The cotangent with these parts, or its real part if there is only one part."""
    return join(parts).conj() if parts.shape[-1] == 2 else parts[..., 0]


def _numpy_or_jax(a: Any) -> Any:
    return np if isinstance(a, np.ndarray | np.generic | int | float | complex) else jnp
