"""Returns, advantages and state-space scans."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.checkers.by_hand.case import ByHand


def normals(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky_sum(x, a):
    """h[t] = a h[t - 1] + x[t], channels last."""
    return jax.lax.scan(lambda h, s: (a * h + s,) * 2, jnp.zeros_like(x[0]), x)[1]


def returns(r, v, gamma):
    g, out = v, []
    for rt in r[::-1]:
        g = rt + gamma * g
        out.insert(0, g)
    return jnp.stack(out)


def returns_args(rng):
    return rng.normal(size=7), np.asarray(rng.normal()), np.asarray(0.5 + 0.4 * rng.random())


def returns_bootstrap_late(r, v, gamma, dg):
    t, g = np.arange(len(r)), np.asarray(returns(r, v, gamma))
    power = np.tril(gamma ** (t[:, None] - t).clip(0))
    dr = power @ dg
    return dr, gamma ** (len(r) - 1 - t) @ dg, dr @ np.append(g[1:], v)


def advantages(r, v, done):
    keep, a, out = 1.0 - done, 0.0, []
    for t in range(len(r) - 1, -1, -1):
        a = r[t] + 0.9 * keep[t] * v[t + 1] - v[t] + 0.9 * 0.8 * keep[t] * a
        out.insert(0, a)
    return jnp.array(out)


def advantages_args(rng):
    done = np.roll(np.arange(9) % 4 == 0, rng.integers(9))
    return rng.normal(size=9), rng.normal(size=10), done


def advantages_mask_late(r, v, done, da):
    g, dr, dv = 0.0, np.zeros_like(r), np.zeros_like(v)
    keep = np.append(1.0 - done, 1)
    for t in range(len(r)):
        g = da[t] + 0.72 * (keep[t - 1] if t else 0) * g
        dr[t] = g
        dv[t] -= g
        dv[t + 1] += 0.9 * keep[t + 1] * g
    return dr, dv, None


def advantages_backward(r, v, done, da):
    keep = 1.0 - done
    n = len(r)
    step = np.eye(n) - np.diag(0.72 * keep[:-1], 1)
    dr = np.linalg.solve(step.T, da)
    dv = np.zeros(n + 1)
    dv[:-1] -= dr
    dv[1:] += 0.9 * keep * dr
    return dr, dv, None


def lambda_returns(r, v):
    g, out = v[-1], []
    for t in range(len(r) - 1, -1, -1):
        g = r[t] + 0.95 * (0.3 * v[t + 1] + 0.7 * g)
        out.insert(0, g)
    return jnp.stack(out)


def lambda_returns_values_early(r, v, dg):
    dr = np.array(dg)
    for t in range(1, len(r)):
        dr[t] += 0.95 * 0.7 * dr[t - 1]
    dv = np.zeros_like(v)
    dv[:-1] = 0.95 * 0.3 * dr
    dv[-1] += 0.95 * 0.7 * dr[-1]
    return dr, dv


def state_space(x, a, b, c):
    return leaky_sum(x[:, None] * b, jax.nn.sigmoid(a)) @ c


def state_space_reversed(x, a, b, c, dy):
    s = 1 / (1 + jnp.exp(-a))
    h = leaky_sum(x[:, None] * b, s)
    right = leaky_sum(dy[::-1, None] * c, s)[::-1]
    ds = jnp.sum(right[1:] * h[:-1], axis=0)
    dx = leaky_sum(dy[:, None] * c, s) @ b
    return dx, ds * s * (1 - s), x @ right, dy @ h


def long_kernel(x, k):
    """y[t] = sum of k[j] x[t - j], for (batch, time) and one kernel as long as time."""
    n = x.shape[1]
    lag = np.arange(n)[:, None] - np.arange(n)
    return x @ jnp.where(lag >= 0, k[lag], 0).T


def long_kernel_truncated(x, k, dy):
    n = x.shape[1]
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for t in range(n):
        for j in range(t + 1):
            if j < 3:
                dx[:, t - j] += k[j] * dy[:, t]
            dk[j] += x[:, t - j] @ dy[:, t]
    return dx, dk


def selective(a, u):
    """h[t] = sigmoid(a[t]) h[t - 1] + u[t]."""

    def combine(left, right):
        return left[0] * right[0], right[0] * left[1] + right[1]

    return jax.lax.associative_scan(combine, (jax.nn.sigmoid(a), u))[1]


def selective_shifted(a, u, dh):
    s, h, du = sigmoid(a), np.asarray(selective(a, u)), np.array(dh)
    for t in range(len(u) - 2, -1, -1):
        du[t] += s[t] * du[t + 1]
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    return du * before * s * (1 - s), du


def selective_backward(a, u, dh):
    s, h, du = sigmoid(a), np.asarray(selective(a, u)), np.array(dh)
    for t in range(len(u) - 2, -1, -1):
        du[t] += s[t + 1] * du[t + 1]
    da = np.zeros_like(a)
    da[1:] = du[1:] * h[:-1] * s[1:] * (1 - s[1:])
    return da, du


WRONG = (
    ByHand(
        "returns with late bootstrap",
        "Sutton and Barto, n-step return",
        returns,
        returns_args,
        returns_bootstrap_late,
        "the discount of the bootstrap value lacks one power of gamma",
        ("constant factor", "single entry"),
    ),
    ByHand(
        "advantages masked late",
        "Schulman et al. 2016, GAE",
        advantages,
        advantages_args,
        advantages_mask_late,
        "the value of the next state is masked with the end of the next step",
        ("mask", "shifted"),
    ),
    ByHand(
        "lambda returns with early values",
        "Sutton and Barto, lambda return",
        lambda_returns,
        normals((6,), (7,)),
        lambda_returns_values_early,
        "the gradient of v[t + 1] is written to v[t]",
        ("shifted",),
    ),
    ByHand(
        "state space reversed",
        "Gu et al. 2022, S4D",
        state_space,
        normals((7,), (4,), (4,), (4,)),
        state_space_reversed,
        "the scan of dx runs forward in time",
        ("flipped", "transposed"),
    ),
    ByHand(
        "long kernel truncated",
        "long convolution of state-space models",
        long_kernel,
        normals((2, 7), (7,)),
        long_kernel_truncated,
        "dx sees only the first three lags of the kernel",
        ("truncated in time",),
    ),
    ByHand(
        "selective scan shifted",
        "Gu and Dao 2023, Mamba",
        selective,
        normals((6, 3), (6, 3)),
        selective_shifted,
        "the scan of du uses a[t] instead of a[t + 1]",
        ("shifted", "wrong value"),
    ),
)


RIGHT = (
    ByHand(
        "selective scan by its loop",
        "Gu and Dao 2023, Mamba",
        selective,
        normals((6, 3), (6, 3)),
        selective_backward,
    ),
    ByHand(
        "advantages by a linear solve",
        "Schulman et al. 2016, GAE",
        advantages,
        advantages_args,
        advantages_backward,
    ),
)
