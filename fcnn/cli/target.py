"""What a person names on the command line: an operator, or a function in a file of their own.

    conv                  an operator, at all its cases
    my_module.py:my_op    an operator or custom_vjp function, or a forward

The gradient of a forward stands beside it: my_op_backward(*args, dy), or my_op_fwd and my_op_bwd;
and so do its arguments, my_op_args, as a tuple or as a function that gives one.
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

PARTS = ("", "_args", "_fwd", "_bwd", "_backward")  # of what stands beside a function
NEAR = 0.85  # of two names: the share of letters that a misspelt one keeps


class Target(NamedTuple):
    """What `fcnn.check` is to be called with; `path` is the file that holds f, if one does."""

    name: str
    f: Callable
    args: tuple[Any, ...] | None
    backward: Any
    path: Path | None = None

    @property
    def note(self) -> str:
        """A line that tells that JAX's own gradient is judged, where a file has no other."""
        if self.path is None or self.backward is not None or _brings_its_own(self.f):
            return ""
        lacks = f"no {self.name}_backward, nor {self.name}_fwd and {self.name}_bwd"
        return f"Judged is JAX's own gradient: {self.path.name} has {lacks}."


def target(name: str, shapes: list[str] | None, seed: int) -> Target:
    """What `name` names.

    Raises: ValueError, in one line, where there is no such thing.
    """
    if ":" not in name:
        return _of_operator(name, shapes)
    text, _, wanted = name.rpartition(":")
    path = Path(text)
    module = load(path)
    with blamed(path):
        beside = {part: getattr(module, f"{wanted}{part}", None) for part in PARTS}
    f = beside[""]
    if f is None:
        raise ValueError(f"{path} has no {wanted or 'name after the colon'}{_has(module, wanted)}")
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"{name} is no function, but {_kind(f)}")
    _refuse_misspelt(module, wanted, beside, path)
    args = _args(beside["_args"], path, f"{wanted}_args", shapes, seed)
    if args is None and not (isinstance(f, Op) and f.cases):
        raise ValueError(
            f"{name} needs arguments: write {wanted}_args = (x, w) beside it, or give the shapes "
            "of random ones, as in --args 2,5,6,3 3,3,3,4"
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
        near = did_you_mean(name, known, "; fcnn ops lists them")
        raise ValueError(f"{name!r} is no operator, nor FILE.py:NAME{near}")
    if shapes is not None:
        raise ValueError(f"--args goes with FILE.py:NAME; {name} has cases of its own")
    return Target(name, known[name], None, None)


def _functions(module):
    """The names of functions that the file defines, without those that stand beside another."""
    defined = [
        name
        for name, value in vars(module).items()
        if callable(value)
        and not isinstance(value, type)
        and not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    beside = {f"{name}{part}" for name in defined for part in PARTS if part}
    return [name for name in defined if name not in beside]


def _has(module, wanted):
    functions = _functions(module)
    listed = f"; it has {', '.join(functions)}" if functions else ""
    return did_you_mean(wanted, functions, listed)


def _refuse_misspelt(module, wanted, beside, path):
    """ValueError for a name that is nearly that of a part, and would be left out in silence."""
    known = {f"{name}{part}" for name in (wanted, *_functions(module)) for part in PARTS[1:]}
    others = [name for name in vars(module) if name not in (wanted, *known)]
    ruled = beside["_backward"] is not None or None not in (beside["_fwd"], beside["_bwd"])
    for part in ("_args",) if ruled else PARTS[1:]:
        near = get_close_matches(f"{wanted}{part}", others, n=1, cutoff=NEAR)
        if beside[part] is None and near:
            raise ValueError(f"{path}: {near[0]} is not used; did you mean {wanted}{part}?")


def _kind(value):
    return "a class" if isinstance(value, type) else type(value).__name__


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
