"""Paths of the leaves of a pytree, as text: params/dense1/w."""

from typing import Any

import jax


def path_name(path: Any) -> str:
    """The text of a path, which is a tuple of keys of JAX."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def with_paths(tree: Any) -> list[tuple[str, Any]]:
    """Path and value of each leaf."""
    return [(path_name(path), a) for path, a in jax.tree_util.tree_leaves_with_path(tree)]
