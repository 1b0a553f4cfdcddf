"""Filters, frames, wavelets and interpolation."""

import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def frames(x, w):
    starts = jnp.arange(0, x.shape[0] - 7, 4)
    return x[starts[:, None] + jnp.arange(8)] * w


def frames_overwriting(x, w, dy):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for k in range(len(dy)):
        dx[4 * k : 4 * k + 8] = dy[k] * w
        dw += dy[k] * x[4 * k : 4 * k + 8]
    return dx, dw


def resample(y, t):
    t = jnp.clip(t, 0, y.shape[0] - 1)
    i = jnp.clip(jnp.floor(t).astype(int), 0, y.shape[0] - 2)
    f = t - i
    return (1 - f) * y[i] + f * y[i + 1]


def resample_args(g):
    return g.standard_normal(7), np.append(g.uniform(0.1, 5.9, 8), [-0.7, 6.4])


def resample_unclipped(y, t, dout):
    u = np.clip(t, 0, len(y) - 1)
    i = np.minimum(u.astype(int), len(y) - 2)
    dy = np.zeros_like(y)
    np.add.at(dy, i, dout * (1 - (u - i)))
    np.add.at(dy, i + 1, dout * (u - i))
    return dy, dout * (y[i + 1] - y[i])


def haar(x):
    a, b = x[:, 0::2], x[:, 1::2]
    r = jnp.sqrt(2.0)
    return (a + b) / r, (a - b) / r


def haar_forgets_minus(x, dy):
    low, high = dy
    dx = np.zeros_like(x)
    dx[:, 0::2] = (low + high) / np.sqrt(2)
    dx[:, 1::2] = (low + high) / np.sqrt(2)
    return (dx,)


def pre_emphasis(x, alpha):
    return x.at[:, 1:].add(-alpha * x[:, :-1])


def pre_emphasis_rolled(x, alpha, dy):
    dx = dy - alpha * np.roll(dy, -1, axis=1)
    return dx, np.asarray(-np.sum(dy[:, 1:] * x[:, :-1]))


def bilinear_corners(xy):
    x0, y0 = np.floor(xy[:, 0]).astype(int), np.floor(xy[:, 1]).astype(int)
    return x0, y0, xy[:, 0] - x0, xy[:, 1] - y0


def bilinear(image, xy):
    x, y = xy[:, 0], xy[:, 1]
    x0, y0 = jnp.floor(x).astype(int), jnp.floor(y).astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = (1 - fx) * image[y0, x0] + fx * image[y0, x0 + 1]
    return (1 - fy) * top + fy * ((1 - fx) * image[y0 + 1, x0] + fx * image[y0 + 1, x0 + 1])


def bilinear_gradient(image, xy, dout):
    x0, y0, fx, fy = bilinear_corners(xy)
    dout = np.asarray(dout)
    dimage, dxy = np.zeros_like(image), np.zeros_like(xy)
    for n in range(len(xy)):
        for i, wy, sy in ((0, 1 - fy[n], -1), (1, fy[n], 1)):
            for j, wx, sx in ((0, 1 - fx[n], -1), (1, fx[n], 1)):
                dimage[y0[n] + i, x0[n] + j] += wy * wx * dout[n]
                v = dout[n] @ image[y0[n] + i, x0[n] + j]
                dxy[n] += sx * wy * v, sy * wx * v
    return dimage, dxy


def bilinear_row_column(image, xy, dout):
    dimage, dxy = bilinear_gradient(image, xy, dout)
    return dimage, dxy[:, ::-1]


def bilinear_args(g):
    return g.standard_normal((6, 6, 3)), g.uniform(0.05, 4.95, (8, 2))


def biquad(x, b, a):
    y = []
    x1 = x2 = y1 = y2 = jnp.zeros_like(x[0])
    for x0 in x:
        y0 = b[0] * x0 + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2
        x1, x2, y1, y2 = x0, x1, y0, y1
        y.append(y0)
    return jnp.stack(y)


def biquad_backward(x, b, a, dy):
    y, T = np.asarray(biquad(x, b, a)), len(x)
    g = np.zeros((T + 2, *x.shape[1:]))
    for t in reversed(range(T)):
        g[t] = dy[t] - a[0] * g[t + 1] - a[1] * g[t + 2]
    dx = b[0] * g[:T] + b[1] * g[1 : T + 1] + b[2] * g[2:]
    db = np.array([np.sum(g[k:T] * x[: T - k]) for k in range(3)])
    da = np.array([-np.sum(g[k:T] * y[: T - k]) for k in (1, 2)])
    return dx, db, da


def autocorrelation(x):
    x = x - jnp.mean(x)
    r = jnp.correlate(x, x, mode="full")[x.shape[0] - 1 :]
    return r / r[0]


def autocorrelation_backward(x, drho):
    x = x - x.mean()
    n = len(x)
    r = np.array([x[: n - k] @ x[k:] for k in range(n)])
    dr = np.asarray(drho) / r[0]
    dr[0] -= dr @ r / r[0]
    D = dr[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]
    D[np.diag_indices(n)] *= 2
    dx = D @ x
    return (dx - dx.mean(),)


WRONG = (
    ByHand(
        "overlapping frames with assignment",
        "short-time Fourier transform, overlap-add",
        frames,
        lambda g: (g.standard_normal(28), np.hanning(10)[1:-1] + 0.1 * g.standard_normal(8)),
        frames_overwriting,
        "The second half of a frame is overwritten by the first half of the next one.",
        ("overwritten",),
    ),
    ByHand(
        "resampling without the clip of the positions",
        "grid_sample with border padding, in one dimension",
        resample,
        resample_args,
        resample_unclipped,
        "Positions outside of the signal get a gradient although they are clipped.",
        ("mask", "single entry", "border dropped", "wrong below zero"),
    ),
    ByHand(
        "haar wavelet without the minus",
        "discrete wavelet transform",
        haar,
        lambda g: (g.standard_normal((3, 10)),),
        haar_forgets_minus,
        "At odd positions the detail is added where it must be subtracted.",
        ("missing term", "positions skipped"),
    ),
    ByHand(
        "pre-emphasis with a wrapped border",
        "speech front end; np.roll wraps around",
        pre_emphasis,
        lambda g: (g.standard_normal((3, 9)), np.asarray(g.uniform(0.8, 0.99))),
        pre_emphasis_rolled,
        "The last position gets a term from the first one by wrapping around.",
        ("border dropped", "single entry", "missing term"),
    ),
    ByHand(
        "bilinear sampling with row and column exchanged",
        "spatial transformer, (x, y) against (row, column)",
        bilinear,
        bilinear_args,
        bilinear_row_column,
        "The gradients of x and y are exchanged.",
        ("channels exchanged", "flipped"),
    ),
)


RIGHT = (
    ByHand(
        "biquad filter",
        "second-order recursion with the adjoint filter run backwards",
        biquad,
        lambda g: (g.standard_normal((10, 2)), g.standard_normal(3), g.uniform(-0.6, 0.6, 2)),
        biquad_backward,
    ),
    ByHand(
        "bilinear sampling",
        "spatial transformer, loops over the four corners",
        bilinear,
        bilinear_args,
        bilinear_gradient,
    ),
    ByHand(
        "autocorrelation function",
        "time series, normalized by the variance; the gradient is a Toeplitz product",
        autocorrelation,
        lambda g: (g.standard_normal(9).cumsum(),),
        autocorrelation_backward,
    ),
)
