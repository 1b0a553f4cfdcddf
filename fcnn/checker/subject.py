"""What is to be judged: a function at one point, and the gradient that is claimed for it there.

Whoever derived the gradient, it comes down to two functions of x, the floating leaves among the
arguments, and of dy, the cotangents of the floating leaves of what the function gives:

    plain(x)        -> y       what JAX alone differentiates: every hand-written rule taken out
    claimed(x, dy)  -> y, dx   the gradient to be judged, by a rule (`rules.py`) or by jax.vjp, and
                               the y that goes with it

NumPy functions serve as well: JAX does not trace them, so finite differences alone judge those.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcnn.checker.backward_rules import Rule, gradients_of, name_of, operator_of, rule_of, with_rule
from fcnn.checker.floats import is_float, outputs
from fcnn.checker.strip_rules import has_rules, peeled
from fcnn.ops import gradients
from fcnn.ops.arrays import as_array
from fcnn.ops.returned import described

Leaves = list[Any]


@dataclass(frozen=True)
class Subject:
    """The two functions, x as given, and what to call its leaves.

    `whole` gives y as plain does, but is differentiated as claimed. `independent` says whether JAX
    has a gradient of its own to set against the claimed one, `by_rule` whether that is a rule's.
    """

    name: str
    names: tuple[str, ...]
    x: Leaves
    plain: Callable[[Leaves], Leaves]
    claimed: Callable[[Leaves, Leaves], tuple[Leaves, Leaves]]
    whole: Callable[[Leaves], Leaves]
    independent: bool
    by_rule: bool


def subject_of(f: Callable, args: Sequence[Any], backward: Any = None) -> Subject:
    """`f` at `args`.

    Raises: TypeError or ValueError, in one line, for what is no function, arguments without floats,
            or a backward of another form. The two functions raise TypeError, in one line, for
            outputs without floats, and for complex ones.
    """
    if not callable(f):
        raise TypeError(f"check: {f!r:.60} is no function")
    if not isinstance(args, tuple | list):
        raise TypeError(f"check: args must be a tuple, as in (x, w), not {type(args).__name__}")
    args, name = tuple(args), name_of(f)
    paths, tree = jax.tree.flatten_with_path(args)
    spots = [i for i, (_, leaf) in enumerate(paths) if is_float(leaf)]
    still = lambda leaf: isinstance(leaf, np.ndarray) and not is_float(leaf)
    name_of_leaf = lambda path: f"check: {_path(f, path)}"
    leaves = [as_array(name_of_leaf(p), leaf) if still(leaf) else leaf for p, leaf in paths]
    for path, leaf in paths:
        if np.iscomplexobj(leaf):
            raise TypeError(f"check: {_path(f, path)} is complex; pass real and imaginary parts")
        if _hides_arrays(leaf):
            kind = type(leaf).__name__
            do = "pass its arrays, or register it by jax.tree_util.register_dataclass"
            raise TypeError(f"check: {_path(f, path)} is a {kind}, no pytree: {do}")
    if not spots:
        raise TypeError(
            f"check: {name} has no floating argument, so nothing has a gradient: "
            f"args are {described(args)}"
        )

    def on_leaves(f):
        return lambda x: outputs(name, f(*_with(leaves, spots, x, tree)))

    with jax.enable_x64(True):
        x = [as_array(name_of_leaf(paths[i][0]), leaves[i]) for i in spots]
    rule = rule_of(f, backward)
    plain = f.fun if isinstance(f, jax.custom_vjp | jax.custom_jvp) else f
    if rule is None:
        whole, claimed = on_leaves(f), _by_vjp(on_leaves(f))
        independent = isinstance(f, jax.custom_jvp) or _has_rules(on_leaves(f), x)
    else:
        brings_it = operator_of(f)[0] is not None or isinstance(f, jax.custom_vjp)
        whole = on_leaves(f if brings_it and backward is None else with_rule(f, rule))
        args_of = lambda x: _with(leaves, spots, x, tree)
        claimed = lambda x, dy: _by_rule(rule, name, args_of(x), tree, spots, dy)
        independent = True
    return Subject(
        name=name,
        names=tuple(_path(f, paths[i][0]) for i in spots),
        x=x,
        plain=on_leaves(peeled(plain)),
        claimed=claimed,
        whole=whole,
        independent=independent,
        by_rule=rule is not None,
    )


def differentiated(subject: Subject, dy: Leaves) -> Subject:
    """Its gradient at dy as a function of x: plainly JAX's, and claimed to have claimed's own."""

    def claimed(x):
        found = subject.claimed(x, dy)[1]
        return [jnp.zeros_like(a) if g is None else g for g, a in zip(found, x, strict=True)]

    return replace(
        subject,
        name=f"{subject.name}, second order",
        plain=lambda x: jax.vjp(subject.plain, x)[1](dy)[0],
        claimed=_by_vjp(claimed),
        whole=claimed,
    )


def _hides_arrays(leaf):
    """Whether it holds arrays that JAX does not see, and whose gradient nobody would judge."""
    is_array = lambda a: isinstance(a, np.ndarray | jax.Array)
    return not is_array(leaf) and any(map(is_array, getattr(leaf, "__dict__", {}).values()))


def _with(leaves, spots, x, tree):
    """The arguments, with x in their floating places."""
    full = list(leaves)
    for i, a in zip(spots, x, strict=True):
        full[i] = a
    return jax.tree.unflatten(tree, full)


def _has_rules(f, x):
    try:
        with jax.enable_x64(True):
            return has_rules(f, x)
    except Exception:  # JAX cannot trace it, so it shows no rules; running it says why
        return False


def _by_vjp(f):
    """The gradient by JAX, through whatever rules stand inside f."""

    def claimed(x, dy):
        with gradients("hand"):
            y, pull = jax.vjp(f, x)
            return y, pull(dy)[0]

    return claimed


def _by_rule(rule: Rule, name, args, tree, spots, dy):
    """y and the gradient by fwd and bwd; an entry per leaf of x, None where they give none."""
    fwd, bwd = rule
    made = fwd(*args)
    if not (isinstance(made, tuple | list) and len(made) == 2):
        raise ValueError(f"check: fwd of {name} returns {described(made)}; it must return y, saved")
    y, saved = made
    if len(outputs(f"fwd of {name}", y)) != len(dy):
        raise ValueError(
            f"check: fwd of {name} returns y = {described(y)}; "
            f"{name} has {len(dy)} floating outputs: return the same y"
        )
    left = iter(dy)
    found = bwd(saved, jax.tree.map(lambda a: next(left) if is_float(a) else None, y))
    if found is None:
        raise ValueError(f"check: the backward of {name} gives None: is a return missing?")
    found = gradients_of(found)
    if len(found) != len(args):
        raise ValueError(
            f"check: the backward of {name} gives {len(found)} for {len(args)} arguments; it must "
            "give one gradient for each, None where there is none"
        )
    each: Leaves = []
    for i, (part, given) in enumerate(zip(tree.children(), found, strict=True)):
        try:
            each += [None] * part.num_leaves if given is None else part.flatten_up_to(given)
        except (ValueError, TypeError):
            raise ValueError(
                f"check: the backward of {name} gives {jax.tree.structure(given)} "
                f"for argument {i}, which is {part}"
            ) from None
    return outputs(name, y), [each[i] for i in spots]


def _path(f, path):
    """params/conv1/w: the name of the parameter, then the keys within it."""
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
