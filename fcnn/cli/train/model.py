"""The model that the command line names: a function of `fcnn.models`, or one in a Python file."""

import ast
import inspect
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from fcnn import models
from fcnn.cli.load import blamed, load
from fcnn.cli.output import Misuse
from fcnn.cli.train.call import Written, written
from fcnn.layers import Layer
from fcnn.ops.validation import did_you_mean

NAMES = ("cnn", "mlp", "resnet", "mobilenet", "lstm", "transformer")


def named_model(text: str, outputs: int) -> tuple[Layer, dict[str, str]]:
    """The layer, and the entries of the configuration that identify it.

    Options:
        text: "cnn", "cnn(dropout=0.2)", "FILE.py:FUNCTION" or "FILE.py:FUNCTION(width=8)".
        outputs: number of classes, or of targets: the option `classes` of the function, if it has
            one and `text` does not give it.
    Raises: Misuse, a ValueError, if there is no such function, or it does not return a layer.
    """
    path, call, f = _function(text)
    options = dict(call.options)
    if "classes" not in options and _takes_classes(f, call):
        options["classes"] = outputs
    call = call._replace(options=options)
    try:
        with blamed(path, f"{call}"):
            layer = f(*call.args, **call.options)
            call = _by_name(f, call)
    except ValueError as error:
        raise Misuse(f"{error}") from None
    if not isinstance(layer, Layer):
        raise Misuse(f"{text} returns a {type(layer).__name__}, not a layer")
    facts = {"model": f"{call}"}
    if path is not None:
        facts["model source"] = _source(path)
    return layer, facts


def _function(text: str) -> tuple[Path | None, Written, Callable[..., Any]]:
    file, colon, rest = text.partition(".py:")
    if not colon:
        call = written(text)
        if call.name not in NAMES:
            if call.name.endswith(".py"):
                raise Misuse(f"{text}: write {text}:FUNCTION, with a function that returns a layer")
            near = did_you_mean(call.name, NAMES)
            known = f"expected one of {', '.join(NAMES)}, or FILE.py:FUNCTION"
            raise Misuse(f"unknown model {call.name!r}; {known}{near}")
        return None, call, getattr(models, call.name)
    path, call = Path(f"{file}.py"), written(rest)
    module = load(path)
    f = getattr(module, call.name, None)
    if not callable(f):
        own = [name for name, value in vars(module).items() if _own_function(module, value)]
        listed = f"; it has {', '.join(own)}" if own else ""
        raise Misuse(f"{path} has no function {call.name}{listed}")
    return path, call, f


def _by_name(f, call):
    """The call with all arguments by name, so that two forms of one call are equal."""
    given = inspect.signature(f).bind(*call.args, **call.options).arguments
    return call._replace(args=(), options=given)


def _own_function(module, value):
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _takes_classes(f, call):
    """Whether `classes` is an option of f that the arguments of `call` do not give."""
    try:
        names = [*inspect.signature(f).parameters]
    except (TypeError, ValueError):
        return False
    return "classes" in names[len(call.args) :]


def _source(path: Path) -> str:
    """The start of the sha256 of a program, without comments and formatting."""
    program = ast.unparse(ast.parse(path.read_text(encoding="utf-8")))
    return sha256(program.encode()).hexdigest()[:16]
