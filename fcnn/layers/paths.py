"""Parameters by path: the names from the outermost layer to the array, separated by "/".

"stage2/conv1/w"      one array
"stage[12]/*"         all parameters of two stages        * matches "/" too
"*/b"                 every bias
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import jax.numpy as jnp

from fcnn.ops.arrays import as_array
from fcnn.ops.validation import did_you_mean, named, require


def select(params: Any, *patterns: str) -> dict[str, Any]:
    """Parameters by path, in order: those whose path matches one of the patterns.

    Options:
        params: parameters, or any nested dicts, such as gradients or state.
        patterns: paths, where * stands for any text, ? for one character, and [12] for 1 or 2.
            Without patterns, all parameters.
    Raises: ValueError if nothing matches a pattern.

    >>> model = fcnn.layers.serial(stem=fcnn.layers.dense(4), head=fcnn.layers.dense(2))
    >>> params, _ = model.init(jax.random.key(0), (3,))
    >>> {path: a.shape for path, a in fcnn.layers.select(params, "*/w").items()}
    {'stem/w': (3, 4), 'head/w': (4, 2)}
    """
    found = _paths(params)
    with named("select"):
        if not isinstance(params, Mapping):
            raise TypeError(f"params {params!r:.60} is not a dict; write select(params, 'stem/*')")
        _require_matches(found, patterns)
    return {path: a for path, a in found.items() if not patterns or _matches(path, patterns)}


def matches(params: Any, *patterns: str) -> Any:
    """For each parameter, whether its path matches one of the patterns: a pytree of booleans.

    It is what `optax.masked` and `optax.adamw(mask=...)` take. To freeze parameters, put
    optax.masked(optax.set_to_zero(), layers.matches(params, "stem/*")) behind the optimizer.

    Shapes: nested dicts like `params`.
    Options:
        params: parameters.
        patterns: paths, as in `select`.
    Raises: ValueError if nothing matches a pattern.

    >>> import optax
    >>> model = fcnn.layers.serial(stem=fcnn.layers.dense(4), head=fcnn.layers.dense(2))
    >>> params, _ = model.init(jax.random.key(0), (3,))
    >>> frozen = fcnn.layers.matches(params, "stem/*")
    >>> frozen
    {'stem': {'w': True, 'b': True}, 'head': {'w': False, 'b': False}}
    >>> optimizer = optax.chain(optax.adam(1e-3), optax.masked(optax.set_to_zero(), frozen))
    """
    with named("matches"):
        require(bool(patterns), "no pattern; write matches(params, 'stem/*')")
        _require_matches(_paths(params), patterns)
    return _mapped(lambda path, _: _matches(path, patterns), params)


def replace(params: Any, values: Mapping[str, Any]) -> Any:
    """A copy of `params` with other arrays at some paths.

    Shapes: each new array has the shape of the old one. It gets the old dtype.
    Options:
        params: parameters.
        values: the new array, or a function from the old to the new array, for each path or
            pattern.
    Raises: ValueError if nothing matches a path, or if shapes differ.

    >>> params = {"stem": {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}}
    >>> fcnn.layers.replace(params, {"stem/b": [3.0, 4.0], "*/w": jnp.zeros_like})["stem"]["b"]
    Array([3., 4.], dtype=float32)
    """
    with named("replace"):
        if not isinstance(values, Mapping):
            kind = type(values).__name__
            raise TypeError(f"a {kind} is not a dict; write replace(params, {{'stem/b': array}})")
        _require_matches(_paths(params), tuple(values))

    def new(path, old):
        for pattern, value in values.items():
            if _matches(path, (pattern,)):
                with named("replace"):
                    given = as_array(path, value(old) if callable(value) else value)
                    fits = given.shape == old.shape
                    require(fits, f"{path} {given.shape} needs shape {old.shape}")
                    _require_kind(path, given, old)
                old = given.astype(old.dtype)
        return old

    return _mapped(new, params)


def _mapped(f: Callable[[str, Any], Any], tree: Any, path: str = "") -> Any:
    """f(path, array) of each array of nested dicts, whose order is kept."""
    if isinstance(tree, Mapping):
        return {k: _mapped(f, a, f"{path}/{k}" if path else str(k)) for k, a in tree.items()}
    return f(path, tree)


def _paths(params):
    found = {}
    _mapped(found.__setitem__, params)
    return found


def _matches(path, patterns):
    return any(path == pattern or fnmatchcase(path, pattern) for pattern in patterns)


def _require_kind(path, given, old):
    """TypeError unless the old dtype can hold the kind of numbers of the new array."""
    is_kind = lambda a, *kinds: any(jnp.issubdtype(a.dtype, kind) for kind in kinds)
    kinds = [jnp.floating, jnp.integer] if is_kind(old, jnp.floating) else [old.dtype]
    if not is_kind(given, *kinds):
        raise TypeError(f"{path} holds {old.dtype}, but the new array {given.dtype}")


def _require_matches(found, patterns):
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"{pattern!r:.60} is not a path or pattern; write 'stem/*'")
        require(bool(found), f"no parameters, so none matches {pattern!r}")
        if not any(_matches(path, (pattern,)) for path in found):
            has = ", ".join(list(found)[:5]) + (", ..." if len(found) > 5 else "")
            similar = did_you_mean(pattern, found, f"; expected for example one of {has}")
            inside = f"{pattern.rstrip('/')}/*"
            if any(fnmatchcase(path, inside) for path in found):
                similar = f"; write {inside!r}"
            raise ValueError(f"no parameter matches {pattern!r}{similar}")
