"""Tests of what `hijax_primitive.py` relies on in hijax, on the installed JAX.

hijax is experimental. Where `broken_promises` finds that the installed JAX does not keep one of the
`PROMISES`, `registration.py` uses jax.custom_vjp instead.
"""

import jax
import jax.numpy as jnp

from fcnn.ops.hijax_primitive import by_hijax


def broken_promises() -> dict[str, str]:
    """The `PROMISES` that the installed JAX breaks, and why.

    Each use of an operator is only traced, so no backend starts.
    """
    causes = {name: _cause(rules, use) for name, (rules, use) in PROMISES.items()}
    return {name: cause for name, cause in causes.items() if cause}


def _cause(rules, use):
    scale = Scale()
    product = lambda x, y: by_hijax(scale, (x, y), {})
    try:
        jax.eval_shape(use(product), *Scale.types)
    except Exception as error:  # an experimental module may raise any exception
        return f"{type(error).__name__}: {error}"
    return "" if scale.called == rules else f"called {sorted(scale.called)}, not {sorted(rules)}"


class Scale:
    """The operator x y, for a scalar y. Its two rules record that they ran."""

    name = "scale"
    types = jax.ShapeDtypeStruct((2, 3), jnp.float32), jax.ShapeDtypeStruct((), jnp.float32)

    def __init__(self):
        self.called: set[str] = set()

    def forward(self, x, y):
        return x * y

    def fwd_rule(self, x, y):
        self.called.add("fwd")
        return x * y, (x, y)

    def bwd_rule(self, saved, dy):
        self.called.add("bwd")
        x, y = saved
        return y * dy, (x * dy).sum()


def _gradient(f):
    return jax.grad(lambda x, y: f(x, y).sum(), (0, 1))


def _each_row(f):
    return jax.vmap(f, (0, None))


# What we rely on: the rules that must run in each use of an operator f.
HAND, PLAIN = {"fwd", "bwd"}, set()
PROMISES = {
    "grad uses the hand rule": (HAND, _gradient),
    "vmap of grad uses the hand rule": (HAND, lambda f: _each_row(_gradient(f))),
    "grad of vmap uses the hand rule": (HAND, lambda f: _gradient(_each_row(f))),
    "jvp differentiates the plain forward": (
        PLAIN,
        lambda f: lambda x, y: jax.jvp(f, (x, y), (x, y)),
    ),
    "linearize differentiates the plain forward": (
        PLAIN,
        lambda f: lambda x, y: jax.linearize(f, x, y)[1](x, y),
    ),
}
