"""Gradient assertions for test suites."""

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
    """Assert that the gradient of `f` at `args` is right, or a valid choice at a kink.

    It runs `fcnn.check` without measuring costs.

    Shapes: args: any pytrees; the gradient of each floating array in them is checked.
    Options:
        backward: the claimed gradient: a function (*args, dy) -> one cotangent, or None, for each
            argument; or a pair (fwd, bwd) as for `jax.custom_vjp`. Default: the gradient that f
            already has.
        dtype: compute the gradient in this dtype too: float64, float32, float16 or bfloat16.
            Default: the dtypes of `args`.
        order: 2 checks the gradient of the gradient too.
        seed: seed of the random cotangent dy and the random directions.
    Raises: AssertionError with the report if a gradient is not right; TypeError and ValueError as
            `fcnn.check`.
    Cost:   about 30 evaluations of f per leaf. Leaves of at most 32 entries add 4 evaluations per
            entry. Two programs are compiled.

    >>> x = jnp.array([0.5, -1.0, 2.0])
    >>> right = lambda x, dy: (dy * (1 - jnp.tanh(x) ** 2),)
    >>> fcnn.testing.assert_gradients(jnp.tanh, (x,), backward=right)
    >>> wrong = lambda x, dy: (dy * (1 - x**2),)
    >>> try:
    ...     fcnn.testing.assert_gradients(jnp.tanh, (x,), backward=wrong)
    ... except AssertionError as error:
    ...     print(str(error).splitlines()[-1])
      dx: is dy (1 − x²): compare it with dy f′(x) (every entry, to 1e-16)
    """
    report = check(f, args, backward=backward, dtype=dtype, order=order, cost=False, seed=seed)
    if not report.ok:
        raise AssertionError(f"a gradient is not right\n{report}")
