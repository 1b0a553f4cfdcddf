"""Likelihoods, latent variable models and samples with fixed or drawn keys."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import random
from jax.scipy.special import digamma, erf, gammaln, i0e

from experiments.checkers.functions.function import Function


def _normal(key, shape, dtype):
    """The same noise for float32 and float64."""
    return random.normal(key, shape, jnp.float32).astype(dtype)


def vae(x, enc, dec, seed):
    """Reconstruction and KL terms of a linear autoencoder; the seed is an argument."""
    mean, log_var = jnp.split(x @ enc, 2, axis=-1)
    noise = _normal(random.key(seed), mean.shape, x.dtype)
    logits = (mean + jnp.exp(log_var / 2) * noise) @ dec
    recon = jnp.sum(jnp.logaddexp(0, logits) - logits * jax.nn.sigmoid(x))
    kl = 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - 1 - log_var)
    return recon, kl


def gumbel_softmax(logits, temperature, values):
    """A relaxed sample with Gumbel noise from a fixed key."""
    noise = random.gumbel(random.key(11), logits.shape, jnp.float32).astype(logits.dtype)
    return jax.nn.softmax((logits + noise) / temperature, axis=-1) @ values


def mixture(x, logits, means, log_scales):
    """Log likelihood of a mixture of diagonal normals."""
    z = (x[:, None] - means) * jnp.exp(-log_scales)
    log_n = -0.5 * z**2 - log_scales - 0.5 * jnp.log(2 * jnp.pi)
    return jax.nn.logsumexp(jax.nn.log_softmax(logits) + log_n.sum(-1), axis=1)


def student_t(x, loc, scale, df):
    """Log density of a t distribution with learned degrees of freedom."""
    z = (x - loc) / scale
    half = (df + 1) / 2
    const = gammaln(half) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi) - jnp.log(scale)
    return const - half * jnp.log1p(z**2 / df)


def iwae(x, mean, log_std, w, raw_key):
    """Importance-weighted bound with four samples; the raw key is an argument."""
    eps = _normal(raw_key, (4, *mean.shape), mean.dtype)
    z = mean + jnp.exp(log_std) * eps
    log_q = jnp.sum(-0.5 * eps**2 - log_std, axis=-1)
    log_p = -0.5 * jnp.sum(z**2, axis=-1) - 0.5 * jnp.sum((x - z @ w) ** 2, axis=-1)
    return jax.nn.logsumexp(log_p - log_q, axis=0) - jnp.log(4)


def coupling_flow(x, w1, w2):
    """Two affine couplings with swapped halves; the result and log |det J|."""
    a, b = jnp.split(x, 2, axis=1)
    log_det = jnp.zeros(x.shape[0], x.dtype)
    for w in (w1, w2):
        log_s, shift = jnp.split(jnp.tanh(a @ w), 2, axis=1)
        a, b = b * jnp.exp(log_s) + shift, a
        log_det += log_s.sum(axis=1)
    return jnp.concatenate([a, b], axis=1), log_det


def dirichlet_kl(a, b):
    """KL(Dir(a) || Dir(b)) for rows of positive concentrations."""
    total = a.sum(-1)
    log_c = gammaln(total) - gammaln(b.sum(-1)) + jnp.sum(gammaln(b) - gammaln(a), axis=-1)
    return log_c + jnp.sum((a - b) * (digamma(a) - digamma(total)[:, None]), axis=-1)


def negative_binomial(counts, features, coef, log_r):
    """Regression of overdispersed counts with a log link."""
    r, mu = jnp.exp(log_r), jnp.exp(features @ coef)
    logp = gammaln(counts + r) - gammaln(r) + r * jnp.log(r / (r + mu))
    return jnp.sum(logp + counts * jnp.log(mu / (r + mu)))


def von_mises(angles, loc, log_kappa):
    """k cos(x - m) - log(2 pi I0(k))."""
    kappa = jnp.exp(log_kappa)
    log_i0 = jnp.log(i0e(kappa)) + kappa
    return kappa * jnp.cos(angles - loc) - jnp.log(2 * jnp.pi) - log_i0


def censored_normal(values, observed, mean, log_sd):
    """Density where observed, upper tail where censored."""
    z = (values - mean) * jnp.exp(-log_sd)
    density = -0.5 * z**2 - log_sd
    tail = jnp.log(0.5 * (1 - erf(z / 2**0.5)) + 1e-6)
    return jnp.where(observed == 1, density, tail).sum(axis=0)


def diffusion_loss(x0, w_x, w_t, seed):
    """Noise prediction at a drawn time of a cosine schedule."""
    key_t, key_n = random.split(random.key(seed))
    t = random.uniform(key_t, (x0.shape[0], 1), jnp.float32).astype(x0.dtype)
    noise = _normal(key_n, x0.shape, x0.dtype)
    xt = jnp.cos(t * jnp.pi / 2) * x0 + jnp.sin(t * jnp.pi / 2) * noise
    return jnp.mean((jnp.tanh(xt @ w_x + t * w_t) - noise) ** 2, axis=1)


FUNCTIONS = (
    Function(
        "vae",
        vae,
        lambda rng: (
            rng.normal(size=(4, 5)),
            rng.normal(size=(5, 6)) / 2,
            rng.normal(size=(3, 5)),
            rng.integers(0, 1000, size=()),
        ),
    ),
    Function(
        "gumbel_softmax",
        gumbel_softmax,
        lambda rng: (
            rng.normal(size=(6, 4)),
            rng.uniform(0.5, 2, size=()),
            rng.normal(size=(4, 3)),
        ),
    ),
    Function(
        "mixture",
        mixture,
        lambda rng: (
            rng.normal(size=(7, 2)),
            rng.normal(size=3),
            rng.normal(size=(3, 2)),
            rng.normal(size=(3, 2)) / 3,
        ),
    ),
    Function(
        "student_t",
        student_t,
        lambda rng: (
            rng.normal(size=(5, 4)),
            rng.normal(size=4),
            rng.uniform(0.5, 2, size=4),
            rng.uniform(2, 5, size=()),
        ),
    ),
    Function(
        "iwae",
        iwae,
        lambda rng: (
            rng.normal(size=(3, 5)),
            rng.normal(size=(3, 2)),
            rng.normal(size=(3, 2)) / 3,
            rng.normal(size=(2, 5)),
            rng.integers(0, 2**32, size=2, dtype=np.uint32),
        ),
    ),
    Function(
        "coupling_flow",
        coupling_flow,
        lambda rng: (
            rng.normal(size=(5, 6)),
            rng.normal(size=(3, 6)) / 2,
            rng.normal(size=(3, 6)) / 2,
        ),
    ),
    Function(
        "dirichlet_kl",
        dirichlet_kl,
        lambda rng: (rng.uniform(0.5, 3, size=(4, 5)), rng.uniform(0.5, 3, size=(4, 5))),
    ),
    Function(
        "negative_binomial",
        negative_binomial,
        lambda rng: (
            rng.integers(0, 8, size=9),
            rng.normal(size=(9, 3)) / 2,
            rng.normal(size=3),
            rng.normal(0, 0.5, size=()),
        ),
    ),
    Function(
        "von_mises",
        von_mises,
        lambda rng: (
            rng.uniform(-3, 3, size=(5, 3)),
            rng.uniform(-3, 3, size=3),
            rng.normal(size=3) / 2,
        ),
    ),
    Function(
        "censored_normal",
        censored_normal,
        lambda rng: (
            rng.normal(size=(8, 2)),
            rng.permuted(np.repeat([0, 1], 8)).reshape(8, 2),
            rng.normal(size=2),
            rng.normal(size=2) / 3,
        ),
    ),
    Function(
        "diffusion_loss",
        diffusion_loss,
        lambda rng: (
            rng.normal(size=(4, 4)),
            rng.normal(size=(4, 4)),
            rng.normal(size=4),
            rng.integers(0, 1000, size=()),
        ),
    ),
)
