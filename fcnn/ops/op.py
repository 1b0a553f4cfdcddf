"""What an operator is: a function, the gradient derived for it, and the cases that prove both.

    forward(*arrays, **options) -> y             what autodiff differentiates
    fwd(*arrays, **options)     -> y, saved      the same y, and what its gradient needs
    bwd(saved, dy, **options)   -> cotangents    one per array; None where there is none
    validate(*arrays, **options)                 raises on bad input, from static facts alone

A reader of an operator's page meets the four in this order, each marked by a decorator:

    @operator()
    def square(x): ...

    @square.fwd
    def square_fwd(x): ...

An operator works before its page is complete. Without `fwd` and `bwd`, autodiff differentiates
`forward`; with only one of the two, a call is an error. Without `validate`, no input is rejected.
Without cases, `fcnn.check` needs arguments.

`custom_gradient.py` tells JAX of them; `validation.py` has the words for `validate`.
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
from fcnn.ops.validation import did_you_mean

P = ParamSpec("P")
Y = TypeVar("Y")
F = TypeVar("F", bound=Callable)
Draw = Callable[[np.random.Generator], np.ndarray | jax.Array]

_IMPLS: dict[str, tuple[str, ...]] = {}  # operator -> what its `impl` may be
_gradients = jax.make_user_context("hand")
_implementations = jax.make_user_context(())


def gradients(kind: str) -> AbstractContextManager:
    """Choose how operators called inside are differentiated: "hand" (the default) or "autodiff".

    The choice is made when an operator is called or traced, and is part of jit's cache key, so a
    jitted function is traced anew under the other kind.

    Raises: ValueError for any other kind.
    """
    if kind not in ("hand", "autodiff"):
        raise ValueError(f'gradients: "hand" or "autodiff", not {kind!r}')
    return _gradients(kind)


def implementations(**chosen: str) -> AbstractContextManager:
    """Choose an implementation for operators called inside with impl="auto", as in conv="im2col".

    Nested choices add up. Like `gradients`, part of jit's cache key. An implementation that cannot
    serve a shape still refuses it, as a 3×3 one does a layer of stride 2.

    Raises: ValueError for an operator without implementations, or an implementation that it lacks.
    """
    for name, impl in chosen.items():
        if name not in _IMPLS:
            near = did_you_mean(name, _IMPLS)
            raise ValueError(f"implementations: {name!r} is none of {sorted(_IMPLS)}{near}")
        if impl not in _IMPLS[name]:
            near = did_you_mean(impl, _IMPLS[name])
            raise ValueError(f"implementations: {name} has {_IMPLS[name]}, not {impl!r}{near}")
    return _implementations(tuple(sorted((dict(_implementations.value) | chosen).items())))


@jax.tree_util.register_static
class Shape(tuple[int, ...]):
    """A shape among what `fwd` saves: known when compiling, no array."""


@dataclass(frozen=True)
class Case:
    """One small problem for an operator.

    Each of `args` is a shape (standard normals are drawn), a function of a NumPy generator, or None
    for an absent argument. `kink` marks a point where the slope was chosen: there finite
    differences know no answer. `raises` is the error that bad input must give, and what its message
    must say. `extreme` marks arguments at the limits of short floats. Those are not for float64 and
    finite differences: tests/ops/test_extremes.py rounds them to each dtype, and compares with
    float64.
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
        """The arguments. NumPy draws them: it has nothing to compile for each new shape."""
        rng = np.random.default_rng(seed)
        one = lambda a: jax.device_put(a(rng) if callable(a) else rng.standard_normal(a))
        return tuple(a if a is None else one(a) for a in self.args)

    def shapes(self) -> tuple[jax.ShapeDtypeStruct | None, ...]:
        """The shapes and dtypes of the arguments."""
        args = self.draw()
        return tuple(a if a is None else jax.ShapeDtypeStruct(a.shape, a.dtype) for a in args)


def ints(shape: tuple[int, ...], below: int = 10) -> Draw:
    """For `Case.args`: integers drawn from 0 .. below - 1."""
    return lambda rng: rng.integers(0, below, shape, np.int32)


def normals(shape: tuple[int, ...], times: float, plus: float = 0.0) -> Draw:
    """For `Case.args`: normals of standard deviation `times` and mean `plus`."""
    return lambda rng: plus + times * rng.standard_normal(shape)


