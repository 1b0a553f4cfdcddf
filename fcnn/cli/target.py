"""Names on the command line of `fcnn check`: an operator, or a function in a file of the user.

    conv                  an operator, at all its cases
    my_module.py:my_op    an operator, a custom_vjp function, or a forward function

The gradient of a forward function is in the same file: my_op_backward(*args, dy), or my_op_fwd and
my_op_bwd. The arguments are there too: my_op_args, a tuple or a function that returns a tuple.
"""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.cli.load import blamed, load
from fcnn.ops import OPS, Op
from fcnn.ops.validation import did_you_mean

SUFFIXES = ("", "_args", "_fwd", "_bwd", "_backward")  # of a function, its arguments and gradient
NEAR = 0.85  # similarity of a name and its misspelling, by difflib


class Target(NamedTuple):
    """Arguments of `fcnn.check`; `path` is the file of f, if it has one."""

    name: str
    f: Callable
    args: tuple[Any, ...] | None
    backward: Any
    path: Path | None = None

    @property
    def note(self) -> str:
        """A line for the report where the file has no gradient, so that JAX's own is checked."""
        if self.path is None or self.backward is not None or _has_own_gradient(self.f):
            return ""
        lacks = f"no {self.name}_backward, nor {self.name}_fwd and {self.name}_bwd"
        return f"JAX's own gradient is checked: {self.path.name} has {lacks}."


def target(name: str, shapes: list[str] | None, seed: int) -> Target:
    """The operator or function called `name`.

    Raises: ValueError, in one line, if there is no such operator or function.
    """
    if ":" not in name:
        return _of_operator(name, shapes)
    text, _, wanted = name.rpartition(":")
    path = Path(text)
    module = load(path)
    with blamed(path):
        beside = {part: getattr(module, f"{wanted}{part}", None) for part in SUFFIXES}
    f = beside[""]
    if f is None:
        raise ValueError(f"{path} has no {wanted or 'name after the colon'}{_has(module, wanted)}")
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"{name} must be a function, not {_kind(f)}")
    _refuse_misspelt(module, wanted, beside, path)
    args = _args(beside["_args"], path, f"{wanted}_args", shapes, seed)
    if args is None and not (isinstance(f, Op) and f.cases):
        raise ValueError(
            f"{name} needs arguments: write {wanted}_args = (x, w) in {path}, or the shapes of "
            "random arguments, as in --args 2,5,6,3 3,3,3,4"
        )
    return Target(wanted, f, args, _backward(beside, f, name), path)


def _of_operator(name, shapes):
    if name.endswith(".py"):
        functions = _functions(load(Path(name)))
        listed = f"; it has {', '.join(functions)}" if functions else "; it has no function"
        example = functions[0] if functions else "NAME"
        raise ValueError(f"{name}: write {name}:{example}, with the name of a function{listed}")
    known = {op.name: op for op in OPS}
    if name not in known:
        near = did_you_mean(name, known, "; fcnn ops lists all")
        raise ValueError(f"unknown name {name!r}; expected an operator or FILE.py:NAME{near}")
    if shapes is not None:
        raise ValueError(
            f"--args: only with FILE.py:NAME; leave it out: the operator {name} has cases"
        )
    return Target(name, known[name], None, None)


def _functions(module):
    """The names of functions in the file, except gradients and arguments of other functions."""
    defined = [
        name
        for name, value in vars(module).items()
        if callable(value)
        and not isinstance(value, type)
        and not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    beside = {f"{name}{part}" for name in defined for part in SUFFIXES if part}
    return [name for name in defined if name not in beside]


def _has(module, wanted):
    functions = _functions(module)
    listed = f"; it has {', '.join(functions)}" if functions else ""
    return did_you_mean(wanted, functions, listed)


def _refuse_misspelt(module, wanted, beside, path):
    """Raise ValueError if a gradient or arguments have a misspelt name: they would be ignored."""
    known = {f"{name}{part}" for name in (wanted, *_functions(module)) for part in SUFFIXES[1:]}
    others = [name for name in vars(module) if name not in (wanted, *known)]
    has_gradient = beside["_backward"] is not None or None not in (beside["_fwd"], beside["_bwd"])
    for part in ("_args",) if has_gradient else SUFFIXES[1:]:
        near = get_close_matches(f"{wanted}{part}", others, n=1, cutoff=NEAR)
        if beside[part] is None and near:
            raise ValueError(f"{path}: {near[0]} is not used; did you mean {wanted}{part}?")


def _kind(value):
    if isinstance(value, type):
        return "a class"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _args(given, path, what, shapes, seed):
    if shapes is not None:
        rng = np.random.default_rng(seed)
        return tuple(np.asarray(rng.standard_normal(_shape(s)), np.float32) for s in shapes)
    if callable(given):
        with blamed(path, f"{what}()"):
            given = given()
    if given is not None and not isinstance(given, tuple | list):
        raise ValueError(f"{path}: {what} must be a tuple, as in (x, w), not {_kind(given)}")
    return None if given is None else tuple(given)


def _backward(beside, f, name):
    fwd, bwd, backward = (beside[part] for part in ("_fwd", "_bwd", "_backward"))
    if fwd is not None and bwd is not None:
        return fwd, bwd
    if (fwd is not None or bwd is not None) and backward is None and not _has_own_gradient(f):
        has, lacks = ("fwd", "bwd") if bwd is None else ("bwd", "fwd")
        raise ValueError(f"{name}_{has} needs {name.rpartition(':')[2]}_{lacks}; write both")
    return backward


def _has_own_gradient(f):
    return isinstance(f, Op | jax.custom_vjp | jax.custom_jvp)


def _shape(text):
    try:
        shape = tuple(int(n) for n in text.strip("()").split(",") if n.strip())
    except ValueError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise ValueError(f"--args {text!r} is not a shape; write 2,5,6,3, or () for a scalar")
    return shape
