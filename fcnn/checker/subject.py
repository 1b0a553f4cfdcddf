"""The subject of a check: a function at one point, and the gradient claimed for it there.

A subject has two functions. Here x are the floating leaves of the arguments, and dy are the
cotangents of the floating outputs:

    plain(x)        -> y       the function without hand-written rules, for autodiff
    claimed(x, dy)  -> y, dx   the claimed gradient dx, by a rule (`backward_rules.py`) or by
                               jax.vjp, and the output y of the rule's forward pass

JAX cannot trace NumPy functions, so their gradients are compared only with finite differences.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from fcnn.checker.backward_rules import (
    Rule,
    gradients_of,
    has_own_rule,
    name_of,
    rule_of,
    with_rule,
)
from fcnn.checker.outputs import outputs
from fcnn.checker.strip_rules import has_rules, strip_custom_rules
from fcnn.ops import gradients
from fcnn.ops.arrays import as_array, is_float
from fcnn.ops.returned import described

Leaves = list[Any]


@dataclass(frozen=True)
class Subject:
    """The two functions, the leaves x, and their names.

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
    differentiable: Callable[[Leaves], Leaves]
    independent: bool
    by_rule: bool
    impl: str = ""
    timed: bool = True


def subject_of(f: Callable, args: Sequence[Any], backward: Any = None) -> Subject:
    """`f` at `args`, with the gradient that `backward` or f itself claims.

    Raises: TypeError or ValueError, in one line, if f is not callable, if args have no floats, or
            if backward is neither a function nor a pair of functions. plain and claimed raise
            TypeError, in one line, if outputs have no floats or are complex.
    """
    if not callable(f):
        raise TypeError(f"check: f must be a function, not {f!r:.60}")
    if not isinstance(args, tuple | list):
        raise TypeError(
            f"check: args must be a tuple, not {type(args).__name__}; write (x, w), or (x,)"
        )
    args, name = tuple(args), name_of(f)
    paths, tree = jax.tree.flatten_with_path(args)
    positions = [i for i, (_, leaf) in enumerate(paths) if is_float(leaf)]
    not_float = lambda leaf: isinstance(leaf, np.ndarray) and not is_float(leaf)
    name_of_leaf = lambda path: f"check: {_path(f, path)}"
    leaves = [as_array(name_of_leaf(p), leaf) if not_float(leaf) else leaf for p, leaf in paths]
    for path, leaf in paths:
        if np.iscomplexobj(leaf):
            raise TypeError(
                f"check: {_path(f, path)} is complex; pass its real and imaginary parts"
            )
        if _hides_arrays(leaf):
            kind = type(leaf).__name__
            advice = "pass its arrays, or register it with jax.tree_util.register_dataclass"
            raise TypeError(f"check: {_path(f, path)} is a {kind}, which is not a pytree; {advice}")
    if not positions:
        raise TypeError(
            f"check: {name} has no floating argument, so there is no gradient; "
            f"args are {described(args)}"
        )

    def on_leaves(f):
        return lambda x: outputs(name, f(*_with(leaves, positions, x, tree)))

    with jax.enable_x64(True):
        x = [as_array(name_of_leaf(paths[i][0]), leaves[i]) for i in positions]
    rule = rule_of(f, backward)
    plain = f.fun if isinstance(f, jax.custom_vjp | jax.custom_jvp) else f
    if rule is None:
        differentiable, claimed = on_leaves(f), by_vjp(on_leaves(f))
        independent = isinstance(f, jax.custom_jvp) or _has_rules(on_leaves(f), x)
    else:
        own = backward is None and has_own_rule(f)
        differentiable = on_leaves(f if own else with_rule(f, rule))
        args_of = lambda x: _with(leaves, positions, x, tree)
        claimed = lambda x, dy: _by_rule(rule, name, args_of(x), tree, positions, dy)
        independent = True
    return Subject(
        name=name,
        names=tuple(_path(f, paths[i][0]) for i in positions),
        x=x,
        plain=on_leaves(strip_custom_rules(plain)),
        claimed=claimed,
        differentiable=differentiable,
        independent=independent,
        by_rule=rule is not None,
    )


def _hides_arrays(leaf):
    """Whether `leaf` has arrays as attributes, where neither JAX nor the check sees them."""
    is_array = lambda a: isinstance(a, np.ndarray | jax.Array)
    return not is_array(leaf) and any(map(is_array, getattr(leaf, "__dict__", {}).values()))


def _with(leaves, positions, x, tree):
    """The arguments with x as their floating leaves."""
    full = list(leaves)
    for i, a in zip(positions, x, strict=True):
        full[i] = a
    return jax.tree.unflatten(tree, full)


def _has_rules(f, x):
    try:
        with jax.enable_x64(True):
            return has_rules(f, x)
    except Exception:  # JAX cannot trace f; the run without tracing raises the error
        return False


def by_vjp(f):
    """The claimed gradient by jax.vjp, which uses the hand-written rules inside f."""

    def claimed(x, dy):
        with gradients("hand"):
            y, pull = jax.vjp(f, x)
            return y, pull(dy)[0]

    return claimed


def _by_rule(rule: Rule, name, args, tree, positions, dy):
    """y, and the gradient by fwd and bwd with one entry per leaf of x.

    An entry is None if bwd returns None for its argument.
    """
    fwd, bwd = rule
    returned = fwd(*args)
    if not (isinstance(returned, tuple | list) and len(returned) == 2):
        raise ValueError(
            f"check: fwd of {name} returns {described(returned)}; write return y, saved"
        )
    y, saved = returned
    n = len(outputs(f"fwd of {name}", y))
    if n != len(dy):
        raise ValueError(
            f"check: fwd of {name} returns y = {described(y)}, with {n} floating outputs "
            f"instead of {len(dy)}; return the same y as {name}"
        )
    left = iter(dy)
    found = bwd(saved, jax.tree.map(lambda a: next(left) if is_float(a) else None, y))
    if found is None:
        raise ValueError(f"check: the backward of {name} returns None; is a return missing?")
    found = gradients_of(found)
    if len(found) != len(args):
        plural = lambda n, noun: f"{n} {noun}{'' if n == 1 else 's'}"
        count = f"{plural(len(found), 'gradient')} for {plural(len(args), 'argument')}"
        raise ValueError(
            f"check: the backward of {name} returns {count}; "
            "return one gradient per argument, and None for an argument without gradient"
        )
    each: Leaves = []
    for i, (part, given) in enumerate(zip(tree.children(), found, strict=True)):
        try:
            each += [None] * part.num_leaves if given is None else part.flatten_up_to(given)
        except (ValueError, TypeError):
            raise ValueError(
                f"check: the backward of {name} returns {jax.tree.structure(given)} "
                f"for argument {i}; return the structure of the argument, {part}"
            ) from None
    return outputs(name, y), [each[i] for i in positions]


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
