"""What a person names on the command line: an operator, or a function in a file of their own.

    conv                  an operator, at all its cases
    my_module.py:my_op    an operator or custom_vjp function, or a forward

The gradient of a forward stands beside it: my_op_backward(*args, dy), or my_op_fwd and my_op_bwd;
and so do its arguments, my_op_args, as a tuple or as a function that gives one.
"""

import difflib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnn.ops import OPS, Op


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
    module = _module(Path(path))
    if not hasattr(module, wanted):
        raise ValueError(f"{path} has no {wanted}")
    f = getattr(module, wanted)
    if not callable(f):
        raise ValueError(f"{name} is no function, but {type(f).__name__}")
    args = _args(module, path, wanted, shapes, seed)
    if args is None and not isinstance(f, Op):
        raise ValueError(
            f"{name} needs arguments: write {wanted}_args = (x, w) beside it, or give the shapes "
            "of random ones, as in --args 2,5,6,3 3,3,3,4"
        )
    return Target(wanted, f, args, _backward(module, wanted))


def _operator(name):
    known = {op.name: op for op in OPS}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; fcnn ops lists them"
        raise ValueError(f"{name!r} is no operator, nor FILE.py:NAME{hint}")
    return known[name]


def _module(path):
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as wrong:
        raise ValueError(f"{path}: {type(wrong).__name__}: {wrong}") from None
    return module


def _args(module, path, name, shapes, seed):
    if shapes is not None:
        rng = np.random.default_rng(seed)
        return tuple(np.asarray(rng.standard_normal(_shape(s)), np.float32) for s in shapes)
    args = getattr(module, f"{name}_args", None)
    args = args() if callable(args) else args
    if args is not None and not isinstance(args, tuple | list):
        raise ValueError(f"{path}: {name}_args must be a tuple, as in (x, w)")
    return None if args is None else tuple(args)


def _shape(text):
    try:
        shape = tuple(int(n) for n in text.strip("()").split(",") if n.strip())
    except ValueError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise ValueError(f"--args {text!r} is no shape; write 2,5,6,3, or () for one number")
    return shape


def _backward(module, name):
    fwd, bwd = (getattr(module, f"{name}_{part}", None) for part in ("fwd", "bwd"))
    if fwd is not None and bwd is not None:
        return fwd, bwd
    return getattr(module, f"{name}_backward", None)
