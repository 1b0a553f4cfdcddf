"""Multi-class hinge loss: the label's score must exceed every other score by a margin.

    hinge            l[n] = sum_{k != t_n} max(0, m[n,k])    m[n,k] = margin + z[n,k] - z[n,t_n]
                     dz[n,k] = dl[n] [m[n,k] > 0]            for k != t_n
                     dz[n,t_n] = -dl[n] sum_{k != t_n} [m[n,k] > 0]

[m[n,k] > 0] for k != t_n is saved. A label outside 0 .. k - 1 gives NaN, with gradient 0, since a
compiled program cannot raise.
"""

import math

import jax.numpy as jnp
import numpy as np

from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.labels import L, Labels, Rows, cases_of_labels, five, one_hot_of, validate_labels
from fcnn.ops.op import operator
from fcnn.ops.validation import require, require_numbers


@operator()
def hinge(logits: Rows, labels: Labels, *, margin: float = 1.0) -> L:
    """Multi-class hinge loss: sum of max(0, margin + score - label's score) over other classes.

    The slope is 0 where margin + score equals the label's score.

    Shapes: logits (*n, k), labels (*n) -> loss (*n).
    Options:
        margin: the amount by which the label's score must exceed every other score; 1.0 by default.
    Units:  those of logits.
    Raises: ValueError if shapes disagree, or unless 0 <= margin < inf; TypeError if labels does not
            hold integers, logits does not hold floats, or margin is not a number.
    Cost:   about 4 operations per logit; one byte per logit is saved.
    Source: Weston & Watkins 1999.

    >>> fcnn.hinge(jnp.array([[3.0, 2.0, 2.5], [3.0, 1.0, 0.0]]), jnp.array([0, 0]))
    Array([0.5, 0. ], dtype=float32)
    """
    return hinge_fwd(logits, labels, margin=margin)[0]


@hinge.fwd
def hinge_fwd(logits, labels, *, margin):
    hit = one_hot_of(logits.shape, labels)
    z = logits.astype(accumulation_dtype(logits.dtype))
    label_score = jnp.where(hit, z, 0).sum(-1, keepdims=True)
    m = margin + (z - label_score)  # margin + z would lose the margin where z is large
    over = (m > 0) & ~hit & hit.any(-1, keepdims=True)
    loss = jnp.where(over, m, 0).sum(-1).astype(logits.dtype)
    return jnp.where(hit.any(-1), loss, jnp.nan), (over, labels)


@hinge.bwd
def hinge_bwd(saved, dl, *, margin):
    over, labels = saved
    hit = one_hot_of(over.shape, labels)
    dtype = accumulation_dtype(dl.dtype)  # float16 holds integers up to 2048 only
    count = over.sum(-1, keepdims=True, dtype=dtype)
    dz = dl[..., None].astype(dtype) * jnp.where(hit, -count, over.astype(dtype))
    return dz.astype(dl.dtype), None


@hinge.validate
def _validate_hinge(logits, labels, *, margin):
    validate_labels(labels, logits=logits)
    require_numbers(margin=margin)
    require(0 <= margin < math.inf, f"margin {margin} must be at least 0 and finite")


def _apart(rng):
    """Multiples of 0.3: no two differ by 0.5 or by 1, the margins of the cases."""
    return 0.3 * rng.permutation(30).reshape(6, 5)


hinge.cases = (
    *cases_of_labels("logits", _apart),
    Case("margin 0.5", (_apart, five), {"margin": 0.5}),
    extreme("many equal", normals((1, 65520), 0), ints((1,))),
    Case("at the margin", (lambda rng: np.eye(3), lambda rng: np.arange(3)), kink=True),
    rejects("margin -1.0 must be at least 0", (6, 5), five, margin=-1.0),
    rejects("margin 'no' must be a number", (6, 5), five, margin="no", kind=TypeError),
)
