"""Mistakes in a formula of one entry: y = f(x) entry by entry, and dx = dy f'(x) with another f'.

1 - y² (tanh's) where y (1 - y) (sigmoid's) belongs, either with x in the place of y, f' taken at y
and not at x, and their kin; and dy forgotten.
"""

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
    "Φ(x), without x φ(x)": lambda x, y: y / x,
    "1 / (1 + |x|)": lambda x, y: 1 / (1 + np.abs(x)),
    "1 / (1 + x²)": lambda x, y: 1 / (1 + x * x),
    "−1 / x²": lambda x, y: -1 / (x * x),
    "½ / y": lambda x, y: 0.5 / y,
    "(1 − y)²": lambda x, y: (1 - y) ** 2,
    "½ (1 + tanh u) + ½ x (1 − tanh² u) u′, of gelu's tanh form": lambda x, y: _tanh_gelu(x),
    "(1 − y²)²": lambda x, y: (1 - y * y) ** 2,
}


def elementwise(s: Context) -> Iterator[Hypothesis]:
    """dy times another derivative, or the right gradient times a further one."""
    if (given := _per_entry(s)) is None:
        return
    x, y, dy = s.own, *given
    kind, why = "wrong derivative", "compare it with dy f′(x)"
    if s.alone and not _entry_by_entry(s):
        kind, why = "missing sum term", "what comes through the other entries is missing"
    others = [("", 1.0)] + [(f"{name} ", a) for _, name, a in s.others() if a.shape == x.shape]
    for name, slope in SLOPES.items():
        f = slope(x, y)
        for also, a in others:
            yield _scaled(s, kind, f"is dy {also}({{}}): {why}", name, dy * f * a)
        yield Hypothesis(kind, f"has the further factor {name}", s.R * f)
    found = s.for_other({s.i: y}) if s.alone else None
    if found is not None:
        yield Hypothesis("wrong derivative", "is dy f′(y), with y in the place of x", found)


def differences(s: Context) -> Iterator[Hypothesis]:
    """Losses of x - t: the slope of another one."""
    if (given := _per_entry(s)) is None:
        return
    _, dy = given
    for _, name, t in s.others():
        if t.shape == s.own.shape:
            d = s.own - t
            what = f"{s.names[s.i]} − {name}"
            for form, slope in ((what, d), (f"sign({what})", np.sign(d))):
                says = f"is dy ({{}}): compare it with dy f′({what})"
                yield _scaled(s, "wrong derivative", says, form, dy * slope)


def labels(s: Context) -> Iterator[Hypothesis]:
    """Losses of classes, dx = dy (p - t): p or t is missing, or another."""
    if (given := _per_entry(s)) is None or s.own.ndim < 1 or s.own.shape[-1] < 2:
        return
    _, dy = given
    e = np.exp(s.own - s.own.max(-1, keepdims=True))
    both = ("softmax(x)", e / e.sum(-1, keepdims=True)), ("sigmoid(x)", _sigmoid(s.own))
    for name, p in both:
        t = p - s.R / dy
        if not (np.abs(t.sum(-1) - 1).max() < 1e-6 and t.min() > -1e-6):
            continue
        hot = np.equal(t, t.max(-1, keepdims=True)).astype(np.float64)
        for kind, form, slope in (
            ("wrong derivative", "p", p),
            ("missing sum term", "−t", -t),
            ("wrong derivative", "p + t", p + t),
            ("wrong derivative", "p − t, with all of t at its largest entry", p - hot),
            ("shifted", "p − t, with the next label", p - np.roll(t, 1, -1)),
            ("shifted", "p − t, with the label before", p - np.roll(t, -1, -1)),
        ):
            says = f"is dy ({form}): compare it with dy (p − t), p = {name}"
            yield Hypothesis(kind, says, dy * slope)


def adjoint(s: Context) -> Iterator[Hypothesis]:
    if s.alone and (pushed := s.pushed(s.dy[0])) is not None:
        says = "is J dy, not Jᵀ dy: the function itself is applied to dy, not its adjoint"
        yield Hypothesis("transposed", says, pushed)


def _per_entry(s):
    """y and dy with an entry for each of x: a loss of each example is one of all its entries."""
    if len(s.y) != 1 or s.y[0].shape != s.R.shape[: s.y[0].ndim]:
        return None
    wide = (...,) + (None,) * (s.R.ndim - s.y[0].ndim)
    return tuple(np.broadcast_to(a[0][wide], s.R.shape) for a in (s.y, s.dy))


def _scaled(s, kind, says, name, guess):
    """The guess times the number that fits best."""
    energy = float(np.vdot(guess, guess))
    a = float(np.vdot(guess, s.G)) / energy if 0 < energy < np.inf else 0.0
    name = name if abs(a - 1) < 1e-9 else f"{times(a)} · {name}"
    return Hypothesis(kind, says.format(name), a * guess)


def _entry_by_entry(s):
    """Whether entry k of R depends on entry k of dy alone."""
    half = np.arange(s.R.size).reshape(s.R.shape) % 2
    found = s.for_other(dy=[s.dy[0] * half])
    return found is None or np.abs(found - s.R * half).max() <= s.tolerance * s.top


def _sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def without_dy(s: Context) -> Iterator[Hypothesis]:
    found = s.for_other(dy=[np.ones_like(d) for d in s.dy])
    if found is not None:
        yield Hypothesis("missing factor", "does not depend on dy: it is right for dy = 1", found)


def _tanh_gelu(x):
    """The slope of x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³)."""
    root = np.sqrt(2 / np.pi)
    t = np.tanh(root * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x / 2 * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x)
