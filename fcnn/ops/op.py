"""Operators: a function, the gradient derived for it, and the cases that prove both.

    forward(*arrays, **options) -> y             what autodiff differentiates
    fwd(*arrays, **options)     -> y, saved      the same y, and the residuals
    bwd(saved, dy, **options)   -> cotangents    one per array; None for no gradient
    validate(*arrays, **options)                 raises on bad input, from static facts only

An operator's page has these four functions in this order, each marked by a decorator:

    @operator()
    def square(x): ...

    @square.fwd
    def square_fwd(x): ...

`validate` raises errors such as ValueError("x (3,) needs 2 axes"), without the operator's name: a
call puts "square: " in front of each ValueError and TypeError.

An operator works before its page is complete. Without `fwd` and `bwd`, autodiff differentiates
`forward`; with only `fwd` or only `bwd`, a call is an error. Without `validate`, no input is
rejected. Without cases, `fcnn.check` needs arguments.

`registration.py` registers the rules with JAX. `validation.py` has the requirements that
`validate` functions check. `case.py` defines cases. `contexts.py` has the choice of gradient and
implementation.
"""

import inspect
from collections.abc import Callable
from functools import update_wrapper, wraps
from typing import Any, Generic, ParamSpec, TypeVar

import jax
import numpy as np
from jax.core import Tracer

from fcnn.ops.arrays import as_array
from fcnn.ops.case import Case
from fcnn.ops.contexts import IMPLS, by_hand, chosen_impl, unknown_impl
from fcnn.ops.registration import by_rule
from fcnn.ops.returned import cotangents, y_and_saved
from fcnn.ops.sharding import over_mesh
from fcnn.ops.validation import named

P = ParamSpec("P")
Y = TypeVar("Y")
F = TypeVar("F", bound=Callable)


@jax.tree_util.register_static
class Shape(tuple[int, ...]):
    """A shape as a residual of `fwd`: static, not an array."""


