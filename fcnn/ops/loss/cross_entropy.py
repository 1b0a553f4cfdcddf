"""Cross-entropy of labels or of distributions under softmax, and negative log-likelihood.

Labels t_n are class numbers 0 .. K - 1. With log p = log softmax(z), and the one-hot label that is
smoothed by e over K classes, q[n,k] = (1 - e) [k = t_n] + e / K,

    cross entropy    l[n] = -sum_k w[k] q[n,k] log p[n,k]
                     dz[n,k] = dl[n] (p[n,k] sum_j w[j] q[n,j] - w[k] q[n,k])
                     dw[k] = -sum_n dl[n] q[n,k] log p[n,k]

    nll              l[n] = -log_p[n,t_n]                    dlog_p[n,k] = -dl[n] [k = t_n]

and with targets t[n,k], a distribution for each example,

    soft cross entropy   l[n] = -sum_k t[n,k] log p[n,k]
                         dz[n,k] = dl[n] (p[n,k] sum_j t[n,j] - t[n,k])
                         dt[n,k] = -dl[n] log p[n,k]

Without weights w and smoothing e, the first loss is -log p[n,t_n] with gradient p - [k = t_n]. This
is the gradient through cross-entropy and softmax together, so the Jacobian of softmax,
diag(p) - p pᵀ, is never computed.

p is saved, and log p where dw or dt needs it, both in the accumulation dtype. p is not computed as
exp of a rounded log p, since the relative error would grow with |log p|.

A label outside 0 .. K - 1 gives the loss NaN and the gradient 0, since a compiled program cannot
raise. A class of weight 0 or target 0 adds 0, even if its log p is -inf. Targets need not sum to 1.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from fcnn.ops.activation.softmax import extreme_scores, probabilities
from fcnn.ops.case import Case, extreme, ints, normals, rejects
from fcnn.ops.contraction import accumulation_dtype
from fcnn.ops.loss.distributions import (
    cases_of_distributions,
    inner_product,
    safe_factor,
    validate_distributions,
)
from fcnn.ops.loss.labels import L, Labels, Rows, cases_of_labels, five, one_hot_of, validate_labels
from fcnn.ops.op import Shape, operator
from fcnn.ops.validation import require, require_floats, require_numbers


@operator()
def softmax_cross_entropy(
    logits: Rows,
    labels: Labels,
    weights: Float[Array, " k"] | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> L:
    """Cross-entropy between integer `labels` and softmax(logits), in nats, one value per example.

    `weights` has one weight per class. For a weighted mean over examples, divide the sum of the
    losses by the sum of weights[labels].

    Shapes: logits (*n, k), labels (*n), weights (k,) -> loss (*n).
    Options:
        label_smoothing: the share of each label that is spread evenly over all classes; 0.0 by
            default.
        ignore_index: examples with this label have loss 0 and gradient 0. It may lie outside
            0 .. k - 1. None by default: no example is ignored.
    Units:  nats.
    Raises: ValueError if shapes disagree, or an option is out of range; TypeError if labels does
            not hold integers, logits or weights do not hold floats, or an option is not a number.
    Cost:   about 5 operations and one exponential per logit.
    Source: Bridle 1990; smoothing: Szegedy et al., arXiv:1512.00567.

    >>> logits = jnp.log(jnp.array([[0.25, 0.75], [0.5, 0.5]]))
    >>> fcnn.softmax_cross_entropy(logits, jnp.array([0, 1]))  # log 4, log 2
    Array([1.3862944, 0.6931472], dtype=float32)
    """
    options = {"label_smoothing": label_smoothing, "ignore_index": ignore_index}
    return softmax_cross_entropy_fwd(logits, labels, weights, **options)[0]


@softmax_cross_entropy.fwd
def softmax_cross_entropy_fwd(logits, labels, weights, **options):
    q, known = _target(logits, labels, **options)
    counts = q.any(-1, keepdims=True)
    p, log_p = probabilities(jnp.where(counts, logits, 0))  # logits of ignored labels may be NaN
    wq = _weighted(q, weights)
    loss = -inner_product(wq, log_p).astype(logits.dtype)
    loss = jnp.where(known, loss, jnp.nan)
    return loss, (p, None if weights is None else log_p, labels, weights)


@softmax_cross_entropy.bwd
def softmax_cross_entropy_bwd(saved, dl, **options):
    p, log_p, labels, weights = saved
    q, _ = _target(p, labels, **options)
    wq, dtype, dl = _weighted(q, weights), dl.dtype, dl[..., None].astype(q.dtype)
    dz = (dl * (p * wq.sum(-1, keepdims=True) - wq)).astype(dtype)
    if weights is None:
        return dz, None, None
    dw = -(dl * (q * safe_factor(wq, log_p))).sum(range(labels.ndim))
    return dz, None, dw.astype(dtype)


def _target(z, labels, *, label_smoothing, ignore_index):
    """q, or 0 where a label is ignored or out of range; and whether each loss is not NaN."""
    hit = one_hot_of(z.shape, labels)
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


@softmax_cross_entropy.validate
def _validate_cross_entropy(logits, labels, weights, *, label_smoothing, ignore_index):
    validate_labels(labels, logits=logits)
    require_floats(logits=logits, weights=weights)
    k = logits.shape[-1:]
    if weights is not None:
        one_each = weights.shape == k
        require(one_each, f"weights {weights.shape} need shape {k}, one per class")
    require_numbers(label_smoothing=label_smoothing)
    is_fraction = 0 <= label_smoothing <= 1
    require(is_fraction, f"label_smoothing {label_smoothing} must lie in [0, 1]")
    if ignore_index is not None:
        if not isinstance(ignore_index, int):
            raise TypeError(f"ignore_index {ignore_index!r} must be an integer")
        kind = jnp.iinfo(labels.dtype)
        fits = kind.min <= ignore_index <= kind.max
        require(
            fits,
            f"ignore_index {ignore_index} does not fit {labels.dtype}, the dtype of labels",
        )


@operator()
def soft_cross_entropy(logits: Rows, targets: Rows) -> L:
    """Cross-entropy between distributions `targets` and softmax(logits), in nats, per example.

    Shapes: logits and targets (*n, k) -> loss (*n).
    Units:  nats.
    Raises: ValueError if shapes disagree, or there are no classes; TypeError if an argument does
            not hold floats.
    Cost:   about 5 operations and one exponential per logit.
    Source: Bridle 1990; soft targets: Hinton, Vinyals & Dean, arXiv:1503.02531.

    >>> fcnn.soft_cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.25, 0.75]]))  # log 2
    Array([0.6931472], dtype=float32)
    """
    return soft_cross_entropy_fwd(logits, targets)[0]


@soft_cross_entropy.fwd
def soft_cross_entropy_fwd(logits, targets):
    p, log_p = probabilities(logits)
    loss = -inner_product(targets.astype(p.dtype), log_p)
    return loss.astype(logits.dtype), (p, log_p, targets)


@soft_cross_entropy.bwd
def soft_cross_entropy_bwd(saved, dl):
    p, log_p, t = saved
    dtype, t, dl = dl.dtype, t.astype(p.dtype), dl[..., None].astype(p.dtype)
    dz = dl * (p * t.sum(-1, keepdims=True) - t)
    return dz.astype(dtype), (-dl * safe_factor(t, log_p)).astype(dtype)


@soft_cross_entropy.validate
def _validate_soft(logits, targets):
    if jnp.issubdtype(targets.dtype, jnp.integer):
        write = "for labels, write softmax_cross_entropy(logits, labels)"
        raise TypeError(f"targets holds {targets.dtype}, not probabilities; {write}")
    validate_distributions(logits=logits, targets=targets)


soft_cross_entropy.cases = cases_of_distributions("logits", "targets", kink=False)


@operator()
def nll(log_p: Rows, labels: Labels) -> L:
    """Negative log-likelihood of integer `labels` under log-probabilities `log_p`, per example.

    Shapes: log_p (*n, k), labels (*n) -> loss (*n).
    Units:  nats.
    Raises: ValueError if shapes disagree, or there are no classes; TypeError if labels does not
            hold integers, or log_p does not hold floats.
    Cost:   one pass over log_p.
    Source: Fisher 1922.

    >>> fcnn.nll(jnp.array([[-3.0, -0.5], [-1.0, -2.0]]), jnp.array([1, 0]))
    Array([0.5, 1. ], dtype=float32)
    """
    return nll_fwd(log_p, labels)[0]


@nll.fwd
def nll_fwd(log_p, labels):
    hit = one_hot_of(log_p.shape, labels)
    loss = -jnp.where(hit, log_p, 0).sum(-1)
    return jnp.where(hit.any(-1), loss, jnp.nan), (labels, Shape(log_p.shape))


@nll.bwd
def nll_bwd(saved, dl):
    labels, shape = saved
    return jnp.where(one_hot_of(shape, labels), -dl[..., None], 0), None


@nll.validate
def _validate_nll(log_p, labels):
    validate_labels(labels, log_p=log_p)


def _weights(classes):
    return lambda rng: rng.uniform(0.5, 2, classes)


nll.cases = cases_of_labels("log_p", (6, 5))
softmax_cross_entropy.cases = (
    *cases_of_labels("logits", (6, 5), None),
    Case("one class", ((3, 1), ints((3,), below=1), None)),
    Case("weights", ((6, 5), five, _weights(5)), {"label_smoothing": 0.2, "ignore_index": 3}),
    Case("smoothed", ((6, 5), five, None), {"label_smoothing": 0.1, "ignore_index": -100}),
    *(
        extreme(f"weights, {name}", z, ints((3,), below=7), _weights(7), label_smoothing=0.2)
        for name, z in extreme_scores((3, 7)).items()
        if name != "some at -inf"  # the smoothed loss is infinite
    ),
    extreme("many equal", normals((1, 65520), 0), ints((1,)), None),
    rejects(r"weights \(4,\) need shape \(5,\)", (6, 5), five, (4,)),
    rejects("weights holds int32", (6, 5), five, ints((5,)), kind=TypeError),
    rejects("label_smoothing 1.1 must lie", (6, 5), five, label_smoothing=1.1),
    rejects("label_smoothing None must be", (6, 5), five, label_smoothing=None, kind=TypeError),
    rejects("ignore_index 1.5 must be an integer", (6, 5), five, ignore_index=1.5, kind=TypeError),
    rejects("ignore_index .* does not fit int32", (6, 5), five, ignore_index=2**40),
)
