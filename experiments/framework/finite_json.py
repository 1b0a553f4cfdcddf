"""JSON of a run. It has no numbers that are not finite, so these are strings, and are read back.

>>> dumps({"loss": float("nan"), "bound": (1.5, float("-inf"))})
'{"loss": "NaN", "bound": [1.5, "-Infinity"]}'
>>> loads('["NaN", "-Infinity", "a text"]')
[nan, -inf, 'a text']
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # `float` reads them
Kinds = Mapping[str, type | UnionType]  # entry → its type; `dict | None` may be left out


class Damaged(ValueError):
    """A file of a run is no JSON, or has not the entries that it should have."""

    def __init__(self, path: Path, why: str):
        super().__init__(f"{path} is damaged: {why}")


def dumps(value: Any, **options: Any) -> str:
    """JSON text of `value`; `options` are those of `json.dumps`."""
    return json.dumps(_written(value), allow_nan=False, **options)


def loads(text: str | bytes) -> Any:
    """The value of JSON text that `dumps` made.

    Raises: ValueError if it is no JSON, or has too many brackets inside others.
    """
    try:
        return _read(json.loads(text))
    except RecursionError:
        raise ValueError("too many brackets are inside others") from None


def read(path: Path, kinds: Kinds) -> dict[str, Any]:
    """The object in a file, which has entries of these types.

    Raises: OSError; Damaged, with one line.
    """
    return parsed(path, path.read_bytes(), kinds)


def parsed(path: Path, text: bytes, kinds: Kinds) -> dict[str, Any]:
    """The object in a text of the file `path`, as `read` returns it."""
    try:
        content = loads(text)
    except ValueError as error:
        raise Damaged(path, " ".join(f"{error}".split())) from None
    require(path, content, kinds)
    return content


def require(path: Path, content: Any, kinds: Kinds) -> None:
    """Raises: Damaged if `content` is no object with entries of these types."""
    if not isinstance(content, dict):
        raise Damaged(path, "an object is needed in place of a list or a value")
    for name, kind in kinds.items():
        if not isinstance(content.get(name), kind):
            what = "has a value of another type" if name in content else "is missing"
            raise Damaged(path, f"entry {name!r} {what}")


def _written(value):
    if isinstance(value, dict):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_written(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _read(value):
    if isinstance(value, dict):
        return {key: _read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each) for each in value]
    return float(value) if value in NOT_FINITE else value
