"""Convolution of a 3×3 window with padding "same" in NumPy, by loops and by im2col.

y[n,p,o] = sum_{i,c} x[n, p + i - 1, c] w[i,c,o]        loops over n, p and o
y        = columns W                                    im2col: columns[(n,p),(i,c)]
"""

import numpy as np

WINDOW = 3


def loops(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Convolution as textbooks write it, with four loops."""
    n, height, width, _ = x.shape
    y = np.empty((n, height, width, w.shape[-1]), x.dtype)
    padded = with_border(x)
    for image in range(n):
        for row in range(height):
            for column in range(width):
                window = padded[image, row : row + WINDOW, column : column + WINDOW]
                for feature in range(w.shape[-1]):
                    y[image, row, column, feature] = np.sum(window * w[..., feature])
    return y


def by_im2col(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    y = columns(x) @ w.reshape(-1, w.shape[-1])
    return y.reshape(*x.shape[:-1], w.shape[-1])


def columns(x: np.ndarray) -> np.ndarray:
    """One row per window of x: its cells in row-major order, channels innermost."""
    n, height, width, c = x.shape
    padded = with_border(x)
    taps = np.empty((n, height, width, WINDOW, WINDOW, c), x.dtype)
    for i in range(WINDOW):
        for j in range(WINDOW):
            taps[:, :, :, i, j] = padded[:, i : i + height, j : j + width]
    return taps.reshape(n * height * width, WINDOW * WINDOW * c)


def with_border(x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
