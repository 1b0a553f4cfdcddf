"""Names on the command line of `fcnn check`: an operator, or a function in a file of the user.

    conv                  an operator, at all its cases
    my_module.py:my_op    an operator, a custom_vjp function, or a forward function

The gradient of a forward function is in the same file: my_op_backward(*args, dy), or my_op_fwd and
my_op_bwd. So are its arguments: my_op_args, a tuple or a function that returns one.
"""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.cli.load import blamed, load
from fcnn.ops import OPS, Op

SUFFIXES = ("", "_args", "_fwd", "_bwd", "_backward")  # of a function and what belongs to it


class Target(NamedTuple):
    """Arguments of `fcnn.check`."""

    name: str
    f: Callable
    args: tuple[Any, ...] | None
    backward: Any


def target(name: str, shapes: list[str] | None, seed: int) -> Target:
    """The operator or function called `name`.

    Raises: ValueError, in one line, if there is none.
    """
    if ":" not in name:
        if shapes is not None:
            raise ValueError(
                f"--args: only with FILE.py:NAME; the operator {name} has its own cases"
            )
        return Target(name, _operator(name), None, None)
    path, _, wanted = name.rpartition(":")
    module = load(Path(path))
    with blamed(path):
        beside = {part: getattr(module, f"{wanted}{part}", None) for part in SUFFIXES}
    f = beside[""]
    if f is None:
        raise ValueError(
            f"{path} has no function {wanted!r}"
            if wanted
            else f"{name!r} has no name after the colon"
        )
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"{name} must be a function, not {_kind(f)}")
    args = _args(beside["_args"], f"{path}: {wanted}_args", shapes, seed)
    if args is None and not (isinstance(f, Op) and f.cases):
        raise ValueError(
            f"{name} needs arguments: write {wanted}_args = (x, w) in {path}, or the shapes of "
            "random arguments, as in --args 2,5,6,3 3,3,3,4"
        )
    return Target(wanted, f, args, _backward(beside, f, name))


def _operator(name):
    known = {op.name: op for op in OPS}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "fcnn ops lists all"
        raise ValueError(f"unknown operator {name!r}; {hint} A function is FILE.py:NAME")
    return known[name]


def _kind(value):
    return "a class" if isinstance(value, type) else f"a {type(value).__name__}"


def _args(given, what, shapes, seed):
    if shapes is not None:
        rng = np.random.default_rng(seed)
        return tuple(np.asarray(rng.standard_normal(_shape(s)), np.float32) for s in shapes)
    if callable(given):
        with blamed(f"{what}()"):
            given = given()
    if given is not None and not isinstance(given, tuple | list):
        raise ValueError(f"{what} must be a tuple, as in (x, w), not {_kind(given)}")
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
