"""Latent variables: VAE, Gumbel-softmax, mixtures, flows, bounds."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from experiments.checkers.by_hand.case import ByHand


def vae_args(g):
    enc = {
        "mu": g.standard_normal((6, 2)),
        "logvar": 0.3 * g.standard_normal((6, 2)),
        "b": 0.1 * g.standard_normal(2),
    }
    dec = {"W": g.standard_normal((2, 6)), "b": g.standard_normal(6)}
    return {"enc": enc, "dec": dec}, g.integers(0, 2, (5, 6)).astype(float)


def vae_noise(x):
    return jax.random.normal(jax.random.key(7), (x.shape[0], 2), x.dtype)


def vae_loss(params, x):
    enc, dec = params["enc"], params["dec"]
    mu, lv = x @ enc["mu"] + enc["b"], x @ enc["logvar"]
    z = mu + jnp.exp(0.5 * lv) * vae_noise(x)
    a = z @ dec["W"] + dec["b"]
    bce = jnp.sum(jax.nn.softplus(a) - x * a, axis=1)
    kl = 0.5 * jnp.sum(jnp.exp(lv) + mu**2 - 1 - lv, axis=1)
    return jnp.mean(bce + kl)


def vae_gradient(params, x, dy, half):
    enc, dec = params["enc"], params["dec"]
    eps = vae_noise(x)
    mu, lv = x @ enc["mu"] + enc["b"], x @ enc["logvar"]
    std = jnp.exp(lv / 2)
    z = mu + std * eps
    a = z @ dec["W"] + dec["b"]
    da = dy * (jax.nn.sigmoid(a) - x) / x.shape[0]
    dz = da @ dec["W"].T
    dmu = dz + dy * mu / x.shape[0]
    dlv = half * dz * eps * std + 0.5 * dy * (std**2 - 1) / x.shape[0]
    dx = dmu @ enc["mu"].T + dlv @ enc["logvar"].T - dy * a / x.shape[0]
    denc = {"mu": x.T @ dmu, "logvar": x.T @ dlv, "b": dmu.sum(0)}
    return {"enc": denc, "dec": {"W": z.T @ da, "b": da.sum(0)}}, dx


def gumbel_softmax(logits, tau):
    G = jax.random.gumbel(jax.random.key(3), logits.shape, logits.dtype)
    return jax.nn.softmax((logits + G) / tau, axis=-1)


def gumbel_softmax_fresh(logits, tau, dy):
    G = np.random.default_rng().gumbel(size=logits.shape)
    s = (logits + G) / tau
    y = jax.nn.softmax(s, axis=-1)
    ds = y * (dy - jnp.sum(dy * y, axis=-1, keepdims=True))
    return ds / tau, -jnp.sum(ds * s) / tau


def gumbel_softmax_noiseless_tau(logits, tau, dy):
    y = gumbel_softmax(logits, tau)
    ds = y * (dy - jnp.sum(dy * y, axis=-1, keepdims=True))
    return ds / tau, -jnp.sum(ds * logits) / tau**2


def gumbel_hard(logits, V):
    y = gumbel_softmax(logits, 0.5)
    hard = jax.nn.one_hot(jnp.argmax(y, axis=-1), y.shape[-1], dtype=y.dtype)
    hard = y + jax.lax.stop_gradient(hard - y)
    return hard @ V


def gumbel_hard_backward(logits, V, dy):
    y = np.asarray(gumbel_softmax(logits, 0.5))
    hard = np.eye(y.shape[1])[y.argmax(1)]
    dh = np.asarray(dy) @ V.T
    J = np.einsum("ni,ij->nij", y, np.eye(y.shape[1])) - np.einsum("ni,nj->nij", y, y)
    return 2.0 * np.einsum("nij,nj->ni", J, dh), hard.T @ dy


def mixture_parts(x, logits, mu, logs):
    z = (x[:, None] - mu) * jnp.exp(-logs)
    logp = -0.5 * jnp.sum(z**2, axis=-1) - jnp.sum(logs, axis=-1)
    return jax.nn.log_softmax(logits) + logp, z


def mixture(x, logits, mu, logs):
    return -jnp.sum(logsumexp(mixture_parts(x, logits, mu, logs)[0], axis=1))


def mixture_gradient(x, logits, mu, logs, dy, axis):
    joint, z = mixture_parts(x, logits, mu, logs)
    r = dy * jax.nn.softmax(joint, axis=axis)
    dz = r[..., None] * z
    dmu = -dz * jnp.exp(-logs)
    dlogits = x.shape[0] * dy * jax.nn.softmax(logits) - r.sum(0)
    dlogs = jnp.sum(r[..., None] * (1 - z**2), axis=0)
    return -dmu.sum(1), dlogits, dmu.sum(0), dlogs


def mixture_args(g):
    shapes = ((9, 2), (4,), (4, 2), (4, 2))
    return tuple(0.7 * g.standard_normal(s) for s in shapes)


def coupling(x, W, b):
    x1, x2 = jnp.split(x, 2, axis=1)
    h = x1 @ W + b
    s, t = jnp.tanh(h[:, :2]), h[:, 2:]
    return jnp.concatenate([x1, x2 * jnp.exp(s) + t], axis=1), s.sum(1)


def coupling_swapped(x, W, b, dy):
    dout, dlogdet = dy
    x1, x2 = x[:, :2], x[:, 2:]
    s = np.tanh((x1 @ W + b)[:, :2])
    d2 = dout[:, 2:]
    ds = (d2 * x2 * np.exp(s) + dlogdet[:, None]) * (1 - s**2)
    dh = jnp.concatenate([d2, ds], axis=1)
    dx = jnp.concatenate([dout[:, :2] + dh @ W.T, d2 * np.exp(s)], axis=1)
    return dx, x1.T @ dh, dh.sum(0)


def importance_bound(logw):
    return jnp.mean(logsumexp(logw, axis=1) - jnp.log(logw.shape[1]))


def importance_bound_uniform(logw, dy):
    return (jnp.full(logw.shape, dy / logw.size),)


WRONG = (
    ByHand(
        "vae with the standard deviation's exponent doubled",
        "Kingma and Welling 2014, homework with dict parameters",
        vae_loss,
        vae_args,
        lambda params, x, dy: vae_gradient(params, x, dy, 1.0),
        "The path through the sample lacks the 1/2 of exp(logvar / 2): that term counts twice.",
        ("missing term", "missing factor", "wrong derivative"),
    ),
    ByHand(
        "gumbel softmax with fresh noise",
        "noise drawn again in the backward pass",
        gumbel_softmax,
        lambda g: (g.standard_normal((4, 5)), np.asarray(g.uniform(0.5, 1.5))),
        gumbel_softmax_fresh,
        "The backward pass draws its own noise from an unseeded generator.",
        ("not deterministic", "wrong value"),
    ),
    ByHand(
        "gumbel softmax with the temperature of the bare logits",
        "Jang et al. 2017, learned temperature",
        gumbel_softmax,
        lambda g: (g.standard_normal((6, 4)), np.asarray(g.uniform(0.5, 1.5))),
        gumbel_softmax_noiseless_tau,
        "dtau multiplies by the logits where logits + noise belong.",
        ("wrong value", "missing term"),
    ),
    ByHand(
        "mixture with responsibilities over the data",
        "Bishop, Pattern Recognition, section 9.2",
        mixture,
        mixture_args,
        lambda x, logits, mu, logs, dy: mixture_gradient(x, logits, mu, logs, dy, 0),
        "The responsibilities are normalized over the data, not over the components.",
        ("wrong axis", "wrong value"),
    ),
    ByHand(
        "affine coupling with scale and shift exchanged",
        "RealNVP homework",
        coupling,
        lambda g: tuple(g.standard_normal(s) for s in ((6, 4), (2, 4), (4,))),
        coupling_swapped,
        "The gradients of scale and shift are concatenated in the other order.",
        ("channels exchanged",),
    ),
    ByHand(
        "importance weighted bound with uniform weights",
        "Burda et al. 2016, mistaken for the mean of the bounds",
        importance_bound,
        lambda g: (2 * g.standard_normal((5, 4)),),
        importance_bound_uniform,
        "Each sample gets 1 / K where its normalized weight belongs.",
        ("wrong value", "missing factor"),
    ),
)


RIGHT = (
    ByHand(
        "vae with noise from a key",
        "Kingma and Welling 2014, homework with dict parameters",
        vae_loss,
        vae_args,
        lambda params, x, dy: vae_gradient(params, x, dy, 0.5),
    ),
    ByHand(
        "straight-through gumbel softmax",
        "Jang et al. 2017, hard samples forward and soft ones backward",
        gumbel_hard,
        lambda g: (g.standard_normal((5, 4)), g.standard_normal((4, 3))),
        gumbel_hard_backward,
    ),
    ByHand(
        "mixture of diagonal gaussians",
        "expectation maximization's responsibilities as a gradient",
        mixture,
        mixture_args,
        lambda x, logits, mu, logs, dy: mixture_gradient(x, logits, mu, logs, dy, 1),
    ),
)