def extreme(name: str, *args: Any, **options: Any) -> Case:
    """For `Op.cases`: arguments at the limits of short floats."""
    return Case(name, args, options, extreme=True)


def rejects(says: str, *args: Any, kind: type[Exception] = ValueError, **options: Any) -> Case:
    """For `Op.cases`: bad input, the error that it must give, and what the message must say."""
    return Case(f"bad: {says}", args, options, raises=(kind, says))


class Op(Generic[P, Y]):
    """An operator: call it like the function it was made from. Made by `operator`."""

    fwd_rule: Callable
    bwd_rule: Callable
    validate_rule: Callable
    cases: tuple[Case, ...] = ()
    torch_difference: str = ""  # what PyTorch's function does otherwise, and why
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
        return self.__name__

    def fwd(self, rule: F) -> F:
        @wraps(rule)
        def checked(*arrays: Any, **options: Any) -> tuple[Any, Any]:
            return y_and_saved(self.name, rule(*arrays, **options))

        self.fwd_rule = checked
        return rule

    def bwd(self, rule: F) -> F:
        @wraps(rule)
        def checked(saved: Any, dy: Any, **options: Any) -> tuple[Any, ...]:
            return cotangents(self.name, self.arrays, rule(saved, dy, **options))

        self.bwd_rule = checked
        return rule

    def validate(self, rule: F) -> F:
        self.validate_rule = rule
        return rule

    @property
    def derived(self) -> bool:
        """Whether a gradient was derived for it: it has `fwd` and `bwd`.

        Raises: TypeError for one without the other.
        """
        has = {rule: hasattr(self, f"{rule}_rule") for rule in ("fwd", "bwd")}
        if len({*has.values()}) == 2:
            one, other = sorted(has, key=has.__getitem__)
            raise TypeError(f"{self.name}: has {other} but no {one}; add it by @{self.name}.{one}")
        return has["fwd"]

    def choose_from(self, *impls: str) -> None:
        """What `impl` may be, besides "auto"."""
        _IMPLS[self.name] = ("auto", *impls)

    @property
    def impls(self) -> tuple[str, ...]:
        return _IMPLS.get(self.name, ())

    def bind(self, *args: Any, **options: Any) -> tuple[tuple, dict[str, Any]]:
        """The arrays in order, and every option: as given, else as declared by `forward`."""
        try:
            bound = self.signature.bind(*args, **options)
        except TypeError as misuse:
            raise TypeError(f"{self.name}: {misuse}") from None
        bound.apply_defaults()
        given = bound.arguments
        arrays = tuple(given[name] for name in self.arrays)
        options = {name: _hashable(value) for name, value in given.items() if name in self.static}
        if self.impls:
            impl = options["impl"]
            if impl not in self.impls:
                near = did_you_mean(impl, self.impls)
                raise ValueError(f"{self.name}: impl is one of {self.impls}, not {impl!r}{near}")
            if impl == "auto":
                options["impl"] = dict(_implementations.value).get(self.name, "auto")
        return arrays, options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Y:
        arrays, options = self.bind(*args, **kwargs)
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
                raise TypeError(f"{self.name}: {name} is missing: it may not be None")
            return None
        return as_array(f"{self.name}: {name}", given)

    def __repr__(self) -> str:
        return f"<operator {self.name}{self.signature}>"

    def __reduce__(self) -> str:
        """An operator is pickled by its name, as a function is."""
        return self.__qualname__

    def __copy__(self) -> "Op[P, Y]":
        """Another operator, whose rules can be replaced."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other


def operator(
    forward: object = None, /, *, static: tuple[str, ...] = ()
) -> Callable[[Callable[P, Y]], Op[P, Y]]:
    """Make the function below an operator; its rules and cases follow it on the page.

    Its positional parameters are arrays, but for those named `static`; all others are options.

    Raises: TypeError for @operator without parentheses, and for `static` that names no parameter.
    """
    if forward is not None:
        name = getattr(forward, "__name__", repr(forward))
        raise TypeError(f"operator: write @operator() above def {name}, with parentheses")
    return lambda forward: Op(forward, static)


def _signature(forward):
    """With annotations that were postponed, or written as text, if their names are known."""
    try:
        return inspect.signature(forward, eval_str=True)
    except NameError:
        return inspect.signature(forward)


def _hashable(value):
    if isinstance(value, np.ndarray | np.generic | jax.Array) and not isinstance(value, Tracer):
        value = value.tolist()
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
