"""Fourier and cosine transforms, spectra, complex layers."""

import jax.numpy as jnp
import jax.scipy.fft as jfft
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def complex_normal(g, *shape):
    return g.standard_normal(shape) + 1j * g.standard_normal(shape)


def spectral_gain(X):
    return jnp.fft.irfft(X, n=12, axis=-1)


def spectral_gain_undoubled(X, dy):
    return (jnp.conj(jnp.fft.rfft(dy, axis=-1)) / 12,)


def circular_convolution(x, h):
    return jnp.fft.ifft(jnp.fft.fft(x) * jnp.fft.fft(h)).real


def circular_convolution_again(x, h, dy):
    D = np.fft.fft(dy)
    dx = np.fft.ifft(D * np.fft.fft(h)).real
    dh = np.fft.ifft(D * np.conj(np.fft.fft(x))).real.sum(0)
    return dx, dh


def complex_linear(W, x):
    return x @ W.T


def complex_linear_conjugate(W, x, dy):
    return dy.T @ jnp.conj(x), dy @ jnp.conj(W)


def log_spectrum(X):
    return jnp.log(jnp.maximum(X.real**2 + X.imag**2, 1e-2))


def log_spectrum_args(g):
    return (complex_normal(g, 4, 9) * 10.0 ** g.choice([-3, 0], (4, 9)),)


def log_spectrum_no_floor(X, dy):
    return (2 * dy / X,)


def cosine_transform(x):
    return jfft.dct(x, norm="ortho")


def cosine_transform_forward_again(x, dy):
    return (jfft.dct(dy, norm="ortho"),)


def phase_loss(z):
    return jnp.angle(z)


def phase_loss_real_imag(z, dy):
    return (dy * (z.real + 1j * z.imag) / np.abs(z) ** 2,)


def power_spectrum(x):
    X = jnp.fft.rfft(x, axis=-1)
    return X.real**2 + X.imag**2


def power_spectrum_backward(x, dy):
    n = x.shape[-1]
    lag = np.arange(n)[:, None] - np.arange(n)
    k = np.arange(n // 2 + 1)
    c = np.einsum("bk,ijk->bij", dy, np.cos(2 * np.pi * lag[..., None] * k / n))
    return (2 * np.einsum("bij,bj->bi", c, x),)


def mod_relu(z, bias):
    r = jnp.abs(z)
    safe = jnp.where(r > 0, r, 1.0)
    return z * jnp.maximum(r + bias, 0) / safe


def mod_relu_backward(z, bias, dy):
    r = np.abs(z)
    on = (r + bias > 0) & (r > 0)
    s = np.where(r > 0, r, 1.0)
    radial = (np.asarray(dy) * z).real
    dz = dy * (1 + bias / s) - bias * np.conj(z) * radial / s**3
    return np.where(on, dz, 0), np.where(on, radial / s, 0).sum(0)


WRONG = (
    ByHand(
        "inverse real transform without doubling",
        "global filter network; irfft counts the inner bins twice",
        spectral_gain,
        lambda g: (complex_normal(g, 3, 7),),
        spectral_gain_undoubled,
        "The factor 2 of the bins between the first and the last is missing.",
        ("missing factor",),
    ),
    ByHand(
        "circular convolution in place of correlation",
        "convolution theorem homework",
        circular_convolution,
        lambda g: (g.standard_normal((3, 8)), g.standard_normal(8)),
        circular_convolution_again,
        "dx convolves dy with h where a correlation belongs: the conjugate is missing.",
        ("flipped", "wrong value"),
    ),
    ByHand(
        "complex linear layer with conjugates",
        "PyTorch's convention for complex gradients",
        complex_linear,
        lambda g: (complex_normal(g, 4, 3), complex_normal(g, 5, 3)),
        complex_linear_conjugate,
        "W and x are conjugated, as in another convention for complex gradients.",
        ("wrong value",),
    ),
    ByHand(
        "log spectrum without the floor",
        "log-mel features with a lower bound",
        log_spectrum,
        log_spectrum_args,
        log_spectrum_no_floor,
        "The gradient passes where the power is below the floor.",
        ("wrong below zero", "mask"),
    ),
    ByHand(
        "cosine transform applied forwards",
        "orthonormal DCT, taken for its own inverse",
        cosine_transform,
        lambda g: (g.standard_normal((3, 8)),),
        cosine_transform_forward_again,
        "The transform itself is applied to dy where its transpose, the inverse, belongs.",
        ("transposed",),
    ),
    ByHand(
        "phase without the quarter turn",
        "phase vocoder loss",
        phase_loss,
        lambda g: (complex_normal(g, 4, 5),),
        phase_loss_real_imag,
        "The gradient is radial, z / |z|^2, where the angle's, -i / z, belongs.",
        ("wrong derivative", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "power spectrum",
        "sum of cosines of the lags in place of a transform",
        power_spectrum,
        lambda g: (g.standard_normal((3, 9)),),
        power_spectrum_backward,
    ),
    ByHand(
        "modulus relu",
        "Arjovsky et al. 2016, unitary networks; some zeros and a dead zone",
        mod_relu,
        lambda g: (complex_normal(g, 5, 4) * g.integers(0, 2, (5, 4)), -g.uniform(0.2, 1, 4)),
        mod_relu_backward,
    ),
)
