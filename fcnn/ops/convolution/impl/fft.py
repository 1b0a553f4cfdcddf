"""Convolution as a product of Fourier transforms: as much work for a large window as for a small.

Let X, W and D be the transforms of x with its padding, of w with d - 1 zeros between taps, and of
dy with s - 1 zeros between places, each filled up with zeros to the L cells of padded x. At every
frequency a correlation is a product with a conjugate, and a convolution a product:

    y  = inverse of sum_c X conj(W),  every s-th cell      dx = inverse of sum_o D W, less padding
    dw = inverse of sum_n X conj(D),  every d-th cell

The transform takes cells to be on a ring of length L, but no sum here goes round: the cell
s p + d i - lo that place p reads at tap i is always one of the L. Every cell's rounding is of the
size of the largest, and one that is not finite spoils all. Transforms are in float32 at least. On
CPU 16×32×32×8 by a window of 15×15 took a third of what it took "lax".
"""

import math

import jax.numpy as jnp
from jax import lax

from fcnn.ops.contraction import contract, wide

# Transforms are (n, f, g, c), (f, g, c, o) and (n, f, g, o), with f over all frequencies.


def forward(x, w, *, at, groups):
    x_hat, w_hat = _of_image(x, at, groups), _of_kernel(w, at, groups)
    y_hat = contract(x_hat, w_hat.conj(), ((3,), (2,)), ((1, 2), (0, 1)))  # f, g, n, o
    y = _inverse(jnp.moveaxis(y_hat, 2, 0), at)
    return _every(y, at.stride, at.span)


def dx(w, dy, *, at, groups):
    w_hat, d_hat = _of_kernel(w, at, groups), _of_places(dy, at, groups)
    dx_hat = contract(d_hat, w_hat, ((3,), (3,)), ((1, 2), (0, 1)))  # f, g, n, c
    dx = _inverse(jnp.moveaxis(dx_hat, 2, 0), at)
    axes = zip(at.padding, at.size, strict=True)
    return dx[:, *(slice(lo, lo + n) for (lo, _), n in axes)]


def dw(x, dy, *, at, groups):
    x_hat, d_hat = _of_image(x, at, groups), _of_places(dy, at, groups)
    dw_hat = contract(x_hat, d_hat.conj(), ((0,), (0,)), ((1, 2), (1, 2)))  # f, g, c, o
    dw = _every(_inverse(jnp.moveaxis(dw_hat, 2, 0), at), at.dilation, at.reach)
    return jnp.moveaxis(dw, 0, -2)  # c, *window, (g, o) -> *window, c, (g, o)


def refuses(at, groups):
    r = len(at.size)
    return None if r <= 3 else f"transforms up to 3 spatial axes, not {r}"


def _of_image(x, at, groups):
    return _split(_transform(x, at, at.padding, (1,) * len(at.size)), groups)


def _of_places(dy, at, groups):
    return _split(_transform(dy, at, ((0, 0),) * len(at.size), at.stride), groups)


def _of_kernel(w, at, groups):
    w = jnp.moveaxis(w, -2, 0)  # channels, as if they were examples
    w_hat = _split(_transform(w, at, ((0, 0),) * len(at.size), at.dilation), groups)
    return jnp.moveaxis(w_hat, 0, 2)  # c, f, g, o -> f, g, c, o


def _transform(a, at, padding, apart):
    """Of a (n, *cells, c), its cells set `apart`, along the spatial axes: (n, f, c)."""
    a = a.astype(wide(a.dtype))
    margins = [(lo, hi, s - 1) for (lo, hi), s in zip(padding, apart, strict=True)]
    a = lax.pad(a, jnp.zeros((), a.dtype), [(0, 0, 0), *margins, (0, 0, 0)])
    a_hat = jnp.fft.rfftn(a, _ring(at), _axes(at))
    return a_hat.reshape(a.shape[0], math.prod(a_hat.shape[1:-1]), a.shape[-1])


def _inverse(a_hat, at):
    """From (n, f, g, c) to (n, *L, (g, c))."""
    *rest, last = _ring(at)
    n, _, g, c = a_hat.shape
    a_hat = a_hat.reshape(n, *rest, last // 2 + 1, g * c)
    return jnp.fft.irfftn(a_hat, _ring(at), _axes(at))


def _ring(at):
    return tuple(n + lo + hi for n, (lo, hi) in zip(at.size, at.padding, strict=True))


def _axes(at):
    return tuple(range(1, len(at.size) + 1))


def _split(a, groups):
    return a.reshape(*a.shape[:-1], groups, a.shape[-1] // groups)


def _every(a, step, span):
    """Every step-th of the first `span` cells."""
    return a[:, *(slice(0, m, s) for s, m in zip(step, span, strict=True))]
