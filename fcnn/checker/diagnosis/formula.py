"""Mistakes of formula: y = f(x) for each entry, but dx is not dy f'(x). Examples:

wrong                    right
1 - y² (tanh)            y (1 - y) (sigmoid)
1 - x², x (1 - x)        the same with y in place of x
f'(y)                    f'(x)
independent of dy        proportional to dy
"""

import math
from collections.abc import Iterator

import numpy as np

from fcnn.checker.diagnosis.context import Context, Hypothesis, times

SLOPES = {
    "1 − y²": lambda x, y: 1 - y * y,
    "y (1 − y)": lambda x, y: y * (1 - y),
    "1 − x²": lambda x, y: 1 - x * x,
    "x (1 − x)": lambda x, y: x * (1 - x),
    "1 − y": lambda x, y: 1 - y,
    "1": lambda x, y: np.ones_like(x),
    "x": lambda x, y: x,
    "2 x": lambda x, y: 2 * x,
    "y": lambda x, y: y,
    "y²": lambda x, y: y * y,
    "1 + y": lambda x, y: 1 + y,
    "1 / x": lambda x, y: 1 / x,
    "1 / y": lambda x, y: 1 / y,
    "exp(x)": lambda x, y: np.exp(x),
    "sign(x)": lambda x, y: np.sign(x),
    "[x > 0]": lambda x, y: (x > 0).astype(x.dtype),
    "cos x": lambda x, y: np.cos(x),
    "sin x": lambda x, y: np.sin(x),
    "−sin x": lambda x, y: -np.sin(x),
    "sigmoid(x)": lambda x, y: _sigmoid(x),
    "sigmoid(x) (1 − sigmoid(x))": lambda x, y: _sigmoid(x) * (1 - _sigmoid(x)),
    "sigmoid(y) (1 − sigmoid(y))": lambda x, y: _sigmoid(y) * (1 - _sigmoid(y)),
    "1 − tanh²(x)": lambda x, y: 1 - np.tanh(x) ** 2,
    "1 − tanh²(y)": lambda x, y: 1 - np.tanh(y) ** 2,
    "tanh(x)": lambda x, y: np.tanh(x),
    "Φ(x), without x φ(x)": lambda x, y: _normal(x),
    "y / x": lambda x, y: y / x,
    "1 / (1 + |x|)": lambda x, y: 1 / (1 + np.abs(x)),
    "1 / (1 + x²)": lambda x, y: 1 / (1 + x * x),
    "−1 / x²": lambda x, y: -1 / (x * x),
    "½ / y": lambda x, y: 0.5 / y,
    "(1 − y)²": lambda x, y: (1 - y) ** 2,
    "½ (1 + tanh u) + ½ x (1 − tanh² u) u′, of gelu's tanh form": lambda x, y: _tanh_gelu(x),
    "(1 − y²)²": lambda x, y: (1 - y * y) ** 2,
}


def elementwise(c: Context) -> Iterator[Hypothesis]:
    """dy times a wrong derivative, or R times an extra derivative."""
    if (given := _per_entry(c)) is None:
        return
    x, y, dy = c.argument, *given
    kind, why = "wrong derivative", "compare it with dy f′(x)"
    if c.same_shape and not _entry_by_entry(c):
        kind, why = "missing sum term", "the contribution of the other entries is missing"
    others = [("", 1.0)] + [
        (f"{name} ", a) for _, name, a in c.other_leaves() if a.shape == x.shape
    ]
    for name, slope in SLOPES.items():
        f = slope(x, y)
        for also, a in others:
            yield _scaled(c, kind, f"is dy {also}({{}}): {why}", name, dy * f * a)
        yield Hypothesis(kind, f"has the extra factor {name}", c.R * f)
    found = c.for_other({c.i: y}) if c.same_shape else None
    if found is not None:
        yield Hypothesis("wrong derivative", "is dy f′(y): take f′ at x, not at y", found)


