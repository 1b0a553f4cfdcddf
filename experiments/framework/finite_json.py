"""JSON of a run. It has no numbers that are not finite, so these are strings, and are read back.

>>> dumps({"loss": float("nan"), "bound": (1.5, float("-inf"))})
'{"loss": "NaN", "bound": [1.5, "-Infinity"]}'
>>> loads('["NaN", "-Infinity", "a text"]')
[nan, -inf, 'a text']
"""

import json
import math
from typing import Any

NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # `float` reads them


def dumps(value: Any, **options: Any) -> str:
    """JSON text of `value`; `options` are those of `json.dumps`."""
    return json.dumps(_written(value), allow_nan=False, **options)


def loads(text: str | bytes) -> Any:
    """The value of JSON text that `dumps` made.

    Raises: json.JSONDecodeError, a ValueError, if it is no JSON.
    """
    return _read(json.loads(text))


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
