"""Training code: clipping, quantization, precision, shared parameters, inner steps."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def clip_by_global_norm(grads):
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grads)))
    return jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / norm), grads)


def gradient_tree(g):
    dense = {"w": g.standard_normal((4, 3)), "b": g.standard_normal(3)}
    return ({"dense": dense, "scales": [np.asarray(g.standard_normal())]},)


def clip_constant_norm(grads, dy):
    norm = np.sqrt(sum(np.sum(g * g) for g in jax.tree.leaves(grads)))
    return (jax.tree.map(lambda d: d * min(1.0, 1.0 / norm), dy),)


def clip_by_leaf(grads, dy):
    norm = np.sqrt(sum(np.sum(g * g) for g in jax.tree.leaves(grads)))
    if norm <= 1:
        return (dy,)

    def one(g, d):
        return d / norm - g * jnp.sum(g * d) / norm**3

    return (jax.tree.map(one, grads, dy),)


def clip_backward(grads, dy):
    g, d = jax.tree.leaves(grads), jax.tree.leaves(dy)
    norm = np.sqrt(sum(np.sum(a * a) for a in g))
    along = sum(jnp.sum(a * b) for a, b in zip(g, d, strict=True)) / norm**2
    pull = along if norm > 1 else 0.0
    return (jax.tree.map(lambda a, b: (b - pull * a) * min(1.0, 1 / norm), grads, dy),)


def bfloat_product(x, w):
    y = x.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16)
    return jnp.tanh(y.astype(jnp.float32))


def bfloat_product_backward(x, w, dy):
    b = ml_dtypes.bfloat16
    xb, wb = x.astype(b).astype(np.float32), w.astype(b).astype(np.float32)
    y = np.tanh((xb @ wb).astype(b).astype(np.float32))
    d = np.asarray(dy) * (1 - y * y)
    d = d.astype(b).astype(np.float32)
    return d @ wb.T, xb.T @ d


def swish_mixed(x, w):
    h = x @ w
    return h * jax.nn.sigmoid(h)


def swish_mixed_half(x, w, dy):
    h = (x @ w).astype(np.float16)
    s = 1 / (1 + np.exp(-h))
    dh = np.asarray(dy) * (s * (1 + h * (1 - s)))
    return dh @ w.T, x.T @ dh


def tied_language_model(params, tokens):
    E = params["embed"]
    h = jnp.tanh(jax.checkpoint(lambda e: e @ params["w"])(E[tokens[:-1]]))
    logp = jax.nn.log_softmax(h @ E.T + params["bias"])
    return -jnp.mean(logp[jnp.arange(len(tokens) - 1), tokens[1:]])


def tied_args(g):
    shapes = {"embed": (6, 4), "w": (4, 4), "bias": (6,)}
    return {k: g.standard_normal(s) for k, s in shapes.items()}, g.integers(0, 6, 10)


def tied_gradient(params, tokens, dy, lookup):
    E, w = params["embed"], params["w"]
    source, target = tokens[:-1], tokens[1:]
    x = E[source]
    h = np.tanh(x @ w)
    z = h @ E.T + params["bias"]
    p = np.exp(z - z.max(1, keepdims=True))
    dz = dy * (p / p.sum(1, keepdims=True) - np.eye(6)[target]) / len(target)
    da = dz @ E * (1 - h * h)
    dE = dz.T @ h
    if lookup:
        dE = dE + np.eye(6)[source].T @ (da @ w.T)
    return {"embed": dE, "w": x.T @ da, "bias": dz.sum(0)}, None


def adapted_loss(w, X, y, Xq, yq):
    w1 = w - 0.1 * X.T @ (X @ w - y)
    return 0.5 * jnp.sum((Xq @ w1 - yq) ** 2)


def adapted_first_order(w, X, y, Xq, yq, dL):
    r = X @ w - y
    rq = dL * (Xq @ (w - 0.1 * X.T @ r) - yq)
    v = Xq.T @ rq
    dX = -0.1 * (np.outer(r, v) + np.outer(X @ v, w))
    return v, dX, 0.1 * X @ v, np.outer(rq, w - 0.1 * X.T @ r), -rq


def per_example_loss(w, b, X, t):
    def one(x, t):
        return jax.nn.softplus(x @ w + b) - t * (x @ w + b)

    return jnp.sum(jax.vmap(one)(X, t))


def per_example_mean_bias(w, b, X, t, dy):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    g = dy * (p - t)
    return X.T @ g, np.asarray(g.mean()), np.outer(g, w), -dy * (X @ w + b)


WRONG = (
    ByHand(
        "clip by the global norm, held constant",
        "meta-learning through clipped gradients",
        clip_by_global_norm,
        gradient_tree,
        clip_constant_norm,
        "The norm is taken for a constant: the part along the gradient is not removed.",
        ("missing term",),
    ),
    ByHand(
        "clip by the global norm, projected by leaf",
        "meta-learning through clipped gradients",
        clip_by_global_norm,
        gradient_tree,
        clip_by_leaf,
        "The inner product with dy runs over each leaf alone, not over all of them.",
        ("wrong value", "missing term"),
        named=False,
    ),
    ByHand(
        "swish in half precision",
        "mixed precision, activations kept in float16",
        swish_mixed,
        lambda g: (g.standard_normal((6, 4)), g.standard_normal((4, 3))),
        swish_mixed_half,
        "The derivative is computed in float16 where the forward pass is in float64.",
        ("short dtype",),
    ),
    ByHand(
        "tied embedding from the output only",
        "language model with one matrix for input and output",
        tied_language_model,
        tied_args,
        lambda params, tokens, dy: tied_gradient(params, tokens, dy, False),
        "The gradient through the lookup of the tokens is missing.",
        ("missing term",),
    ),
    ByHand(
        "first-order inner step",
        "Finn et al. 2017, model-agnostic meta-learning",
        adapted_loss,
        lambda g: tuple(g.standard_normal(s) for s in ((3,), (5, 3), (5,), (4, 3), (4,))),
        adapted_first_order,
        "The second derivative of the inner loss is missing in dw.",
        ("missing term",),
    ),
    ByHand(
        "logistic loss with the mean in the bias",
        "vmapped loss per example, summed",
        per_example_loss,
        lambda g: (
            g.standard_normal(4),
            np.asarray(g.standard_normal()),
            g.standard_normal((7, 4)),
            g.integers(0, 2, 7).astype(float),
        ),
        per_example_mean_bias,
        "db is the mean over the examples where the loss is their sum.",
        ("mean for sum", "constant factor"),
    ),
)


RIGHT = (
    ByHand(
        "clip by the global norm of a tree",
        "meta-learning through clipped gradients",
        clip_by_global_norm,
        gradient_tree,
        clip_backward,
    ),
    ByHand(
        "product in bfloat16",
        "mixed precision, float32 parameters",
        bfloat_product,
        lambda g: tuple(g.standard_normal(s).astype(np.float32) for s in ((6, 8), (8, 4))),
        bfloat_product_backward,
    ),
    ByHand(
        "tied embedding with a checkpoint",
        "language model with one matrix for input and output",
        tied_language_model,
        tied_args,
        lambda params, tokens, dy: tied_gradient(params, tokens, dy, True),
    ),
)
