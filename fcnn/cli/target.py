"""What a person names on the command line: an operator, or a function in a file of their own.

    conv                  an operator, at all its cases
    my_module.py:my_op    an operator or custom_vjp function, or a forward

The gradient of a forward stands beside it: my_op_backward(*args, dy), or my_op_fwd and my_op_bwd;
and so do its arguments, my_op_args, as a tuple or as a function that gives one.
"""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from fcnn.cli.load import blamed, load
from fcnn.ops import OPS, Op

PARTS = ("", "_args", "_fwd", "_bwd", "_backward")  # of what stands beside a function


class Target(NamedTuple):
    """What `fcnn.check` is to be called with."""

    name: str
    f: Callable
    args: tuple[Any, ...] | None
    backward: Any


def target(name: str, shapes: list[str] | None, seed: int) -> Target:
    """What `name` names.

    Raises: ValueError, in one line, where there is no such thing.
    """
    if ":" not in name:
        if shapes is not None:
            raise ValueError(f"--args goes with FILE.py:NAME; {name} has cases of its own")
        return Target(name, _operator(name), None, None)
    path, _, wanted = name.rpartition(":")
    module = load(Path(path))
    with blamed(path):
        beside = {part: getattr(module, f"{wanted}{part}", None) for part in PARTS}
    f = beside[""]
    if f is None:
        raise ValueError(f"{path} has no {wanted or 'name after the colon'}")
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"{name} is no function, but {_kind(f)}")
    args = _args(beside["_args"], f"{path}: {wanted}_args", shapes, seed)
    if args is None and not (isinstance(f, Op) and f.cases):
        raise ValueError(
            f"{name} needs arguments: write {wanted}_args = (x, w) beside it, or give the shapes "
            "of random ones, as in --args 2,5,6,3 3,3,3,4"
        )
    return Target(wanted, f, args, _backward(beside, f, name))


def _operator(name):
    known = {op.name: op for op in OPS}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; fcnn ops lists them"
        raise ValueError(f"{name!r} is no operator, nor FILE.py:NAME{hint}")
    return known[name]


def _kind(value):
    return "a class" if isinstance(value, type) else type(value).__name__


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
    if (fwd is not None or bwd is not None) and backward is None and not _brings_its_own(f):
        has, lacks = ("fwd", "bwd") if bwd is None else ("bwd", "fwd")
        raise ValueError(f"{name}_{has} stands alone: write {name.rpartition(':')[2]}_{lacks} too")
    return backward


def _brings_its_own(f):
    return isinstance(f, Op | jax.custom_vjp | jax.custom_jvp)


def _shape(text):
    try:
        shape = tuple(int(n) for n in text.strip("()").split(",") if n.strip())
    except ValueError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise ValueError(f"--args {text!r} is no shape; write 2,5,6,3, or () for one number")
    return shape
