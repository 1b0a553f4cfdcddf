"""The subject of a check: a function at one point, and the gradient claimed for it there.

A subject has two functions. Here x are the floating leaves of the arguments, and dy are the
cotangents of the floating outputs. A complex leaf is real in x, with its parts in a last axis of 2,
and so are its cotangent in dx and a complex output (`complex_parts.py`):

    plain(x)        -> y       the function without hand-written rules, for autodiff
    claimed(x, dy)  -> y, dx   the claimed gradient dx, by a rule (`backward_rules.py`) or by
                               jax.vjp, and the output y of the rule's forward pass

JAX cannot trace NumPy functions, so their gradients are compared only with finite differences.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.apply_rule import apply_rule, require_array
from fcnn.checker.backward_rules import (
    has_own_rule,
    name_of,
    rule_of,
    static_arguments,
    with_rule,
)
from fcnn.checker.complex_parts import (
    OF_PARTS,
    has_gradient,
    is_complex,
    join,
    split,
    split_cotangent,
)
from fcnn.checker.in_jax import in_jax
from fcnn.checker.outputs import outputs
from fcnn.checker.raised import named, raising
from fcnn.checker.strip_rules import has_rules, strip_custom_rules
from fcnn.ops import gradients
from fcnn.ops.arrays import as_array
from fcnn.ops.returned import described

Leaves = list[Any]


@dataclass(frozen=True)
class Subject:
    """The two functions, the leaves x, and their names.

    complex_x:      for each leaf, whether it is complex.
    complex_y:      the same for each output; empty before the first call of plain.
    traceable:      claimed, where NumPy functions become JAX functions if possible (`in_jax.py`).
    differentiable: returns y as plain does; JAX differentiates it by the claimed gradient.
    independent:    whether autodiff of plain is a reference, not the claimed gradient itself.
    by_rule:        whether the claimed gradient is a hand-written rule.
    impl:           the implementation of an operator, else empty.
    timed:          whether the cost is measured. For an operator, only the first case is timed.
    """

    name: str
    names: tuple[str, ...]  # of the leaves, such as params/conv1/w
    x: Leaves
    plain: Callable[[Leaves], Leaves]
    claimed: Callable[[Leaves, Leaves], tuple[Leaves, Leaves]]
    traceable: Callable[[Leaves, Leaves], tuple[Leaves, Leaves]]
    differentiable: Callable[[Leaves], Leaves]
    independent: bool
    by_rule: bool
    complex_x: tuple[bool, ...]
    complex_y: list[bool]
    impl: str = ""
    timed: bool = True

    @property
    def arrays(self) -> list[np.ndarray]:
        """The leaves as the caller passed them."""
        each = zip(map(np.asarray, self.x), self.complex_x, strict=True)
        return [join(a) if of_parts else a for a, of_parts in each]

    def shape(self, i: int) -> tuple[int, ...]:
        """The shape of leaf i as the caller passed it."""
        return self.x[i].shape[:-1] if self.complex_x[i] else self.x[i].shape

    def where(self, i: int, at: tuple[int, ...]) -> str:
        """An entry of leaf i: x[2,0], or z[2,0].imag for a part of a complex entry."""
        of_parts = self.complex_x[i]
        part = (".real", ".imag")[at[-1]] if of_parts else ""
        index = ",".join(map(str, at[:-1] if of_parts else at))
        return f"{self.names[i]}[{index}]".removesuffix("[]") + part

    def is_of_kind(self, i: int, G: Any) -> bool:
        """Whether G is complex for a complex leaf, and floating for any other leaf."""
        of_parts = G.ndim > 0 and G.shape[-1] == 2
        is_float = bool(jnp.issubdtype(G.dtype, jnp.floating))
        return is_float and (of_parts or not self.complex_x[i])

    def misfit(self, i: int, G: Any) -> str:
        """The sentence on a gradient of another shape or kind than leaf i."""
        dtype, shape, kind = G.dtype.name, G.shape, "floating"
        if self.complex_x[i]:
            kind, shape = "complex", G.shape[:-1]
            dtype = OF_PARTS.get(dtype, dtype) if self.is_of_kind(i, G) else dtype
        return f"is {dtype}{shape}; it must be {kind}, of shape {self.shape(i)}"


def subject_of(f: Callable, args: Sequence[Any], backward: Any = None) -> Subject:
    """`f` at `args`, with the gradient that `backward` or f itself claims.

    Raises: TypeError or ValueError, in one line, if f is not callable, if args have no floats, or
            if backward is neither a function nor a pair of functions. plain and claimed raise
            TypeError, in one line, if outputs have no floats; ValueError if a rule returns
            anything but y and cotangents; RaisedError for an error of f or of a rule.
    """
    if not callable(f):
        raise TypeError(f"check: f must be a function, not {f!r:.60}")
    if not isinstance(args, tuple | list):
        raise TypeError(
            f"check: args must be a tuple, not {type(args).__name__}; write (x, w), or (x,)"
        )
    args, name = tuple(args), name_of(f)
    paths, tree = jax.tree.flatten_with_path(args)
    static = static_arguments(f)
    moves = lambda path, leaf: path[0].idx not in static and has_gradient(leaf)
    positions = [i for i, (path, leaf) in enumerate(paths) if moves(path, leaf)]
    other_array = lambda leaf: isinstance(leaf, np.ndarray) and not has_gradient(leaf)
    name_of_leaf = lambda path: f"check: {_path(f, path)}"
    leaves = [as_array(name_of_leaf(p), leaf) if other_array(leaf) else leaf for p, leaf in paths]
    for path, leaf in paths:
        if _hides_arrays(leaf) and path[0].idx not in static:
            kind = type(leaf).__name__
            advice = "pass its arrays, or register it with jax.tree_util.register_dataclass"
            raise TypeError(f"check: {_path(f, path)} is a {kind}, which is not a pytree; {advice}")
    if not positions:
        raise TypeError(
            f"check: {name} has no floating argument, so there is no gradient; "
            f"args are {described(args)}"
        )
    complex_x = tuple(is_complex(leaves[i]) for i in positions)
    complex_y: list[bool] = []

    def args_of(x):
        full = list(leaves)
        for i, a, of_parts in zip(positions, x, complex_x, strict=True):
            full[i] = join(a) if of_parts else a
        return jax.tree.unflatten(tree, full)

    def on_leaves(g):
        def call(x):
            with raising(name, f):
                y = g(*args_of(x))
            complex_y[:] = [is_complex(a) for a in jax.tree.leaves(y) if has_gradient(a)]
            return outputs(name, y)

        return call

    with jax.enable_x64(True):
        x = [split(as_array(name_of_leaf(paths[i][0]), leaves[i])) for i in positions]
    rule = rule_of(f, backward)
    plain = f.fun if isinstance(f, jax.custom_vjp | jax.custom_jvp) else f
    if rule is None:
        differentiable, claimed = on_leaves(f), by_vjp(on_leaves(f), name)
        traceable = claimed
        independent = isinstance(f, jax.custom_jvp) or _has_rules(on_leaves(f), x)
    else:
        own = backward is None and has_own_rule(f)
        differentiable = on_leaves(f if own else with_rule(f, rule, tree.children()))
        leaf_names = [_path(f, paths[i][0]) for i in positions]
        is_pair = isinstance(backward, tuple) or own
        fwd = named(f"fwd of {name}" if is_pair else name, rule[0])
        bwd = named(f"{'bwd' if is_pair else 'the backward'} of {name}", rule[1])

        def by_rule(fwd, bwd, x, dy):
            y, each = apply_rule((fwd, bwd), name, args_of(x), tree, dy)
            dx = []
            for i, leaf, of_parts in zip(positions, leaf_names, complex_x, strict=True):
                g = require_array(each[i], name, leaf)
                dx.append(split_cotangent(g) if of_parts and g is not None else g)
            return y, dx

        claimed = partial(by_rule, fwd, bwd)
        traceable = partial(by_rule, *map(in_jax, rule))
        independent = True
    return Subject(
        name=name,
        names=tuple(_path(f, paths[i][0]) for i in positions),
        x=x,
        plain=on_leaves(strip_custom_rules(plain)),
        claimed=claimed,
        traceable=traceable,
        differentiable=differentiable,
        independent=independent,
        by_rule=rule is not None,
        complex_x=complex_x,
        complex_y=complex_y,
    )


def _hides_arrays(leaf):
    """Whether `leaf` has arrays as attributes, where neither JAX nor the check sees them."""
    is_array = lambda a: isinstance(a, np.ndarray | jax.Array)
    return not is_array(leaf) and any(map(is_array, getattr(leaf, "__dict__", {}).values()))


def _has_rules(f, x):
    try:
        with jax.enable_x64(True):
            return has_rules(f, x)
    except Exception:  # JAX cannot trace f; the run without tracing raises the error
        return False


def by_vjp(f, name):
    """The claimed gradient by jax.vjp, which uses the hand-written rules inside f."""

    def claimed(x, dy):
        with gradients("hand"):
            y, pull = jax.vjp(f, x)
            with raising(f"the backward of {name}", f):
                return y, pull(dy)[0]

    return claimed


def _path(f, path):
    """The name of a leaf: the parameter's name, then the keys of the leaf, as in params/conv1/w."""
    first, *rest = path
    keys = [str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in rest]
    return "/".join([_parameter(f, first.idx), *keys])


def _parameter(f, i):
    try:
        named = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        named = ()
    positional = [p.name for p in named if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return positional[i] if i < len(positional) else f"argument {i}"
