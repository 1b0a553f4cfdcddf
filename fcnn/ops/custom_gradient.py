"""A function and its backward pass as one function, which JAX differentiates by the backward pass.

    forward(*args, **options)    -> y
    fwd(*args, **options)        -> y, saved
    bwd(saved, dy, **options)    -> one cotangent, or None, for each argument

`leaf_rules.py` makes rules of arrays of these functions, and `registration.py` registers the rules.

JAX has no reverse mode for some forward functions, such as a callback, a Pallas kernel or a while
loop. `jax.checkpoint` of a hijax primitive differentiates the forward function, which would fail.
So `jax.custom_vjp` carries their backward pass, also where hijax is in use.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from fcnn.ops.arrays import as_array
from fcnn.ops.contexts import by_hand
from fcnn.ops.leaf_rules import ARGS, LeafRules, argument_names, is_inexact, leaf_name
from fcnn.ops.registration import by_custom_vjp, by_rule
from fcnn.ops.validation import named

P = ParamSpec("P")
Y = TypeVar("Y")
Rule = tuple[Callable, Callable]


def custom_gradient(forward: Callable[P, Y], backward: Any) -> "WithGradient[P, Y]":
    """Function that computes `forward` and that JAX differentiates by `backward`.

    `fcnn.check(forward, args, backward=backward)` checks the same two functions, and
    `fcnn.check(f, args)` checks the result f. Like an operator of fcnn, f supports grad, jvp,
    linearize, jacfwd, hessian, vmap, jit, checkpoint, scan, sharded jit, shard_map and export, and
    `gradients("autodiff")` differentiates `forward` itself. Forward mode, and checkpoint where JAX
    can differentiate `forward` in reverse mode, use autodiff of `forward`. Where JAX cannot, as for
    a callback or a Pallas kernel, forward mode is not supported.

    Shapes: positional arguments: any pytrees of arrays, also of integers and random keys. Output:
            any pytree of arrays.
    Options:
        forward: a function of JAX arrays. Its keyword arguments are static options, which are
            passed to the backward pass too.
        backward: a function (*args, dy) -> one cotangent, or None, for each argument; or a pair
            (fwd, bwd), where fwd(*args) -> y, saved and bwd(saved, dy) -> cotangents. A cotangent
            has the structure, shapes and dtypes of its argument. It may be None for any leaf
            without a gradient, such as integers. dy has the structure of y, with None for outputs
            that are not floats.
    Units:  a cotangent has units of dy, times units of y, divided by units of its argument.
    Raises: TypeError if `forward` is not a function, or `backward` neither a function nor a pair.
            Where f is differentiated: TypeError if fwd returns no pair, or if a cotangent is
            missing or has another dtype than its argument; ValueError if it has another shape or
            structure. Where f is called: TypeError if `forward` uses a traced array that is not an
            argument, or computes in NumPy.
    Cost:   that of `forward`, and of `backward` where f is differentiated. The function form of
            `backward` saves all arguments.
    Source: Griewank & Walther (2008), Evaluating Derivatives, chapter 3 (reverse mode).

    >>> def cube(x):
    ...     return x**3
    >>> def cube_backward(x, dy):
    ...     return (3 * x**2 * dy,)
    >>> f = fcnn.custom_gradient(cube, cube_backward)
    >>> jax.vmap(jax.grad(f))(jnp.array([1.0, 2.0]))
    Array([ 3., 12.], dtype=float32)
    """
    with named("custom_gradient"):
        if not callable(forward):
            raise TypeError(f"forward must be a function, not {forward!r:.60}")
        return WithGradient(forward, backward)


class WithGradient(Generic[P, Y]):
    """The function that `custom_gradient` returns."""

    __name__: str

    def __init__(self, forward: Callable[P, Y], backward: Any):
        update_wrapper(self, forward, updated=())
        plain = forward
        while isinstance(plain, partial):
            plain = plain.func
        self.__name__ = getattr(plain, "__name__", type(plain).__name__)
        self.forward: Callable[..., Y] = forward
        self.fwd, self.bwd = rule_from(forward, backward)
        rule = "bwd" if isinstance(backward, tuple) else "backward"
        self._rules = LeafRules(self.__name__, forward, self.fwd, self.bwd, rule)
        self._differentiable: set[Any] = set()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Y:
        with named(self.__name__):
            given, options = self._bind(args, kwargs)
            names = argument_names(self.forward, given)
            paths, tree = jax.tree.flatten_with_path(given)
            leaves = tuple(as_array(leaf_name(names, path), leaf) for path, leaf in paths)
        if not by_hand():
            return self.forward(*jax.tree.unflatten(tree, leaves), **options)
        options = {ARGS: tree, **options}
        if by_rule is by_custom_vjp or not self._is_differentiable(leaves, options):
            return by_custom_vjp(replace(self._rules, checks_y=True), leaves, options)
        return by_rule(self._rules, leaves, options)

    def __repr__(self) -> str:
        return f"<{self.__name__} with a custom gradient>"

    def _bind(self, args, kwargs):
        """The positional arguments, and the static options."""
        if not kwargs:
            return args, {}
        try:
            signature = inspect.signature(self.forward)
            bound = signature.bind(*args, **kwargs)
        except (TypeError, ValueError) as misuse:
            raise TypeError(f"{misuse}") from None
        for name, value in bound.kwargs.items():
            parameter = signature.parameters.get(name)
            if parameter is not None and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                raise TypeError(f"{name} is given without an argument before it; give all of them")
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"option {name} is a {type(value).__name__}, which is not hashable; options "
                    "are static: write a tuple, or pass an array as a positional argument"
                ) from None
        return bound.args, bound.kwargs

    def _is_differentiable(self, leaves, options):
        """Whether reverse autodiff of `forward` can be traced. A positive result is cached."""
        types = tuple(map(jax.typeof, leaves))
        key = types, tuple(options.items())
        if key not in self._differentiable:
            floats = [i for i, a in enumerate(types) if is_inexact(a)]

            def total(*leaves):
                y = jax.tree.leaves(self._rules.forward(*leaves, **options))
                return sum(jnp.real(a).sum() for a in y if is_inexact(a))

            try:
                jax.make_jaxpr(jax.grad(total, floats))(*types)
            except Exception:  # tracing may raise any error
                return False
            self._differentiable.add(key)
        return True


def rule_from(forward: Callable, backward: Any) -> Rule:
    """The pair (fwd, bwd), from itself or from a function (*args, dy) -> cotangents.

    Raises: TypeError if `backward` is neither.
    """
    if isinstance(backward, tuple) and len(backward) == 2 and all(map(callable, backward)):
        return backward
    if not callable(backward):
        raise TypeError(f"backward must be a function or a pair (fwd, bwd), not {backward!r:.60}")
    return (
        lambda *args, **options: (forward(*args, **options), args),
        lambda args, dy, **options: backward(*args, dy, **options),
    )
