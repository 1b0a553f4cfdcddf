"""Simple (Elman) recurrent network: the new state is a nonlinear function of one affine map.

    a[n,t,j] = b[j] + sum_c x[n,t,c] w[c,j] + sum_i h[n,t-1,i] u[i,j]
    h[n,t,j] = f(a[n,t,j])

With f' in terms of h, f' = 1 - h^2 for tanh, and f' = [h > 0] for relu, so its slope at 0 is 0:

    da[n,t,j]   = f'(h[n,t,j]) dh[n,t,j]
    dh[n,t-1,i] = sum_j da[n,t,j] u[i,j]

`recurrence.py` computes the steps, and dx, dw, du and db from da. h[n,t-1] and h[n,t] of each step
are saved.
"""

import numpy as np
from jaxtyping import Array, Float, Integer

from fcnn.ops.activation.relu import relu
from fcnn.ops.activation.tanh import tanh
from fcnn.ops.case import Case, ints, rejects
from fcnn.ops.contraction import contract
from fcnn.ops.op import operator
from fcnn.ops.recurrent.recurrence import (
    extremes,
    input_gradients,
    product,
    scan_backward,
    scan_forward,
    validate_cell,
)
from fcnn.ops.validation import require

F = {"tanh": tanh.forward, "relu": relu.forward}
SLOPE = {"tanh": lambda h: 1 - h * h, "relu": lambda h: (~(h <= 0)).astype(h.dtype)}


@operator()
def rnn(
    x: Float[Array, "n t c"],
    w: Float[Array, "c k"],
    u: Float[Array, "k k"],
    b: Float[Array, " k"],
    h: Float[Array, "n k"] | None = None,
    lengths: Integer[Array, " n"] | None = None,
    *,
    activation: str = "tanh",
    reverse: bool = False,
) -> tuple[Float[Array, "n t k"], Float[Array, "n k"]]:
    """Simple recurrent network over a sequence: the output y of every step, and the last state.

    Shapes: x (n, t, c), w (c, k), u (k, k), b (k,), h (n, k), lengths (n,)
            -> y (n, t, k), h (n, k). h is the initial state, 0 if None. lengths[n] is the number of
            steps of example n, or t if lengths is None. Later steps are padding, where y is 0.
    Options:
        activation: "tanh" or "relu".
        reverse: whether steps run from the last to the first.
    Units:  for "relu" y is in units of x times units of w; for "tanh" all are plain numbers.
    Raises: ValueError if shapes disagree or `activation` is unknown; TypeError if x, w, u, b or h
            do not hold floats, or lengths do not hold integers.
    Cost:   n t (c + k) k multiply-adds; twice that for the gradients, which save 2 n t k numbers.
    Source: Elman 1990; gradients: Werbos 1990.

    >>> x, one = jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), jnp.ones((1, 1))
    >>> y, h = fcnn.rnn(x, one, one, jnp.zeros(1), activation="relu")  # cumulative sums
    >>> y.ravel()
    Array([1., 3., 6.], dtype=float32)
    """
    options = {"activation": activation, "reverse": reverse}
    return rnn_fwd(x, w, u, b, h, lengths, **options)[0]


@rnn.fwd
def rnn_fwd(x, w, u, b, h, lengths, *, activation, reverse):
    def step(recurrent, p, state):
        h = F[activation](p + product(state[0], recurrent[0]))
        return (h,), h

    y, (end,), steps = scan_forward(step, x, w, b, (u,), (h,), lengths, reverse=reverse)
    return (y, end), (x, w, u, h, lengths, steps)


@rnn.bwd
def rnn_bwd(saved, dout, *, activation, reverse):
    x, w, u, h, lengths, steps = saved
    dy, dend = dout

    def step(recurrent, dnew, previous, h):
        da = SLOPE[activation](h) * dnew[0]
        return da, (product(da, recurrent[0], axis=1),)

    da, (dh,) = scan_backward(step, steps, (u,), lengths, dy, (dend,), reverse=reverse)
    dx, dw, db = input_gradients(x, w, lengths, da)
    ((previous,), _) = steps
    du = contract(previous.astype(da.dtype), da, over=((0, 1), (0, 1)))
    return dx, dw, du, db, None if h is None else dh, None


@rnn.validate
def _validate(x, w, u, b, h, lengths, *, activation, reverse):
    validate_cell(1, x, w, u, b, lengths, reverse, h=h)
    known = tuple(F)
    require(activation in known, f"unknown activation {activation!r}; expected one of {known}")


WEIGHTS, ABSENT = ((2, 3), (3, 3), (3,)), (None, None)
at_zero = (lambda rng: np.zeros((2, 3, 2)), (2, 3), (3, 3), lambda rng: np.zeros(3))
rnn.cases = (
    Case("plain", ((2, 3, 2), *WEIGHTS, *ABSENT)),
    Case("lengths", ((4, 3, 2), *WEIGHTS, (4, 3), lambda rng: np.array([3, 1, 0, 7]))),
    Case("reverse", ((4, 3, 2), *WEIGHTS, (4, 3), ints((4,), below=4)), {"reverse": True}),
    Case("relu", ((2, 4, 2), *WEIGHTS, (2, 3), None), {"activation": "relu"}),
    Case("relu at 0", (*at_zero, *ABSENT), {"activation": "relu"}, kink=True),
    Case("no steps", ((2, 0, 2), *WEIGHTS, (2, 3), None)),
    Case("no examples", ((0, 3, 2), *WEIGHTS, (0, 3), ints((0,)))),
    *extremes(1, (2, 3), None),
    rejects("unknown activation 'gelu'", (2, 3, 2), *WEIGHTS, *ABSENT, activation="gelu"),
    rejects(r"x \(3, 2\) needs 3 axes", (3, 2), *WEIGHTS, *ABSENT),
    rejects(r"u \(3,\) needs 2 axes", (2, 3, 2), (2, 3), (3,), (3,), *ABSENT),
    rejects(r"u \(3, 6\) needs shape \(3, 3\)", (2, 3, 2), (2, 3), (3, 6), (3,), *ABSENT),
    rejects(r"w \(4, 3\) needs shape \(2, 3\) for x", (2, 3, 2), (4, 3), (3, 3), (3,), *ABSENT),
    rejects(r"b \(2,\) needs shape \(3,\)", (2, 3, 2), (2, 3), (3, 3), (2,), *ABSENT),
    rejects(r"h \(2, 4\) needs shape \(2, 3\)", (2, 3, 2), *WEIGHTS, (2, 4), None),
    rejects(r"lengths \(3,\) need shape \(2,\)", (2, 3, 2), *WEIGHTS, None, ints((3,))),
    rejects("lengths hold float", (2, 3, 2), *WEIGHTS, None, (2,), kind=TypeError),
    rejects("reverse 1 must be", (2, 3, 2), *WEIGHTS, *ABSENT, reverse=1, kind=TypeError),
    rejects("x holds int32", ints((2, 3, 2)), *WEIGHTS, *ABSENT, kind=TypeError),
)
