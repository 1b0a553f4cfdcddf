"""Losses of one class per example: labels t_n are class numbers 0 .. k - 1.

With log p = log softmax(z), and q[n,k] = (1 - e) [k = t_n] + e / K the label among K classes,
smoothed by e,

    cross entropy    l[n] = -sum_k w[k] q[n,k] log p[n,k]
                     dz[n,k] = dl[n] (p[n,k] sum_j w[j] q[n,j] - w[k] q[n,k])
                     dw[k] = -sum_n dl[n] q[n,k] log p[n,k]

    likelihood       l[n] = -log_p[n,t_n]                    dlog_p[n,k] = -dl[n] [k = t_n]

Without weights w and smoothing e, the first is -log p[n,t_n] with gradient p - [k = t_n]. That
belongs to softmax and cross entropy together; softmax alone has the Jacobian diag(p) - p pᵀ.

p is saved, and for dw log p too, both in the dtype that sums are kept in: each is exact by itself,
but exp of a rounded log p has an error that grows with log p.

A label that is no class gives NaN, with gradient 0, since a compiled program cannot raise. A class
of weight 0 adds nothing, though its log p be -inf.

Shapes: logits or log_p (*n, k); labels (*n), integers; weights (k,).
Raises: ValueError if shapes disagree, or for an option out of range; TypeError for labels that are
        no integers, or logits that are no floats.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from fcnn.ops.activation.softmax import extreme_scores, probabilities
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.kl_divergence import seen
from fcnn.ops.op import Case, Shape, extreme, ints, normals, operator, rejects
from fcnn.ops.validation import require, require_floats, require_numbers, require_rank

Rows = Float[Array, "*n k"]
Labels = Integer[Array, "*n"]
L = Float[Array, "*n"]


@operator()
def softmax_cross_entropy(
    logits: Rows,
    labels: Labels,
    weights: Float[Array, " k"] | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> L:
    """Surprise at seeing `labels` under softmax(logits).

    Weights are of classes; for a weighted mean over examples, divide by the sum of their weights.
    Where the label is `ignore_index`, any integer, the loss and its gradient are 0.

    Units:  nats.
    Cost:   about 5 operations and one exponential per logit.
    Source: Bridle 1990; smoothing: Szegedy et al., arXiv:1512.00567.
    """
    how = {"label_smoothing": label_smoothing, "ignore_index": ignore_index}
    return softmax_cross_entropy_fwd(logits, labels, weights, **how)[0]


@softmax_cross_entropy.fwd
def softmax_cross_entropy_fwd(logits, labels, weights, **how):
    q, known = _target(logits, labels, **how)
    counts = q.any(-1, keepdims=True)
    p, log_p = probabilities(jnp.where(counts, logits, 0))  # what is ignored may be NaN
    wq = _weighted(q, weights)
    loss = -(wq * seen(wq, log_p)).sum(-1).astype(logits.dtype)
    loss = jnp.where(known, loss, jnp.nan)
    return loss, (p, None if weights is None else log_p, labels, weights)


@softmax_cross_entropy.bwd
def softmax_cross_entropy_bwd(saved, dl, **how):
    p, log_p, labels, weights = saved
    q, _ = _target(p, labels, **how)
    wq, dtype, dl = _weighted(q, weights), dl.dtype, dl[..., None].astype(q.dtype)
    dz = (dl * (p * wq.sum(-1, keepdims=True) - wq)).astype(dtype)
    if weights is None:
        return dz, None, None
    dw = -(dl * (q * seen(wq, log_p))).sum(range(labels.ndim))
    return dz, None, dw.astype(dtype)


def _target(z, labels, *, label_smoothing, ignore_index):
    """q, all 0 where the label is ignored or no class; and where the loss is a number."""
    hit = hit_of(z.shape, labels)
    counts, known = hit.any(-1), hit.any(-1)
    if ignore_index is not None:
        counts, known = counts & (labels != ignore_index), known | (labels == ignore_index)
    q = (1 - label_smoothing) * hit.astype(accumulation_dtype(z.dtype)) + label_smoothing / z.shape[
        -1
    ]
    return jnp.where(counts[..., None], q, 0), known


def _weighted(q, weights):
    if weights is None:
        return q
    return q * weights.astype(q.dtype).reshape((1,) * (q.ndim - 1) + (-1,))


def hit_of(shape, labels):
    """[k = t_n], (*n, k)."""
    if labels.dtype.itemsize < 4:  # too short to number every class
        labels = labels.astype(jnp.int32)
    classes = jax.lax.broadcasted_iota(labels.dtype, shape, len(shape) - 1)
    return classes == labels[..., None]


@softmax_cross_entropy.validate
def _validate_cross_entropy(logits, labels, weights, *, label_smoothing, ignore_index):
    name = "softmax_cross_entropy"
    validate_labels(name, labels, logits=logits)
    require_floats(name, logits=logits, weights=weights)
    k = logits.shape[-1:]
    if weights is not None:
        fit = weights.shape == k
        require(fit, f"{name}: weights {weights.shape} need shape {k}, one per class")
    require_numbers(name, label_smoothing=label_smoothing)
    fraction = 0 <= label_smoothing <= 1
    require(fraction, f"{name}: label_smoothing {label_smoothing} must lie in [0, 1]")
    if ignore_index is not None:
        if not isinstance(ignore_index, int):
            raise TypeError(f"{name}: ignore_index {ignore_index!r} must be an integer")
        kind = jnp.iinfo(labels.dtype)
        known = kind.min <= ignore_index <= kind.max
        require(known, f"{name}: ignore_index {ignore_index} is no {labels.dtype}, as labels are")


@operator()
def nll(log_p: Rows, labels: Labels) -> L:
    """Negative log likelihood of `labels`: what log_p, log probabilities, say of them.

    Units:  nats.
    Cost:   one pass over log_p.
    Source: Fisher 1922.
    """
    return nll_fwd(log_p, labels)[0]


@nll.fwd
def nll_fwd(log_p, labels):
    hit = hit_of(log_p.shape, labels)
    loss = -jnp.where(hit, log_p, 0).sum(-1)
    return jnp.where(hit.any(-1), loss, jnp.nan), (labels, Shape(log_p.shape))


@nll.bwd
def nll_bwd(saved, dl):
    labels, shape = saved
    return jnp.where(hit_of(shape, labels), -dl[..., None], 0), None


@nll.validate
def _validate_nll(log_p, labels):
    validate_labels("nll", labels, log_p=log_p)


def validate_labels(name, labels, **rows):
    require_floats(name, **rows)
    require_rank(name, 1, **rows)
    ((k, z),) = rows.items()
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        whole = labels.shape == z.shape
        do = "see soft_cross_entropy" if whole else "write labels.astype(int)"
        raise TypeError(f"{name}: labels hold {labels.dtype}, not class numbers; {do}")
    one_each = labels.shape == z.shape[:-1]
    require(one_each, f"{name}: labels {labels.shape} need one class per row of {k} {z.shape}")
    require(z.shape[-1] > 0, f"{name}: {k} {z.shape} have no classes")


def _some(rng):
    return rng.uniform(0.5, 2, 5)


def _seven(rng):
    return rng.uniform(0.5, 2, 7)


five = ints((6,), below=5)


def cases_of(rows, example, *absent):
    """Of a loss with labels; `rows` is the name of its first argument, `example` one of (6, 5)."""
    far_apart = lambda rng: 1e3 * rng.standard_normal((4, 5))
    limits = extreme_scores((3, 7)).items()
    return (
        Case("rows", (example, five, *absent)),
        Case("sequences", ((2, 3, 4), ints((2, 3), below=4), *absent)),
        Case("far apart", (far_apart, ints((4,), below=5), *absent)),
        Case("no examples", ((0, 5), ints((0,)), *absent)),
        *(extreme(name, z, ints((3,), below=7), *absent) for name, z in limits),
        rejects(rf"labels \(5,\) need one class per row of {rows}", (6, 5), ints((5,))),
        rejects("labels hold float.*, not class numbers", (6, 5), (6,), kind=TypeError),
        rejects(f"{rows} holds int32", ints((6, 5)), ints((6,)), kind=TypeError),
        rejects("have no classes", (6, 0), ints((6,))),
        rejects("at least 1 axes", (), ints(())),
    )


nll.cases = cases_of("log_p", (6, 5))
softmax_cross_entropy.cases = (
    *cases_of("logits", (6, 5), None),
    Case("one class", ((3, 1), ints((3,), below=1), None)),
    Case("weights", ((6, 5), five, _some), {"label_smoothing": 0.2, "ignore_index": 3}),
    Case("smoothed", ((6, 5), five, None), {"label_smoothing": 0.1, "ignore_index": -100}),
    *(
        extreme(f"weights, {name}", z, ints((3,), below=7), _seven, label_smoothing=0.2)
        for name, z in extreme_scores((3, 7)).items()
        if name != "some at -inf"  # the smoothed loss is infinite
    ),
    extreme("many equal", normals((1, 65520), 0), ints((1,)), None),
    rejects(r"weights \(4,\) need shape \(5,\)", (6, 5), five, (4,)),
    rejects("weights holds int32", (6, 5), five, ints((5,)), kind=TypeError),
    rejects("label_smoothing 1.1 must lie", (6, 5), five, label_smoothing=1.1),
    rejects("label_smoothing None must be", (6, 5), five, label_smoothing=None, kind=TypeError),
    rejects("ignore_index 1.5 must be an integer", (6, 5), five, ignore_index=1.5, kind=TypeError),
    rejects("ignore_index .* is no int32, as", (6, 5), five, ignore_index=2**40),
)
