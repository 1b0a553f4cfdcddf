"""Error messages of layers: the path of the layer, and what is missing."""

from collections.abc import Collection, Iterator, Mapping
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
        raise ValueError(f"no parameter {within}{missing[0]}; {write}")


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


def require_read(inputs: Collection[str], reads: Collection[str]) -> None:
    """TypeError for a side input that no layer reads; the message lists those that are read."""
    if unread := sorted(set(inputs) - set(reads)):
        known = f"it reads {', '.join(sorted(reads))}" if reads else "it reads none"
        raise TypeError(f"no layer reads the input {', '.join(unread)}; {known}")


def require_arrays(inputs: Mapping[str, Any]) -> None:
    """TypeError for a side input that is a dict, which no `parallel` has distributed."""
    for name, a in inputs.items():
        if isinstance(a, Mapping):
            expected = "expected an array, or a dict with the names of the layers in a parallel"
            raise TypeError(f"{name} is a dict of {', '.join(a)}; {expected}")


@contextmanager
def suggest_batch_axis(layer: Any, params: Any, state: Any, x: Any, call: Any) -> Iterator[None]:
    """Add advice to a ValueError if the layer accepts x with a batch axis in front."""
    try:
        yield
    except ValueError as error:
        message = error.args[0] if error.args else None
        if type(error) is ValueError and isinstance(message, str) and not call.inputs:
            one = jax.tree.map(lambda a: jax.ShapeDtypeStruct((1, *a.shape), a.dtype), x)
            try:
                jax.eval_shape(lambda x: layer.forward(params, state, x, call), one)
            except Exception:
                raise error from None
            error.args = (Located(f"{message}; x has no batch axis: write x[None]"),)
        raise
