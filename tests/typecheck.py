"""Check every argument and result of fcnn's functions against its annotation, in all tests.

An int is accepted as a float. jaxtyping's own decorator binds and checks the arguments of each call
twice, which took a fifth of the tracing time. Here, each call is checked once. If no annotation of
a function names an array, beartype checks the call without jaxtyping. If one does, jaxtyping also
compares the letters of shapes.
"""

from inspect import isfunction
from typing import get_args

import jaxtyping
from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
_jaxtyped = jaxtyping.jaxtyped


def check_annotations_of(package: str) -> None:
    """Check the annotations of a package that is not yet imported."""
    jaxtyping.jaxtyped = jaxtyped
    jaxtyping.install_import_hook(package, "typecheck.checked")


def jaxtyped(*, typechecker):
    """The decorator that the import hook adds to every function and class."""

    def decorate(f):
        if not isfunction(f):
            return _jaxtyped(f, typechecker=typechecker)
        if not f.__annotations__:
            return f
        letters = any(map(_names_an_array, f.__annotations__.values()))
        return _jaxtyped(typechecker(f), typechecker=None) if letters else typechecker(f)

    return decorate


def _names_an_array(hint):
    from_jaxtyping = getattr(hint, "__module__", "").startswith("jaxtyping")
    return from_jaxtyping or isinstance(hint, str) or any(map(_names_an_array, get_args(hint)))
