"""Losses of a margin: the label's score must lead every other class by so much.

    hinge            l[n] = sum_{k != t_n} max(0, m[n,k])    m[n,k] = margin + z[n,k] - z[n,t_n]
                     dz[n,k] = dl[n] [m[n,k] > 0]            for k != t_n
                     dz[n,t_n] = -dl[n] sum_{k != t_n} [m[n,k] > 0]

A label that is no class gives NaN, with gradient 0, since a compiled program cannot raise. Saved is
which classes come too near.

Shapes: logits (*n, k); labels (*n), integers.
Raises: ValueError if shapes disagree, or for a negative margin; TypeError for labels that are no
        integers, or logits that are no floats.
"""

import math

import jax.numpy as jnp
import numpy as np

from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.labels import L, Labels, Rows, cases_of_labels, five, hit_of, validate_labels
from fcnn.ops.op import Case, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_numbers


@operator()
def hinge(logits: Rows, labels: Labels, *, margin: float = 1.0) -> L:
    """By how much the other classes come within `margin` of the label's score, summed.

    Summed over classes, not averaged; its slope is 0 where a class just touches the margin.

    Units:  those of logits.
    Cost:   about 4 operations per logit; one byte is saved for each.
    Source: Weston & Watkins 1999.
    """
    return hinge_fwd(logits, labels, margin=margin)[0]


@hinge.fwd
def hinge_fwd(logits, labels, *, margin):
    hit = hit_of(logits.shape, labels)
    z = logits.astype(accumulation_dtype(logits.dtype))
    own = jnp.where(hit, z, 0).sum(-1, keepdims=True)
    m = margin + (z - own)  # in this order a margin counts between scores that hide it
    over = (m > 0) & ~hit & hit.any(-1, keepdims=True)
    loss = jnp.where(over, m, 0).sum(-1).astype(logits.dtype)
    return jnp.where(hit.any(-1), loss, jnp.nan), (over, labels)


@hinge.bwd
def hinge_bwd(saved, dl, *, margin):
    over, labels = saved
    hit = hit_of(over.shape, labels)
    count = over.sum(
        -1, keepdims=True, dtype=accumulation_dtype(dl.dtype)
    )  # half precision counts to 2048
    dz = dl[..., None].astype(count.dtype) * jnp.where(hit, -count, over.astype(count.dtype))
    return dz.astype(dl.dtype), None


@hinge.validate
def _validate_hinge(logits, labels, *, margin):
    validate_labels("hinge", labels, logits=logits)
    require_numbers("hinge", margin=margin)
    require(0 <= margin < math.inf, f"hinge: margin {margin} must be at least 0 and finite")


def _apart(rng):
    """Multiples of 0.3: no two differ by 0.5 or by 1, the margins tried."""
    return 0.3 * rng.permutation(30).reshape(6, 5)


hinge.cases = (
    *cases_of_labels("logits", _apart),
    Case("narrower", (_apart, five), {"margin": 0.5}),
    extreme("many equal", normals((1, 65520), 0), ints((1,))),
    Case("touching", (lambda rng: np.eye(3), lambda rng: np.arange(3)), kink=True),
    rejects("margin -1.0 must be at least 0", (6, 5), five, margin=-1.0),
    rejects("margin 'no' must be a number", (6, 5), five, margin="no", kind=TypeError),
)
