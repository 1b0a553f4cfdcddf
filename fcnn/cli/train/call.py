"""Names and calls on a command line, such as cnn and 'cnn(channels=(16, 32))'."""

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fcnn.cli.output import Misuse

FORM = re.compile(r"([^()]+?)(\(.*\))?", re.DOTALL)


class Written(NamedTuple):
    """The name of a function and the arguments of its call."""

    name: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        words = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.options.items())]
        return f"{self.name}({', '.join(words)})"


def written(text: str) -> Written:
    """The parts of a name or a call whose arguments are literals.

    Raises: Misuse for any other text.
    """
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise Misuse(f"{text!r} is not a name or a call; write NAME or 'NAME(option=value)'")
    name, arguments = found[1], found[2] or "()"
    try:
        call: Any = ast.parse(f"f{arguments}", mode="eval").body
        args = tuple(ast.literal_eval(arg) for arg in call.args)
        options = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        if None in options:
            raise ValueError
    except (ValueError, SyntaxError, AttributeError, TypeError):
        raise Misuse(f"{text!r}: arguments must be numbers, strings, tuples or lists") from None
    return Written(name, args, options)
