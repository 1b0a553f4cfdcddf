"""Losses: one number per example; average over them yourself.

    softmax cross entropy   l[n] = -log softmax(z[n])[t_n]      dz[n,k] = dl[n] (softmax(z[n])[k] -
    [k = t_n]) squared error           l[n] = 1/2 sum_k (y[n,k] - t[n,k])^2   dy[n,k] = dl[n]
    (y[n,k] - t[n,k]) = -dt[n,k]

The gradient p - t belongs to softmax and cross entropy together; softmax alone has the Jacobian
diag(p) - p pᵀ. Saved are log softmax(z) and t, or the difference y - t.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.activation import log_softmax
from fcnn.ops.op import Case, ints, operator, refused
from fcnn.ops.refusal import require, require_floats, require_rank


@operator()
def softmax_cross_entropy(
    logits: Float[Array, "*n k"], labels: Integer[Array, "*n"]
) -> Float[Array, "*n"]:
    """Surprise at seeing `labels` under softmax(logits).

    Shapes: labels are class numbers 0 .. k - 1, one per row of logits.
    Units:  nats.
    Raises: ValueError if shapes disagree; TypeError for labels that are no integers. A label
            outside 0 .. k - 1 gives NaN, with gradient 0, since a compiled program cannot raise.
    Cost:   about 5 operations and one exponential per logit.
    Source: Bridle 1990.
    """
    return softmax_cross_entropy_fwd(logits, labels)[0]


@softmax_cross_entropy.fwd
def softmax_cross_entropy_fwd(logits, labels):
    log_p = log_softmax.forward(logits)
    hit = _hit(log_p, labels)
    picked = jnp.where(hit, log_p, jnp.zeros_like(log_p)).sum(-1)
    return jnp.where(hit.any(-1), -picked, jnp.full_like(picked, jnp.nan)), (log_p, labels)


@softmax_cross_entropy.bwd
def softmax_cross_entropy_bwd(saved, dl):
    log_p, labels = saved
    hit = _hit(log_p, labels)
    dl = jnp.where(hit.any(-1), dl, jnp.zeros_like(dl))  # a loss that is NaN leads nowhere
    return dl[..., None] * (jnp.exp(log_p) - hit.astype(log_p.dtype)), None


def _hit(log_p, labels):
    """[k = t_n], (*n, k)."""
    if labels.dtype.itemsize < 4:  # too short to number every class
        labels = labels.astype(jnp.int32)
    classes = jax.lax.broadcasted_iota(labels.dtype, log_p.shape, log_p.ndim - 1)
    return classes == labels[..., None]


@softmax_cross_entropy.check
def _check_classes(logits, labels):
    name = "softmax_cross_entropy"
    require_floats(name, logits=logits)
    require_rank(name, 1, logits=logits)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"{name}: labels hold {labels.dtype}, not class numbers; write labels.astype(int)"
        )
    one_each = labels.shape == logits.shape[:-1]
    require(
        one_each, f"{name}: labels {labels.shape} need one class per row of logits {logits.shape}"
    )
    require(logits.shape[-1] > 0, f"{name}: logits {logits.shape} have no classes")


@operator()
def squared_error(y: Float[Array, "n ..."], targets: Float[Array, "n ..."]) -> Float[Array, " n"]:
    """Half the squared distance between y and targets.

    Shapes: summed over all axes but the first.
    Units:  those of y, squared.
    Raises: ValueError if shapes disagree; TypeError for integers.
    Cost:   3 operations per entry.
    Source: Gauss 1809.
    """
    return squared_error_fwd(y, targets)[0]


@squared_error.fwd
def squared_error_fwd(y, targets):
    off = y - targets
    return jnp.square(off).sum(range(1, y.ndim)) / 2, off


@squared_error.bwd
def squared_error_bwd(off, dl):
    dy = dl.reshape((-1,) + (1,) * (off.ndim - 1)) * off
    return dy, -dy


@squared_error.check
def _check_targets(y, targets):
    require_floats("squared_error", y=y, targets=targets)
    require_rank("squared_error", 1, y=y)
    same = y.shape == targets.shape
    require(same, f"squared_error: y {y.shape} and targets {targets.shape} need the same shape")


softmax_cross_entropy.cases = (
    Case("rows", ((6, 5), ints((6,), below=5))),
    Case("sequences", ((2, 3, 4), ints((2, 3), below=4))),
    Case("one class", ((3, 1), ints((3,), below=1))),
    Case("far apart", (lambda key: 1e3 * jax.random.normal(key, (4, 5)), ints((4,), below=5))),
    Case("no examples", ((0, 5), ints((0,)))),
    refused(r"labels \(5,\) need one class per row", (6, 5), ints((5,))),
    refused("labels hold float.*, not class numbers", (6, 5), (6,), kind=TypeError),
    refused("logits holds int32", ints((6, 5)), ints((6,)), kind=TypeError),
    refused("have no classes", (6, 0), ints((6,))),
    refused("at least 1 axes", (), ints(())),
)
squared_error.cases = (
    Case("rows", ((4, 3), (4, 3))),
    Case("images", ((2, 3, 2, 2), (2, 3, 2, 2))),
    Case("numbers", ((4,), (4,))),
    Case("no examples", ((0, 3), (0, 3))),
    refused(r"y \(4, 3\) and targets \(4, 1\)", (4, 3), (4, 1)),
    refused("y holds int32", ints((4, 3)), (4, 3), kind=TypeError),
    refused("at least 1 axes", (), ()),
)
