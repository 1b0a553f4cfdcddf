"""Funnel activation: the larger of x and a depthwise convolution of x.

With the depthwise convolution t[n,p,c] = b[c] + sum_i x[n,p+i,c] w[i,c],

    frelu    y = max(x, t)
             dt = dy where x < t                        dw, db from dt through the convolution
             dx = dy where x >= t, plus the gradient of dt through the convolution

The arguments and [x >= t] are saved.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.convolution.conv import conv
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_floats, require_rank
from fcnn.ops.window import windows


@operator()
def frelu(
    x: Float[Array, "n *size c"],
    w: Float[Array, "*window 1 c"],
    b: Float[Array, " c"] | None = None,
) -> Float[Array, "n *size c"]:
    """Funnel activation: the larger of x and a depthwise convolution of x.

    Where both are equal, all of dy goes to x. The paper applies batch normalization to the
    convolution; this operator does not.

    Shapes: x (n, *size, c), w (*window, 1, c), b (c,) -> y (n, *size, c); padding is "same".
    Units:  those of x; w holds plain numbers.
    Raises: ValueError if shapes disagree; TypeError if an argument does not hold floats.
    Cost:   n prod(size) prod(window) c multiply-adds; one byte per entry is saved besides x.
    Source: Ma, Zhang & Sun, arXiv:2007.11824.

    >>> w = jnp.array([0.0, 0.0, 1.0]).reshape(3, 1, 1)  # selects the right neighbour
    >>> fcnn.frelu(jnp.array([1.0, 3.0, -1.0]).reshape(1, 3, 1), w).ravel()
    Array([3., 3., 0.], dtype=float32)
    """
    return frelu_fwd(x, w, b)[0]


@frelu.fwd
def frelu_fwd(x, w, b):
    t = conv.forward(x, w, b, **_depthwise_options(x, w, b))
    wins = x >= t
    return jnp.where(wins, x, t), (x, w, b, wins)


@frelu.bwd
def frelu_bwd(saved, dy):
    x, w, b, wins = saved
    zero = jnp.zeros_like(dy)
    dx_conv, dw, db = conv.bwd_rule(
        (x, w, b), jnp.where(wins, zero, dy), **_depthwise_options(x, w, b)
    )
    return jnp.where(wins, dy, zero) + dx_conv, dw, db


@frelu.validate
def _validate_frelu(x, w, b):
    require_floats(x=x, w=w, b=b)
    require_rank(3, x=x)
    c = x.shape[-1]
    depthwise = w.ndim == x.ndim and w.shape[-2:] == (1, c) and 0 not in w.shape
    window = f"({'window, ' * (x.ndim - 2)}1, {c})"
    require(depthwise, f"w {w.shape} needs shape {window} for x {x.shape}")
    require(b is None or b.shape == (c,), f"b {b is None or b.shape} needs shape ({c},)")
    windows(x.shape[1:-1], w.shape[:-2], 1, "same", 1)


def _depthwise_options(x, w, b):
    """All options of the convolution."""
    return conv.bind(x, w, b, padding="same", groups=x.shape[-1])[1]


def _apart(rng):
    """Entries with |x| >= 2. With `_small` w and b, |t| < 2, so x and t are never nearly equal."""
    size = rng.uniform(2, 3, (2, 4, 3, 2))
    row, column = np.indices((4, 3))
    return size * np.where((row + column) % 2, 1.0, -1.0)[None, :, :, None]


def _small(shape):
    return lambda rng: rng.uniform(-1, 1, shape) / 16


frelu.cases = (
    Case("1-D", (lambda rng: _apart(rng)[:, :, 0], _small((3, 1, 2)), _small((2,)))),
    Case("plain", (_apart, _small((3, 3, 1, 2)), _small((2,)))),
    Case("without b", (_apart, _small((2, 3, 1, 2)), None)),
    Case("no examples", ((0, 4, 3, 2), (3, 3, 1, 2), (2,))),
    extreme("huge", normals((1, 5, 2), 1e9), (3, 1, 2), (2,)),
    Case(
        "ties",
        (lambda rng: np.ones((1, 3, 3, 1)), lambda rng: np.ones((1, 1, 1, 1)), None),
        kink=True,
    ),
    rejects(
        r"w \(3, 3, 2, 2\) needs shape \(window, window, 1, 2\)", (1, 4, 4, 2), (3, 3, 2, 2), None
    ),
    rejects(r"w \(3, 1, 2\) needs shape", (1, 4, 4, 2), (3, 1, 2), None),
    rejects(r"b \(3,\) needs shape \(2,\)", (1, 4, 4, 2), (3, 3, 1, 2), (3,)),
    rejects("exceeds the padded input", (1, 0, 4, 2), (3, 3, 1, 2), None),
    rejects("at least 3 axes", (4, 2), (3, 1, 2), None),
    rejects("x holds int32", ints((1, 4, 4, 2)), (3, 3, 1, 2), None, kind=TypeError),
)
frelu.torch_difference = (
    "torch has none; the test compares with the maximum of x and a convolution of x"
)