class Op(Generic[P, Y]):
    """An operator, called like the function that it was made from by `operator`."""

    fwd_rule: Callable
    bwd_rule: Callable
    validate_rule: Callable
    cases: tuple[Case, ...] = ()
    torch_difference: str = ""  # how PyTorch's function differs, and how tests compare the two
    __name__: str
    __qualname__: str

    def __init__(self, forward: Callable[P, Y], static: tuple[str, ...]):
        update_wrapper(self, forward)
        self.forward: Callable[..., Y] = forward
        self.signature = _signature(forward)
        parameters = self.signature.parameters
        for name in static:
            if name not in parameters:
                has = ", ".join(parameters)
                raise TypeError(f"{self.name}: static names {name}; its parameters are {has}")
        keywords = (p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY)
        self.static = {*static, *keywords}
        self.arrays = tuple(name for name in parameters if name not in self.static)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.__name__

    def fwd(self, rule: F) -> F:
        """Add the forward rule: it returns y and the residuals."""

        @wraps(rule)
        def checked(*arrays: Any, **options: Any) -> tuple[Any, Any]:
            returned = rule(*arrays, **options)
            with named(self.name):
                return y_and_saved(returned)

        self.fwd_rule = checked
        return rule

    def bwd(self, rule: F) -> F:
        """Add the backward rule: it returns one cotangent, or None, for each array."""

        @wraps(rule)
        def checked(saved: Any, dy: Any, **options: Any) -> tuple[Any, ...]:
            returned = rule(saved, dy, **options)
            with named(self.name):
                return cotangents(self.arrays, returned)

        self.bwd_rule = checked
        return rule

    def validate(self, rule: F) -> F:
        """Add the function that raises on bad input.

        Its messages begin with the argument, as in `raise ValueError("x (3,) needs 2 axes")`. A
        call puts the name of the operator in front of a ValueError or TypeError.
        """
        self.validate_rule = rule
        return rule

    @property
    def derived(self) -> bool:
        """Whether the operator has a hand-derived gradient, by `fwd` and `bwd`.

        Raises: TypeError if it has only one of the two rules.
        """
        has = {rule: hasattr(self, f"{rule}_rule") for rule in ("fwd", "bwd")}
        if len({*has.values()}) == 2:
            one, other = sorted(has, key=has.__getitem__)
            with named(self.name):
                raise TypeError(f"has {other} but no {one}; add it by @{self.name}.{one}")
        return has["fwd"]

    def choose_from(self, *impls: str) -> None:
        """Set the values of `impl`, besides "auto"."""
        IMPLS[self.name] = ("auto", *impls)

    @property
    def impls(self) -> tuple[str, ...]:
        """The values of `impl`; empty for an operator with one implementation."""
        return IMPLS.get(self.name, ())

    def bind(self, *args: Any, **options: Any) -> tuple[tuple, dict[str, Any]]:
        """The arrays in order, and all options: given values, else the defaults of `forward`."""
        with named(self.name):
            try:
                bound = self.signature.bind(*args, **options)
            except TypeError as misuse:
                raise TypeError(f"{misuse}") from None
            bound.apply_defaults()
            given = bound.arguments
            arrays = tuple(given[name] for name in self.arrays)
            options = {k: _hashable(value) for k, value in given.items() if k in self.static}
            if self.impls:
                if options["impl"] not in self.impls:
                    raise ValueError(unknown_impl(options["impl"], self.impls))
                if options["impl"] == "auto":
                    options["impl"] = chosen_impl(self.name)
            return arrays, options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Y:
        arrays, options = self.bind(*args, **kwargs)
        with named(self.name):
            arrays = tuple(map(self._array, self.arrays, arrays))
            if hasattr(self, "validate_rule"):
                self.validate_rule(*arrays, **options)
            op = over_mesh(self, arrays)
        if not (self.derived and by_hand()):
            return op.forward(*arrays, **options)
        return by_rule(op, arrays, options)

    def _array(self, name: str, given: Any) -> jax.Array | None:
        if given is None:
            if self.signature.parameters[name].default is not None:
                raise TypeError(f"{name} is None; it must be an array")
            return None
        return as_array(name, given)

    def __repr__(self) -> str:
        """The call, without annotations, which would hide the names."""
        plain = [p.replace(annotation=p.empty) for p in self.signature.parameters.values()]
        return f"<operator {self.name}{inspect.Signature(plain)}>"

    def __reduce__(self) -> str:
        """Pickle an operator by its name, as functions are pickled."""
        return self.__qualname__

    def __copy__(self) -> "Op[P, Y]":
        """A copy whose rules can be replaced."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other


def operator(
    forward: object = None, /, *, static: tuple[str, ...] = ()
) -> Callable[[Callable[P, Y]], Op[P, Y]]:
    """Turn the function below into an operator: write @operator() above it.

    Its positional parameters are arrays, except the parameters in `static`. Its keyword-only
    parameters are static options. `fwd`, `bwd`, `validate` and cases are then added to it. Without
    `fwd` and `bwd`, autodiff differentiates it.

    Options:
        static: names of positional parameters that are options, such as the window of `max_pool`.
    Raises: TypeError for @operator without parentheses, and if `static` names no parameter.

    >>> @fcnn.operator()
    ... def square(x):
    ...     return x * x
    >>> jax.grad(square)(3.0)
    Array(6., dtype=float32, weak_type=True)
    """
    if forward is not None:
        name = getattr(forward, "__name__", repr(forward))
        raise TypeError(f"operator: write @operator() above def {name}, with parentheses")
    return lambda forward: Op(forward, static)


def _signature(forward):
    """The signature, with postponed annotations evaluated if all their names are defined."""
    try:
        return inspect.signature(forward, eval_str=True)
    except NameError:
        return inspect.signature(forward)


def _hashable(value):
    if isinstance(value, np.ndarray | np.generic | jax.Array) and not isinstance(value, Tracer):
        value = value.tolist()
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