def differences(c: Context) -> Iterator[Hypothesis]:
    """Losses f(x - t): G is the derivative of another loss."""
    if (given := _per_entry(c)) is None:
        return
    _, dy = given
    for _, name, t in c.other_leaves():
        if t.shape == c.argument.shape:
            d = c.argument - t
            what = f"({c.names[c.i]} − {name})"
            for form, slope in ((what, d), (f"sign{what}", np.sign(d))):
                says = f"is dy ({{}}): compare it with dy f′{what}"
                yield _scaled(c, "wrong derivative", says, form, dy * slope)


def labels(c: Context) -> Iterator[Hypothesis]:
    """Losses of classes, dx = dy (p - t): the probability p or the label t is missing or wrong."""
    if (given := _per_entry(c)) is None or c.argument.ndim < 1 or c.argument.shape[-1] < 2:
        return
    _, dy = given
    e = np.exp(c.argument - c.argument.max(-1, keepdims=True))
    both = ("softmax(x)", e / e.sum(-1, keepdims=True)), ("sigmoid(x)", _sigmoid(c.argument))
    for name, p in both:
        t = p - c.R / dy
        if not (np.abs(t.sum(-1) - 1).max() < 1e-6 and t.min() > -1e-6):
            continue
        hot = np.equal(t, t.max(-1, keepdims=True)).astype(np.float64)
        for kind, form, slope in (
            ("wrong derivative", "p", p),
            ("missing sum term", "−t", -t),
            ("wrong derivative", "p + t", p + t),
            ("wrong derivative", "p − t, with t one-hot at its largest entry", p - hot),
            ("shifted", "p − t, with the next label", p - np.roll(t, 1, -1)),
            ("shifted", "p − t, with the label before", p - np.roll(t, -1, -1)),
        ):
            says = f"is dy ({form}): compare it with dy (p − t), p = {name}"
            yield Hypothesis(kind, says, dy * slope)


def adjoint(c: Context) -> Iterator[Hypothesis]:
    if c.same_shape and (Jdy := c.jvp_along(c.dy[0])) is not None:
        says = "is J dy instead of Jᵀ dy: apply the adjoint to dy, not the function"
        yield Hypothesis("transposed", says, Jdy)


def _per_entry(c):
    """y and dy broadcast to the shape of x: a loss per example is repeated at each entry."""
    if len(c.y) != 1 or c.y[0].shape != c.R.shape[: c.y[0].ndim]:
        return None
    wide = (...,) + (None,) * (c.R.ndim - c.y[0].ndim)
    return tuple(np.broadcast_to(a[0][wide], c.R.shape) for a in (c.y, c.dy))


def _scaled(c, kind, says, name, hypothesis):
    """The hypothesis times the number that fits G best."""
    energy = float(np.vdot(hypothesis, hypothesis).real)
    a = float(np.vdot(hypothesis, c.G).real) / energy if 0 < energy < np.inf else 0.0
    name = name if abs(a - 1) < 1e-9 else f"{times(a)} · {name}"
    return Hypothesis(kind, says.format(name), a * hypothesis)


def _entry_by_entry(c):
    """Whether entry k of R depends only on entry k of dy."""
    half = np.arange(c.R.size).reshape(c.R.shape) % 2
    found = c.for_other(dy=[c.dy[0] * half])
    return found is None or np.abs(found - c.R * half).max() <= c.tolerance * c.top


def _normal(x):
    """Φ(x), the distribution function of the normal distribution."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2))


def _sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def without_dy(c: Context) -> Iterator[Hypothesis]:
    found = c.for_other(dy=[np.ones_like(d) for d in c.dy])
    if found is not None:
        yield Hypothesis("missing factor", "does not depend on dy: it is right for dy = 1", found)


def _tanh_gelu(x):
    """The derivative of x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³)."""
    root = np.sqrt(2 / np.pi)
    t = np.tanh(root * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x)
