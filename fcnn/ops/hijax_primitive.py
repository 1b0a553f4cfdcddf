"""A hand-derived gradient as a hijax primitive, which supports every transformation of JAX.

A hijax primitive has a reverse rule *and* a forward rule, so grad, jvp, linearize, jacfwd, hessian,
grad of grad, vmap of the gradient, checkpoint, scan, sharded jit, shard_map and export all work.
Sizes of batches and of mapped axes may be symbolic in export. Reverse mode uses the hand-derived
rule. Forward mode, and jax.checkpoint, which is built on it, differentiate the plain forward
function. Under vmap, the primitive of `Mapped(op)` replaces the primitive of `op`. `Mapped(op)`
applies `jax.vmap` to the forward function and the rules of `op`. If `op` has a function
`under_vmap`, JAX maps that function instead. JAX may trace a rule after the user's code has left
`jax.default_matmul_precision` or `jax.enable_x64`, so the primitive stores both settings, and its
rules run under them.

hijax is experimental. No other module uses it. `hijax_promises.py` tests what we rely on.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax._src.interpreters.batching import infer  # in vmap's out_axes: mapped axes are inferred
from jax.core import Tracer
from jax.experimental import hijax
from jax.experimental.hijax import Zero, instantiate_zeros

from fcnn.ops.mesh_axes import cotangent_of
from fcnn.ops.returned import require_y_of_forward

# HiPrim since jax 0.11.2, VJPHiPrimitive before.
Primitive: Any = getattr(hijax, "HiPrim", None) or getattr(hijax, "VJPHiPrimitive", None)
if Primitive is None:
    raise ImportError("jax.experimental.hijax has neither HiPrim nor VJPHiPrimitive")


class CustomGradient(Primitive):
    """The primitive of an operator for given types and options."""

    op: Any
    options: tuple[tuple[str, Any], ...]
    settings: "Settings"
    skip_linearization_on_zero_tangents = True  # then `forward` runs, not the hand-derived rule

    def __init__(self, op, options, types):
        settings = Settings.now()
        self.in_avals = types
        # JAX compares primitives by these values, and makes the values attributes:
        self.params = {"op": op, "options": options, "types": types, "settings": settings}
        self.forward = settings.around(partial(op.forward, **dict(options)))
        traced, y = jax.make_jaxpr(self.forward, return_shape=True)(*types)
        if any(isinstance(constant, Tracer) for constant in traced.consts):
            raise TypeError(
                f"{op.name}: uses a traced array that is not an argument; pass it as an argument"
            )
        self.out_aval = jax.tree.unflatten(jax.tree.structure(y), traced.out_avals)
        super().__init__()

    def expand(self, *arrays):
        return self.forward(*_as_arrays(arrays))

    def vjp_fwd(self, nzs_in, *arrays):
        y_and_saved = self.settings.around(self.op.fwd_rule)(
            *_as_arrays(arrays), **dict(self.options)
        )
        require_y_of_forward(self.op.name, y_and_saved[0], self.out_aval)
        return y_and_saved

    def vjp_bwd_retval(self, saved, dy):
        dy = jax.tree.map(jnp.asarray, _filled(dy))
        cotangents = self.settings.around(self.op.bwd_rule)(saved, dy, **dict(self.options))
        return tuple(map(cotangent_of, self.in_avals, cotangents))

    def jvp(self, primals, tangents):
        return jax.jvp(self.forward, _as_arrays(primals), _filled(tangents))

    def lin(self, nzs_in, *primals):
        return jax.linearize(self.forward, *_as_arrays(primals))

    def linearized(self, residuals, *tangents):
        return residuals(*_filled(tangents))

    def transpose(self, dy, *args):
        """The operator is linear in the arguments that can accumulate a cotangent."""
        free = [i for i, a in enumerate(args) if hasattr(a, "accum")]

        def linear(*given):
            values = dict(zip(free, given, strict=True))
            return self.forward(*(values.get(i, a) for i, a in enumerate(args)))

        transposed = jax.linear_transpose(linear, *(self.in_avals[i] for i in free))
        for i, dx in zip(free, transposed(_filled(dy)), strict=True):
            args[i].accum(dx)

    def batch(self, axis_data, args, dims):
        names = [name for _, v in self.options for name in (v if isinstance(v, tuple) else (v,))]
        if not jax.tree.leaves(dims) and axis_data.name not in names:
            return self(*args), jax.tree.map(lambda _: None, self.out_aval)
        spmd = axis_data.spmd_name or axis_data.explicit_mesh_axis
        mapped = Mapped(self.op, dims, axis_data.size, axis_data.name, spmd)
        options = dict(self.options)
        if hasattr(self.op, "under_vmap"):
            run = mapped.vmap(self.op.under_vmap, options, dims, 0)
            y = self.settings.around(run)(*args)
        else:
            y = self.settings.around(by_hijax)(mapped, args, options)
        return y, jax.tree.map(lambda _: 0, self.out_aval)


@dataclass(frozen=True)
class Settings:
    """The settings of JAX that change the values or the dtypes of an operator."""

    matmul_precision: str | None
    x64: bool

    @classmethod
    def now(cls):
        names = "jax_default_matmul_precision", "jax_enable_x64"
        return cls(*(getattr(jax.config, name) for name in names))

    def around(self, f: Callable) -> Callable:
        @wraps(f)
        def run(*args, **options):
            with jax.default_matmul_precision(self.matmul_precision), jax.enable_x64(self.x64):
                return f(*args, **options)

        return run


@dataclass(frozen=True)
class Mapped:
    """An operator under vmap. `dims` has the mapped axis of each array, or None.

    Outputs are mapped along axis 0.
    """

    op: Any
    dims: tuple[int | None, ...]
    size: Any  # an int, or symbolic
    axis_name: Hashable
    spmd_axis_name: Hashable

    @property
    def name(self) -> str:
        return self.op.name

    def forward(self, *arrays, **options):
        return self.vmap(self.op.forward, options, self.dims, 0)(*arrays)

    def fwd_rule(self, *arrays, **options):
        """Residuals that are not mapped, such as shared weights, are saved once."""
        run = self.vmap(self.op.fwd_rule, options, self.dims, (0, infer))
        (y, saved), (_, dims) = run(*arrays)
        leaves, structure = jax.tree.flatten(dims, is_leaf=lambda dim: dim is None)
        return y, (saved, Dims(tuple(leaves), structure))

    def bwd_rule(self, saved, dy, **options):
        saved, dims = saved
        dims = jax.tree.unflatten(dims.structure, dims.leaves)
        each = self.vmap(self.op.bwd_rule, options, (dims, 0), 0)(saved, dy)
        return tuple(map(_from_front, each, self.dims))

    def vmap(self, f: Callable, options, in_axes, out_axes):
        axis = {"axis_size": self.size, "axis_name": self.axis_name}
        axis["spmd_axis_name"] = self.spmd_axis_name
        return jax.vmap(partial(f, **options), in_axes, out_axes, **axis)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Dims:
    """The mapped axis of each leaf of a pytree, or None, and the structure of the pytree."""

    leaves: tuple[int | None, ...]
    structure: Any


def by_hijax(op, arrays, options):
    """`op.forward(*arrays, **options)`, differentiated in reverse mode by the rule of `op`."""
    return CustomGradient(op, tuple(options.items()), jax.tree.map(jax.typeof, arrays))(*arrays)


def _as_arrays(given):
    """`given` as arrays: JAX passes Python numbers unconverted."""
    return jax.tree.map(jnp.asarray, given)


def _filled(tangents):
    """`tangents` with arrays in place of symbolic zeros."""
    return jax.tree.map(instantiate_zeros, tangents, is_leaf=lambda t: isinstance(t, Zero))


def _from_front(cotangent, dim):
    """The cotangent of an array, from one cotangent per index of the mapped axis."""
    if cotangent is None:
        return None
    return cotangent.sum(0) if dim is None else jnp.moveaxis(cotangent, 0, dim)
