"""Operators: a function, the gradient derived for it, and the cases that prove both.

    forward(*arrays, **options) -> y             what autodiff differentiates
    fwd(*arrays, **options)     -> y, saved      the same y, and the residuals
    bwd(saved, dy, **options)   -> cotangents    one per array; None for no gradient
    validate(*arrays, **options)                 raises on bad input, from static facts alone

An operator's page has the four in this order, each marked by a decorator:

    @operator()
    def square(x): ...

    @square.fwd
    def square_fwd(x): ...

`validate` raises errors such as ValueError("x (3,) needs 2 axes"), without the operator's name: a
call puts "square: " in front of each ValueError and TypeError.

An operator works before its page is complete. Without `fwd` and `bwd`, autodiff differentiates
`forward`; with only one of the two, a call is an error. Without `validate`, no input is rejected.
Without cases, `fcnn.check` needs arguments.

`custom_gradient.py` registers the rules with JAX. `validation.py` has the requirements that
`validate` is made of.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import update_wrapper, wraps
from typing import Any, Generic, ParamSpec, TypeVar

import jax
import numpy as np
from jax.core import Tracer

from fcnn.ops.arrays import as_array
from fcnn.ops.custom_gradient import custom_gradient
from fcnn.ops.returned import cotangents, y_and_saved
from fcnn.ops.sharding import over_mesh
from fcnn.ops.validation import did_you_mean, named

P = ParamSpec("P")
Y = TypeVar("Y")
F = TypeVar("F", bound=Callable)
Draw = Callable[[np.random.Generator], np.ndarray | jax.Array]

_IMPLS: dict[str, tuple[str, ...]] = {}  # operator name -> the values of its `impl`
_gradients = jax.make_user_context("hand")
_implementations = jax.make_user_context(())


def gradients(kind: str) -> AbstractContextManager:
    """Choose how operators called inside the `with` block are differentiated.

    The choice is made when an operator is called or traced. It is part of jit's cache key, so a
    jitted function is traced again under the other kind.

    Options:
        kind: "hand", the hand-derived gradient and the default, or "autodiff".
    Raises: ValueError for any other kind.

    >>> with fcnn.gradients("autodiff"):
    ...     jax.grad(fcnn.tanh)(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    if kind not in ("hand", "autodiff"):
        raise ValueError(f'gradients: unknown kind {kind!r}; expected "hand" or "autodiff"')
    return _gradients(kind)


def implementations(**chosen: str) -> AbstractContextManager:
    """Choose the implementation of operators called with impl="auto" inside the `with` block.

    Nested choices add up. They are part of jit's cache key, as those of `gradients` are. An
    implementation that cannot compute a shape still rejects it: one for 3×3 windows of stride 1
    rejects a convolution of stride 2.

    Options:
        chosen: an implementation for each operator, by its name, as in conv="im2col".
    Raises: ValueError for an operator without implementations, or an unknown implementation.

    >>> with fcnn.implementations(conv="im2col"):
    ...     fcnn.conv(jnp.array([1.0, 2.0, 4.0]).reshape(1, 3, 1), jnp.ones((2, 1, 1))).ravel()
    Array([3., 6.], dtype=float32)
    """
    with named("implementations"):
        for name, impl in chosen.items():
            if name not in _IMPLS:
                known = f"{sorted(_IMPLS)}{did_you_mean(name, _IMPLS)}"
                raise ValueError(f"unknown operator {name!r}; expected one of {known}")
            if impl not in _IMPLS[name]:
                raise ValueError(_unknown_impl(impl, _IMPLS[name], f" of {name}"))
    return _implementations(tuple(sorted((dict(_implementations.value) | chosen).items())))


def _unknown_impl(impl, impls, of=""):
    known = f"{impls}{did_you_mean(impl, impls)}"
    return f"unknown impl {impl!r}{of}; expected one of {known}"


@jax.tree_util.register_static
class Shape(tuple[int, ...]):
    """A shape as a residual of `fwd`: it is static, not an array."""


@dataclass(frozen=True)
class Case:
    """One small set of arguments and options for an operator, with what is tested there.

    Options:
        name: a name for reports, unique among the cases of an operator.
        args: for each argument a shape (standard normals are drawn), a function of a NumPy
            generator that draws the array, or None for an absent argument.
        options: the operator's static arguments and keywords.
        kink: whether the function has a kink there. Its slope was chosen, and finite differences
            cannot confirm it.
        raises: the type of the error that this bad input raises, and a pattern of its message.
        extreme: whether arguments are at the limits of float16 and bfloat16. Such a case is not
            for float64 and finite differences: tests/ops/test_extremes.py rounds the arguments to
            each dtype, and compares with float64.
    """

    name: str
    args: tuple[tuple[int, ...] | Draw | None, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    kink: bool = False
    raises: tuple[type[Exception], str] | None = None
    extreme: bool = False

    @property
    def proved(self) -> bool:
        """Whether the gradient is proved in float64."""
        return not (self.raises or self.extreme)

    def draw(self, seed: int = 0) -> tuple[jax.Array | None, ...]:
        """Draw the arguments, by NumPy, which compiles nothing for each new shape."""
        rng = np.random.default_rng(seed)
        one = lambda a: jax.device_put(a(rng) if callable(a) else rng.standard_normal(a))
        return tuple(a if a is None else one(a) for a in self.args)

    def shapes(self) -> tuple[jax.ShapeDtypeStruct | None, ...]:
        """The shapes and dtypes of the arguments."""
        args = self.draw()
        return tuple(a if a is None else jax.ShapeDtypeStruct(a.shape, a.dtype) for a in args)


def ints(shape: tuple[int, ...], below: int = 10) -> Draw:
    """An entry of `Case.args`: integers drawn from 0 .. below - 1."""
    return lambda rng: rng.integers(0, below, shape, np.int32)


def normals(shape: tuple[int, ...], times: float, plus: float = 0.0) -> Draw:
    """An entry of `Case.args`: normals of standard deviation `times` and mean `plus`."""
    return lambda rng: plus + times * rng.standard_normal(shape)


def extreme(name: str, *args: Any, **options: Any) -> Case:
    """A case of `Op.cases`: arguments at the limits of float16 and bfloat16."""
    return Case(name, args, options, extreme=True)


def rejects(message: str, *args: Any, kind: type[Exception] = ValueError, **options: Any) -> Case:
    """A case of `Op.cases`: bad input, with the type and a pattern of the message of its error."""
    return Case(f"bad: {message}", args, options, raises=(kind, message))


class Op(Generic[P, Y]):
    """An operator, called like the function that it was made from by `operator`."""

    fwd_rule: Callable
    bwd_rule: Callable
    validate_rule: Callable
    cases: tuple[Case, ...] = ()
    torch_difference: str = ""  # how PyTorch's function differs, and how they are compared
    __name__: str
    __qualname__: str

    def __init__(self, forward: Callable[P, Y], static: tuple[str, ...]):
        update_wrapper(self, forward)
        self.forward: Callable[..., Y] = forward
        self.signature = _signature(forward)
        named = self.signature.parameters.values()
        for name in static:
            if name not in self.signature.parameters:
                has = ", ".join(self.signature.parameters)
                raise TypeError(f"{self.name}: static names {name}; its parameters are {has}")
        self.static = {*static, *(p.name for p in named if p.kind is p.KEYWORD_ONLY)}
        self.arrays = tuple(name for name in self.signature.parameters if name not in self.static)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.__name__

    def fwd(self, rule: F) -> F:
        """Add the forward rule: it returns y and the residuals."""

        @wraps(rule)
        def checked(*arrays: Any, **options: Any) -> tuple[Any, Any]:
            return y_and_saved(self.name, rule(*arrays, **options))

        self.fwd_rule = checked
        return rule

    def bwd(self, rule: F) -> F:
        """Add the backward rule: it returns one cotangent for each array, or None."""

        @wraps(rule)
        def checked(saved: Any, dy: Any, **options: Any) -> tuple[Any, ...]:
            return cotangents(self.name, self.arrays, rule(saved, dy, **options))

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

        Raises: TypeError if it has one of the two alone.
        """
        has = {rule: hasattr(self, f"{rule}_rule") for rule in ("fwd", "bwd")}
        if len({*has.values()}) == 2:
            one, other = sorted(has, key=has.__getitem__)
            raise TypeError(f"{self.name}: has {other} but no {one}; add it by @{self.name}.{one}")
        return has["fwd"]

    def choose_from(self, *impls: str) -> None:
        """Set the values of `impl`, besides "auto"."""
        _IMPLS[self.name] = ("auto", *impls)

    @property
    def impls(self) -> tuple[str, ...]:
        """The values of `impl`; empty for an operator with one implementation."""
        return _IMPLS.get(self.name, ())

    def bind(self, *args: Any, **options: Any) -> tuple[tuple, dict[str, Any]]:
        """The arrays in order, and every option: its given value, else the default of `forward`."""
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
                    raise ValueError(_unknown_impl(options["impl"], self.impls))
                if options["impl"] == "auto":
                    options["impl"] = dict(_implementations.value).get(self.name, "auto")
            return arrays, options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Y:
        arrays, options = self.bind(*args, **kwargs)
        with named(self.name):
            arrays = tuple(map(self._array, self.arrays, arrays))
            if hasattr(self, "validate_rule"):
                self.validate_rule(*arrays, **options)
            op = over_mesh(self, arrays)
        if not self.derived or _gradients.value == "autodiff":
            return op.forward(*arrays, **options)
        return custom_gradient(op, arrays, options)

    def _array(self, name: str, given: Any) -> jax.Array | None:
        if given is None:
            if self.signature.parameters[name].default is not None:
                raise TypeError(f"{name} is None; it must be an array")
            return None
        return as_array(name, given)

    def __repr__(self) -> str:
        return f"<operator {self.name}{self.signature}>"

    def __reduce__(self) -> str:
        """The name by which an operator is pickled, as a function is."""
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

    Its positional parameters are arrays, except those named in `static`. Its keyword-only
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
    """The signature; postponed annotations are evaluated where their names are known."""
    try:
        return inspect.signature(forward, eval_str=True)
    except NameError:
        return inspect.signature(forward)


def _hashable(value):
    if isinstance(value, np.ndarray | np.generic | jax.Array) and not isinstance(value, Tracer):
        value = value.tolist()
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
