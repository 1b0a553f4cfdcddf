"""For people's own test suites: a gradient that is not right fails, and the report says why."""

from collections.abc import Callable, Sequence
from typing import Any

from fcnn.checker import check


def assert_gradients(
    f: Callable,
    args: Sequence[Any] | None = None,
    *,
    backward: Any = None,
    dtype: Any = None,
    order: int = 1,
    seed: int = 0,
) -> None:
    """AssertionError unless the gradient of f at args is right, or a valid choice at a kink.

    As `fcnn.check`, which has the words; nothing is timed.
    """
    report = check(f, args, backward=backward, dtype=dtype, order=order, cost=False, seed=seed)
    if not report.ok:
        raise AssertionError(f"a gradient is not right\n{report}")
