"""Error messages of layers: the path of the layer, and what is missing."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax

from fcnn.ops.validation import Named, did_you_mean


class Located(Named):
    """A message with the path of a layer at its end."""


@contextmanager
def located(path: str) -> Iterator[None]:
    """Add the path of the innermost layer to a ValueError or TypeError."""
    try:
        yield
    except (ValueError, TypeError) as error:
        match error.args:
            case (str(message), *rest) if path and type(error) in (ValueError, TypeError):
                if not isinstance(message, Located):
                    error.args = (Located(f"{message} (in {path})"), *rest)
        raise


def require_names(
    params: Any,
    names: Any,
    path: str,
    *,
    what: str = "parameters",
    all_of_them: bool = False,
) -> None:
    """ValueError if `params` has other names, or not `all_of_them`; no check if names is None."""
    if names is None:
        return
    within = f"{path}/" if path else ""
    if other := sorted(params.keys() - set(names)):
        has = ", ".join(sorted(names)) or "none"
        most_similar = did_you_mean(other[0], names)
        raise ValueError(f"unknown {what} {within}{other[0]}; expected {has}{most_similar}")
    if all_of_them and (missing := [name for name in names if name not in params]):
        write = "write params, state = model.init(key, shape)"
        one = {"parameters": "parameter"}.get(what, what)
        raise ValueError(f"no {one} {within}{missing[0]}; {write}")


def require_state(state: Any, names: tuple[str, ...]) -> None:
    """ValueError unless `state` has all names."""
    if missing := [name for name in names if name not in state]:
        write = "write params, state = model.init(key, shape)"
        advice = f"{write} and pass the state that each model.apply returns to the next call"
        raise ValueError(f"no {missing[0]} in state; {advice}")


@contextmanager
def one_array(parts: tuple, x: Any) -> Iterator[None]:
    """TypeError where a layer of its own fails because x is a dict or a tuple."""
    try:
        yield
    except AttributeError as error:
        if parts or not isinstance(x, Mapping | tuple):
            raise
        given = f"a dict of {', '.join(map(str, x))}" if isinstance(x, Mapping) else "a tuple"
        write = "write parallel(name=layer, ...) with a layer for each entry"
        raise TypeError(f"x is {given}, not one array; {write}") from error


def require_read(
    inputs: Collection[str], reads: Collection[str], options: Collection[str] = ()
) -> None:
    """TypeError for a side input that no layer reads; the message lists those that are read."""
    if unread := sorted(set(inputs) - set(reads)):
        known = f"it reads {', '.join(sorted(reads))}" if reads else "it reads none"
        similar = did_you_mean(unread[0], [*reads, *options])
        raise TypeError(f"no layer reads the input {', '.join(unread)}; {known}{similar}")


def require_arrays(inputs: Mapping[str, Any]) -> None:
    """TypeError for a side input that is a dict, which no `parallel` has distributed."""
    for name, a in inputs.items():
        if isinstance(a, Mapping):
            expected = "expected an array, or a dict with the names of the layers in a parallel"
            raise TypeError(f"{name} is a dict of {', '.join(a)}; {expected}")


@contextmanager
def suggest(forward: Callable, params: Any, state: Any, x: Any, call: Any) -> Iterator[None]:
    """Add to a ValueError what the layer would accept: another axis of x, or params for state."""
    try:
        yield
    except ValueError as error:
        message = error.args[0] if error.args else None
        if type(error) is ValueError and isinstance(message, str):
            for advice, args in _others(params, state, x):
                if _accepts(forward, *args, call):
                    error.args = (Located(f"{message}; {advice}"),)
                    break
        raise


def _others(params, state, x):
    """Changes of the arguments that mend frequent mistakes, and the advice for each."""
    axes = {"x[None]": (0, "a batch axis"), "x[:, None]": (1, "an axis of steps")}
    axes["x[..., None]"] = (-1, "an axis of channels")
    for write, (axis, name) in axes.items():
        insert = lambda a, axis=axis: jax.ShapeDtypeStruct(
            (*a.shape[: axis % (a.ndim + 1)], 1, *a.shape[axis % (a.ndim + 1) :]), a.dtype
        )
        if all(a.ndim for a in jax.tree.leaves(x)):
            yield (
                f"x with {name} would fit: write {write}",
                (params, state, jax.tree.map(insert, x)),
            )
    yield "params and state are exchanged", (state, params, x)


def _accepts(forward, params, state, x, call):
    try:
        jax.eval_shape(lambda x: forward(params, state, x, call), x)
    except Exception:
        return False
    return True
