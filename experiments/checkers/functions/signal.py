"""Fourier transforms, filters, wavelets and complex intermediates of real signals."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.functions.function import Function


def fft_filter(x, response):
    """Circular filtering of each row by a learned real frequency response."""
    return jnp.fft.irfft(jnp.fft.rfft(x, axis=-1) * response, n=x.shape[-1], axis=-1)


def fourier_operator(x, real, imag, skip):
    """Fourier neural operator: the low modes mixed over the channels, plus a skip."""
    modes = real.shape[0]
    spectrum = jnp.fft.rfft(x, axis=0)
    mixed = jnp.einsum("mc,mcd->md", spectrum[:modes], lax.complex(real, imag))
    pad = jnp.zeros((spectrum.shape[0] - modes, real.shape[2]), mixed.dtype)
    y = jnp.fft.irfft(jnp.concatenate([mixed, pad]), n=x.shape[0], axis=0)
    return jax.nn.gelu(y + x @ skip)


def stft(x, window):
    """Magnitudes of overlapping windowed frames."""
    size = window.shape[0]
    starts = np.arange(0, x.shape[0] - size + 1, 2)
    frames = x[starts[:, None] + np.arange(size)[None, :]]
    return jnp.sqrt(jnp.abs(jnp.fft.rfft(frames * window)) ** 2 + 1e-3)


def cosine_transform(x, gains):
    """DCT-II by its matrix, soft threshold, and the inverse by the transpose."""
    n = x.shape[-1]
    k = jnp.arange(n, dtype=x.dtype)
    basis = jnp.cos(jnp.pi / n * (k[:, None] + 0.5) * k) * jnp.sqrt(2 / n).astype(x.dtype)
    c = (x @ basis) * gains
    return jnp.sign(c) * jax.nn.relu(jnp.abs(c) - 0.1) @ basis.T


def envelope(x):
    """Absolute value of the analytic signal and its phase steps."""
    n = x.shape[-1]
    keep = jnp.zeros(n, x.dtype).at[0].set(1).at[1 : (n + 1) // 2].set(2)
    z = jnp.fft.ifft(jnp.fft.fft(x) * keep)
    return jnp.abs(z), jnp.sin(jnp.angle(z[:, 1:] * jnp.conj(z[:, :-1])))


def autocorrelation(x, weights):
    """Linear autocorrelation by a padded transform, weighted per lag."""
    n = x.shape[0]
    f = jnp.fft.fft(x - x.mean(), n=2 * n)
    acf = jnp.fft.ifft(f * f.conj()).real[:n]
    return weights @ acf[1:] / acf[0]


def low_pass_image(image, sharpness):
    """A soft disc in the shifted two-dimensional spectrum."""
    f = jnp.fft.fftshift(jnp.fft.fft2(image))
    fy = jnp.arange(image.shape[0]) - image.shape[0] // 2
    fx = jnp.arange(image.shape[1]) - image.shape[1] // 2
    radius = jnp.sqrt((fy[:, None] ** 2 + fx**2).astype(image.dtype))
    mask = jax.nn.sigmoid(sharpness * (2 - radius))
    return jnp.fft.ifft2(jnp.fft.ifftshift(f * mask)).real


def binding(a, b, query):
    """Holographic memory: circular convolution stores, correlation reads."""
    memory = jnp.fft.ifft(jnp.fft.fft(a, axis=0) * jnp.fft.fft(b, axis=0), axis=0).sum(1)
    return jnp.fft.ifft(jnp.fft.fft(memory) * jnp.conj(jnp.fft.fft(query))).real


def haar(x, scales):
    """Three levels of the Haar transform with a gain for each level."""
    parts = []
    for level in range(3):
        even, odd = x[..., ::2], x[..., 1::2]
        parts.append(scales[level] * (even - odd) / 2**0.5)
        x = (even + odd) / 2**0.5
    return jnp.concatenate([x, *parts[::-1]], axis=-1)


def complex_memory(u, log_decay, phase, b, c):
    """Linear recurrent unit with complex decays by an associative scan."""
    lam = jnp.exp(-jnp.exp(log_decay) + 1j * phase)
    inputs = (u @ b).astype(lam.dtype)
    decays = jnp.broadcast_to(lam, inputs.shape)
    join = lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1])
    _, h = lax.associative_scan(join, (decays, inputs))
    return h.real @ c[0] - h.imag @ c[1]


def resonance(r, ind, c, omega):
    """Gain in decibels and phase of a series circuit: H = 1 / (1 + i w R C - w^2 L C)."""
    s = 1j * omega
    h = 1 / (1 + s * r * c + s**2 * ind * c)
    return 20 * jnp.log10(jnp.abs(h)), jnp.angle(h)


def biquad(x, b, a):
    """Direct form II transposed filter, with a stable denominator from tanh."""
    a1, a2 = 0.9 * jnp.tanh(a)
    a1 = a1 * (1 + a2)

    def step(state, x_t):
        s1, s2 = state
        y = b[0] * x_t + s1
        return (b[1] * x_t - a1 * y + s2, b[2] * x_t - a2 * y), y

    return lax.scan(step, (jnp.zeros_like(x[0]),) * 2, x)[1]


FUNCTIONS = (
    Function("fft_filter", fft_filter, lambda rng: (rng.normal(size=(3, 8)), rng.normal(size=5))),
    Function(
        "fourier_operator",
        fourier_operator,
        lambda rng: (
            rng.normal(size=(10, 2)),
            rng.normal(size=(3, 2, 4)),
            rng.normal(size=(3, 2, 4)),
            rng.normal(size=(2, 4)),
        ),
    ),
    Function("stft", stft, lambda rng: (rng.normal(size=12), rng.uniform(size=6))),
    Function(
        "cosine_transform",
        cosine_transform,
        lambda rng: (rng.normal(size=(6, 6)), rng.uniform(0.5, 2, size=6)),
    ),
    Function("envelope", envelope, lambda rng: (rng.normal(size=(3, 7)),)),
    Function(
        "autocorrelation",
        autocorrelation,
        lambda rng: (rng.normal(size=9), rng.normal(size=(3, 8))),
    ),
    Function(
        "low_pass_image",
        low_pass_image,
        lambda rng: (rng.normal(size=(6, 7)), rng.uniform(1, 3, size=())),
    ),
    Function(
        "binding",
        binding,
        lambda rng: (
            rng.normal(size=(8, 3)),
            rng.normal(size=(8, 3)),
            rng.normal(size=8),
        ),
    ),
    Function("haar", haar, lambda rng: (rng.normal(size=(5, 8)), rng.normal(size=3))),
    Function(
        "complex_memory",
        complex_memory,
        lambda rng: (
            rng.normal(size=(7, 3)),
            rng.uniform(-2, 0, size=4),
            rng.uniform(0, 3, size=4),
            rng.normal(size=(3, 4)),
            rng.normal(size=(2, 4, 2)),
        ),
    ),
    Function(
        "resonance",
        resonance,
        lambda rng: (
            rng.uniform(0.5, 2, size=()),
            rng.uniform(0.5, 2, size=()),
            rng.uniform(0.5, 2, size=()),
            rng.uniform(0.2, 3, size=8),
        ),
    ),
    Function(
        "biquad",
        biquad,
        lambda rng: (
            rng.normal(size=(8, 2)),
            rng.normal(size=3),
            rng.normal(size=2),
        ),
    ),
)
