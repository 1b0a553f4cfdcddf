"""A hand-written gradient as a rule, which is a pair of functions:

    fwd(*args)      -> y, saved
    bwd(saved, dy)  -> one cotangent, or None, for each argument

An operator of fcnn, a function by `fcnn.custom_gradient` and a `jax.custom_vjp` function have a
rule. For any other function, the option `backward` is a function (*args, dy) -> cotangents, or a
pair (fwd, bwd).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import MethodType
from typing import Any

import jax

from fcnn.ops import Op
from fcnn.ops.custom_gradient import Rule, WithGradient, rule_from
from fcnn.ops.validation import named


def rule_of(f: Callable, backward: Any = None) -> Rule | None:
    """The rule for f; None if the claimed gradient is jax.vjp of f.

    Raises: TypeError if backward is neither a function nor a pair of functions, if a custom_vjp
            function has no rule, or if an operator has only one of fwd and bwd.
    """
    if backward is not None:
        with named("check"):
            fwd, bwd = rule_from(f, backward)
        is_pair = isinstance(backward, tuple)
        return (fwd, bwd) if is_pair else (_as(f, fwd), _as(backward, bwd))
    op, options = operator_of(f)
    if op is not None:
        return _of_operator(op, options) if op.derived else None
    inner, options = _unwrapped(f)
    if isinstance(inner, WithGradient):
        return partial(inner.fwd, **options), partial(inner.bwd, **options)
    if isinstance(f, jax.custom_vjp) and not f.symbolic_zeros:
        if f.fwd is None or f.bwd is None:
            raise TypeError(
                f"check: {name_of(f)} has no rule yet; call {name_of(f)}.defvjp(fwd, bwd)"
            )
        return _of_custom_vjp(f)
    return None


def static_arguments(f: Any) -> set[int]:
    """Positions of the arguments that custom_vjp or custom_jvp does not differentiate."""
    bound = 0  # arguments that partial or a method has bound
    while not isinstance(f, jax.custom_vjp | jax.custom_jvp):
        if isinstance(f, partial):
            f, bound = f.func, bound + len(f.args)
        elif isinstance(f, MethodType):
            f, bound = f.__func__, bound + 1
        elif hasattr(f, "lower") and hasattr(f, "__wrapped__"):  # jitted
            f = f.__wrapped__
        else:
            return set()
    return {i - bound for i in f.nondiff_argnums if i >= bound}


def operator_of(f: Any) -> tuple[Op | None, dict[str, Any]]:
    """The operator in f, and the options that partial binds; (None, {}) if f is not an operator."""
    f, options = _unwrapped(f)
    return (f, options) if isinstance(f, Op) else (None, {})


def has_own_rule(f: Any) -> bool:
    """Whether JAX differentiates f by a hand-written rule of f itself."""
    return isinstance(_unwrapped(f)[0], Op | WithGradient) or isinstance(f, jax.custom_vjp)


def name_of(f: Any) -> str:
    while isinstance(f, partial):
        f = f.func
    return getattr(f, "__name__", type(f).__name__)


def with_rule(f: Callable, rule: Rule, arguments: Sequence[Any]) -> Callable:
    """`f` with `rule` as its custom_vjp, which requires that fwd and bwd return tuples.

    `arguments` are the pytree structures of the arguments.
    """
    fwd, bwd = rule
    ruled = jax.custom_vjp(lambda *args: f(*args))  # custom_vjp would pass defaults of f too
    as_tuple = lambda saved, dy: gradients_of(bwd(saved, dy), arguments) or ()
    ruled.defvjp(lambda *args: tuple(fwd(*args)), as_tuple)
    return ruled


def gradients_of(returned: Any, arguments: Sequence[Any]) -> tuple[Any, ...] | None:
    """The output of bwd as a tuple with one gradient per argument, or None if it has another form.

    For one argument, bwd may return the gradient itself.
    """
    if isinstance(returned, tuple | list) and len(returned) == len(arguments):
        same = len(arguments) == 1 and jax.tree.structure(returned) == arguments[0]
        return (returned,) if same and not _is_of(returned[0], arguments[0]) else tuple(returned)
    alone = returned is not None and not isinstance(returned, Iterator)
    if len(arguments) != 1 or not alone:
        return None
    is_array = not isinstance(returned, tuple | list)
    return (returned,) if is_array or _is_of(returned, arguments[0]) else None


def _is_of(tree, structure):
    """Whether `tree` has this structure, where None may stand for a leaf."""
    with_none = jax.tree.structure(tree, is_leaf=lambda a: a is None)
    return structure in (jax.tree.structure(tree), with_none)


def _as(f, wrapper):
    """`wrapper` under the name and file of f, for error messages."""
    wrapper.__wrapped__ = f
    return wrapper


def _unwrapped(f):
    """The function within partial, and the options that partial binds."""
    options: dict[str, Any] = {}
    while isinstance(f, partial) and not f.args:
        f, options = f.func, {**f.keywords, **options}
    return f, options


def _of_operator(op, given):
    def fwd(*args):
        arrays, options = op.bind(*args, **given)
        y, saved = op.fwd_rule(*arrays, **options)
        return y, (list(op.signature.parameters)[: len(args)], options, saved)

    def bwd(saved, dy):
        names, options, saved = saved
        found = dict(zip(op.arrays, op.bwd_rule(saved, dy, **options), strict=True))
        return tuple(found.get(name) for name in names)

    return _as(op.fwd_rule, fwd), _as(op.bwd_rule, bwd)


def _of_custom_vjp(f):
    static = f.nondiff_argnums

    def fwd(*args):
        y, saved = f.fwd(*args)
        return y, (args, saved)

    def bwd(saved, dy):
        args, saved = saved
        gradients = iter(f.bwd(*(args[i] for i in static), saved, dy))
        return tuple(None if i in static else next(gradients) for i in range(len(args)))

    return _as(f.fwd, fwd), _as(f.bwd, bwd)
