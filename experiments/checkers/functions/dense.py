"""Dense layers, gates, activations and products of features."""

import jax
import jax.numpy as jnp

from experiments.checkers.functions.function import Function


def mlp(params, x):
    """Three layers: h <- tanh(h W + b), the last one without tanh."""
    *hidden, (w_out, b_out) = params
    for w, b in hidden:
        x = jnp.tanh(x @ w + b)
    return x @ w_out + b_out


def swiglu(x, gate, up, down):
    """y = (silu(x G) * (x U)) D."""
    return (jax.nn.silu(x @ gate) * (x @ up)) @ down


def maxout(x, w, b):
    """y_h = max_k (x W_k + b_k)_h."""
    pieces = jnp.einsum("nd,kdh->nkh", x, w) + b
    return pieces.max(axis=1)


def lora(x, w, a, b, alpha):
    """y = x W + (alpha / r) x A B."""
    rank = a.shape[1]
    return x @ w + alpha / rank * ((x @ a) @ b)


def experts(x, router, w_in, w_out):
    """Every expert on every token, mixed with the router's softmax."""
    probs = jax.nn.softmax(x @ router, axis=-1)
    hidden = jax.nn.gelu(jnp.einsum("td,edh->teh", x, w_in))
    return jnp.einsum("te,teh,ehd->td", probs, hidden, w_out)


def factor_machine(x, w0, w, v):
    """y = w0 + x w + 1/2 sum_f ((x V)_f^2 - (x^2 V^2)_f)."""
    pairs = jnp.square(x @ v) - jnp.square(x) @ jnp.square(v)
    return w0 + x @ w + 0.5 * pairs.sum(-1)


def deep_sets(sets, w, out):
    """rho(mean_i phi(x_i)) for a batch of sets of equal size."""
    phi = jax.nn.softplus(jnp.einsum("bsd,dh->bsh", sets, w))
    return jnp.sin(phi.mean(axis=1)) @ out


def dropout_layer(x, w, b):
    """Inverted dropout with a fixed key, then a leaky layer."""
    keep = jax.random.uniform(jax.random.key(3), x.shape, jnp.float32) < 0.7
    x = jnp.where(keep, x / 0.7, 0)
    return jax.nn.leaky_relu(x @ w + b, 0.1)


def prelu_block(x, slope, w):
    """x + prelu(x) W with one slope per channel, channels first."""
    a = slope[:, None]
    h = jnp.maximum(x, 0) + a * jnp.minimum(x, 0)
    return x + jnp.einsum("ncl,cd->ndl", h, w)


def activations(x, mix):
    """A learned mixture of smooth activations."""
    zoo = (jax.nn.elu, jax.nn.mish, jax.nn.selu, jax.nn.log_sigmoid, jax.nn.soft_sign)
    return sum(m * f(x) for m, f in zip(mix, zoo, strict=True))


def kron_layer(x, a, b):
    """y = x (A kron B), without the Kronecker product."""
    n = x.shape[0]
    x = x.reshape(n, a.shape[0], b.shape[0])
    y = jnp.einsum("nij,ik,jl->nkl", x, a, b)
    return y.reshape(n, -1)


FUNCTIONS = (
    Function(
        "mlp",
        mlp,
        lambda rng: (
            [(rng.normal(size=s), rng.normal(size=s[1])) for s in ((3, 7), (7, 5), (5, 2))],
            rng.normal(size=(4, 3)),
        ),
    ),
    Function(
        "swiglu",
        swiglu,
        lambda rng: (
            rng.normal(size=(2, 5, 4)),
            rng.normal(size=(4, 6)),
            rng.normal(size=(4, 6)),
            rng.normal(size=(6, 3)),
        ),
    ),
    Function(
        "maxout",
        maxout,
        lambda rng: (
            rng.normal(size=(5, 4)),
            rng.normal(size=(3, 4, 6)),
            rng.normal(size=(3, 6)),
        ),
    ),
    Function(
        "lora",
        lora,
        lambda rng: (
            rng.normal(size=(4, 7)),
            rng.normal(size=(7, 5)),
            rng.normal(size=(7, 2)),
            rng.normal(size=(2, 5)),
            rng.uniform(1, 4, size=()),
        ),
    ),
    Function(
        "experts",
        experts,
        lambda rng: (
            rng.normal(size=(7, 4)),
            rng.normal(size=(4, 3)),
            rng.normal(size=(3, 4, 5)),
            rng.normal(size=(3, 5, 4)),
        ),
    ),
    Function(
        "factor_machine",
        factor_machine,
        lambda rng: (
            rng.normal(size=(5, 8)),
            rng.normal(size=()),
            rng.normal(size=8),
            rng.normal(size=(8, 3)),
        ),
    ),
    Function(
        "deep_sets",
        deep_sets,
        lambda rng: (
            rng.normal(size=(3, 6, 2)),
            rng.normal(size=(2, 5)),
            rng.normal(size=(5, 4)),
        ),
    ),
    Function(
        "dropout_layer",
        dropout_layer,
        lambda rng: (rng.normal(size=(5, 5)), rng.normal(size=(5, 5)), rng.normal(size=5)),
    ),
    Function(
        "prelu_block",
        prelu_block,
        lambda rng: (
            rng.normal(size=(2, 4, 5)),
            rng.uniform(0.1, 0.4, size=4),
            rng.normal(size=(4, 4)),
        ),
    ),
    Function("activations", activations, lambda rng: (rng.normal(size=(6, 5)), rng.normal(size=5))),
    Function(
        "kron_layer",
        kron_layer,
        lambda rng: (
            rng.normal(size=(5, 6)),
            rng.normal(size=(2, 4)),
            rng.normal(size=(3, 2)),
        ),
    ),
)
