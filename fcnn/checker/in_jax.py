"""A function in NumPy as a function that JAX can trace.

The function is copied, and in the copy the modules numpy, scipy and jax are replaced by `Library`,
whose functions take and return `Array`: a mutable array whose value is a JAX array. NumPy's
functions are replaced by those of the same name in jax.numpy.

Two habits of NumPy have no counterpart in JAX: control flow by values raises an error, and a view
does not see later changes of its array. So the result must be compared with that of f.
"""

import functools
import time
import types
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
from jax.core import Tracer

SECONDS = 5.0  # the longest run of a copied function, in CPU seconds
DEADLINE: ContextVar[float] = ContextVar("DEADLINE")
LIBRARIES = ("numpy", "scipy", "jax", "jaxlib")
PYTHON = ("builtins", "functools")
AT = {"add": "add", "subtract": "add", "multiply": "multiply", "maximum": "max", "minimum": "min"}


def in_jax(f: Callable) -> Callable:
    """f with JAX arrays in and out. f itself is called if JAX can trace it.

    Raises: TimeoutError if the copy of f takes more than SECONDS, as a long loop in Python does.
    """

    def call(*args):
        try:
            return f(*args)
        except Exception:  # f is in NumPy, or the copy raises an error too
            copy = _copied(f, {})
            limit = DEADLINE.set(time.thread_time() + SECONDS)
            try:
                return unwrapped(copy(*wrapped(args)))
            finally:
                DEADLINE.reset(limit)

    return call


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """A mutable array with the methods of NumPy.

    value: the JAX array.
    whole: the array of which this is a view, at the index `at`; None if it is no view.
    """

    __hash__ = None

    def __init__(self, value: Any, whole: "Array | None" = None, at: Any = None):
        if time.thread_time() > DEADLINE.get():
            raise TimeoutError
        self.value, self.whole, self.at = value, whole, at

    def assign(self, new: Any) -> None:
        """Overwrite all entries, also in the array of which this is a view."""
        new = jnp.asarray(unwrapped(new)).astype(self.value.dtype)
        self.value = jnp.broadcast_to(new, self.value.shape)
        if self.whole is not None:
            self.whole[self.at] = self.value

    def __getitem__(self, at: Any) -> "Array":
        part = self.value[_index(at)]
        return Array(part, self, at) if _is_view(at) else Array(part)

    def __setitem__(self, at: Any, new: Any) -> None:
        self.assign(self.value.at[_index(at)].set(unwrapped(new)))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        """An attribute or a method of the JAX array."""
        found = getattr(self.value, name)
        return _by_jax(found) if callable(found) else wrapped(found)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if method == "at":
            array, index, *values = inputs
            sign = -1 if ufunc.__name__ == "subtract" else 1
            change = getattr(array.value.at[_index(index)], AT[ufunc.__name__])
            return array.assign(change(*(sign * v for v in unwrapped(values))))
        f = _counterpart(ufunc)
        result = (f if method == "__call__" else getattr(f, method))(*unwrapped(inputs), **options)
        if out is None:
            return wrapped(result)
        out[0].assign(result)
        return out[0]

    def __array_function__(self, f, types, args, kwargs):
        return _by_jax(_counterpart(f))(*args, **kwargs)


class Library:
    """A module in a copied function. Functions that get an `Array` are those of JAX."""

    def __init__(self, module: types.ModuleType):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            return Library(found)
        is_function = callable(found) and (name == "asarray" or not isinstance(found, type))
        if not is_function or isinstance(found, np.ufunc):
            return found
        return functools.partial(_called, found)


def wrapped(tree: Any) -> Any:
    """The tree with `Array` for its floating arrays; integers stay, because they may be indices."""
    is_array = lambda a: (
        isinstance(a, jax.Array | np.ndarray)
        and (isinstance(a, Tracer) or jnp.issubdtype(a.dtype, jnp.inexact))
    )
    return jax.tree.map(lambda a: Array(jnp.asarray(a)) if is_array(a) else a, tree)


def unwrapped(tree: Any) -> Any:
    """The tree with JAX arrays, and with functions that take and return them."""
    return jax.tree.map(_unwrapped, tree)


def _unwrapped(a):
    if isinstance(a, types.FunctionType):  # such as the body of a loop
        return lambda *args: unwrapped(a(*wrapped(args)))
    return a.value if isinstance(a, Array) else a


def _called(f, *args, **kwargs):
    """The result of a function of a library."""
    given = jax.tree.leaves((args, kwargs))
    if any(isinstance(a, Array | types.FunctionType) for a in given):
        return _by_jax(_counterpart(f))(*args, **kwargs)
    return wrapped(f(*args, **kwargs))


def _by_jax(f):
    def call(*args, kind=None, **kwargs):  # `kind` is NumPy's choice of a sorting algorithm
        return wrapped(f(*unwrapped(args), **unwrapped(kwargs)))

    return call


def _counterpart(f: Any) -> Any:
    """The function of JAX for a function of NumPy or SciPy."""
    module, name = getattr(f, "__module__", "numpy") or "numpy", f.__name__
    if module.startswith("jax"):
        return f
    if isinstance(f, np.ufunc):
        return getattr(jnp, name, None) or getattr(jax.scipy.special, name)
    return functools.reduce(getattr, [*module.split(".")[1:], name], jnp)


def _index(at):
    """The index in JAX, where a list is no index."""
    one = lambda k: np.asarray(k) if isinstance(k, list) else unwrapped(k)
    return tuple(map(one, at)) if isinstance(at, tuple) else one(at)


def _is_view(at):
    basic = (int, np.integer, slice, type(None), type(Ellipsis))
    return all(isinstance(k, basic) for k in (at if isinstance(at, tuple) else (at,)))


def _copied(f: Any, done: dict[Any, Any]) -> Any:
    """f with `Library` in place of modules, also in the functions of its file that it may call.

    Raises: TypeError for a method or a callable object, which may keep the arrays of JAX.
    """
    is_object = callable(f) and type(f).__module__.partition(".")[0] not in (*LIBRARIES, *PYTHON)
    if isinstance(f, types.MethodType) or (is_object and not isinstance(f, type)):
        raise TypeError(f"{f!r:.60} may keep its arguments")
    if isinstance(f, functools.partial):
        return functools.partial(_copied(f.func, done), *f.args, **f.keywords)
    if isinstance(f, types.ModuleType) and f.__name__.partition(".")[0] in LIBRARIES:
        return Library(f)
    if not isinstance(f, types.FunctionType) or f.__module__.partition(".")[0] in LIBRARIES:
        return f
    if f not in done:
        own = _names(f.__globals__, done)
        cells = tuple(types.CellType() for _ in f.__closure__ or ())
        done[f] = types.FunctionType(f.__code__, own, f.__name__, f.__defaults__, cells)
        done[f].__kwdefaults__ = f.__kwdefaults__
        for new, old in zip(cells, f.__closure__ or (), strict=True):
            new.cell_contents = _copied(old.cell_contents, done)
    return done[f]


def _names(names, done):
    """The global names of a file, with copies of its own functions."""
    key = id(names)
    if key not in done:
        done[key] = own = dict(names)
        own.update({k: _copied(v, done) for k, v in names.items() if _is_own(v, names)})
    return done[key]


def _is_own(value, names):
    is_module = isinstance(value, types.ModuleType)
    return is_module or getattr(value, "__globals__", None) is names
