"""Split of one long text, or of its ids, by position."""

from typing import Any

from fcnn.ops.validation import named, require, require_numbers


def split(text: Any, share: float = 0.1) -> tuple[Any, Any]:
    """Split a text, or its ids, into (train, validation): validation is the last `share` of it.

    Make vocabularies and windows of each part afterwards: then no window crosses the split, and no
    character of validation is counted.

    Shapes: t characters or ids -> train, of t - m, and validation, of m = share t, rounded.
    Options:
        text: a str, or an array (t,).
        share: the share of validation, between 0 and 1.
    Raises: ValueError if share is not between 0 and 1, a part would be empty, or an array has not
            one axis; TypeError for another kind of text.
    Cost:   parts of an array are views, without a copy.
    Source: none.

    >>> train, validation = fcnn.data.text.split("to be, or not", 0.25)
    >>> train, validation
    ('to be, or ', 'not')
    """
    with named("split"):
        require_numbers(share=share)
        require(0 < share < 1, f"share {share} must lie between 0 and 1")
        if not isinstance(text, str):
            if not hasattr(text, "shape"):
                write = "one long str or array is needed; for many texts write fcnn.data.split"
                raise TypeError(f"text is a {type(text).__name__}; {write}")
            require(len(text.shape) == 1, f"text {text.shape} needs 1 axis")
        t = len(text)
        m = int(share * t + 0.5)
        parts = f"{t - m} for training and {m} for validation"
        require(0 < m < t, f"share {share} of {t} characters or ids gives {parts}")
    return text[: t - m], text[t - m :]
