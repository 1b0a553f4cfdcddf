"""Contexts that choose how operators are differentiated, and which implementation computes them."""

from contextlib import AbstractContextManager

import jax

from fcnn.ops.validation import did_you_mean, named, require

IMPLS: dict[str, tuple[str, ...]] = {}  # operator name -> the values of its `impl`
_gradients = jax.make_user_context("hand")
_implementations = jax.make_user_context(())


def gradients(kind: str) -> AbstractContextManager:
    """Choose how operators called inside the `with` block are differentiated.

    The choice is made when an operator is called or traced. It is part of jit's cache key, so a
    jitted function is traced again if the kind changes.

    Options:
        kind: "hand", the hand-derived gradient and the default, or "autodiff".
    Raises: ValueError for any other kind.

    >>> with fcnn.gradients("autodiff"):
    ...     jax.grad(fcnn.tanh)(0.0)
    Array(1., dtype=float32, weak_type=True)
    """
    with named("gradients"):
        known = kind in ("hand", "autodiff")
        require(known, f'unknown kind {kind!r}; expected "hand" or "autodiff"')
    return _gradients(kind)


def implementations(**chosen: str) -> AbstractContextManager:
    """Choose the implementation of operators called with impl="auto" inside the `with` block.

    Nested choices are combined. They are part of jit's cache key, like the choice of `gradients`.
    An implementation that cannot compute a shape still rejects it: for example, "winograd" rejects
    a convolution of stride 2.

    Options:
        chosen: an implementation for each operator, by its name, as in conv="im2col".
    Raises: ValueError for an operator without implementations, or an unknown implementation.

    >>> with fcnn.implementations(conv="im2col"):
    ...     fcnn.conv(jnp.array([1.0, 2.0, 4.0]).reshape(1, 3, 1), jnp.ones((2, 1, 1))).ravel()
    Array([3., 6.], dtype=float32)
    """
    with named("implementations"):
        for name, impl in chosen.items():
            if name not in IMPLS:
                known = f"{sorted(IMPLS)}{did_you_mean(name, IMPLS)}"
                raise ValueError(f"unknown operator {name!r}; expected one of {known}")
            if impl not in IMPLS[name]:
                raise ValueError(unknown_impl(impl, IMPLS[name], f" of {name}"))
    return _implementations(tuple(sorted((dict(_implementations.value) | chosen).items())))


def unknown_impl(impl: object, impls: tuple[str, ...], of: str = "") -> str:
    """The message on an implementation that is not one of `impls`."""
    known = f"{impls}{did_you_mean(impl, impls)}"
    return f"unknown impl {impl!r}{of}; expected one of {known}"


def by_hand() -> bool:
    """Whether operators use the hand-derived gradient here."""
    return _gradients.value == "hand"


def chosen_impl(name: str) -> str:
    """The implementation of operator `name` with impl="auto" here: the chosen one, or "auto"."""
    return dict(_implementations.value).get(name, "auto")


def chosen_impls() -> tuple[tuple[str, str], ...]:
    """Operators with the implementation that a context chose here, in order of names."""
    return _implementations.value
