"""Recurrent layers, filters and state-space scans, time first or batch first."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def elman(xs, h0, w_in, w_rec, b):
    """Time first: h_t = tanh(x_t W + h_(t-1) U + b)."""

    def step(h, x):
        h = jnp.tanh(x @ w_in + h @ w_rec + b)
        return h, h

    return lax.scan(step, h0, xs)[1]


def gru(x, w, u, b):
    """Batch first; the update, reset and candidate parts stacked on the last axis."""

    def step(h, x_t):
        xz, xr, xn = jnp.split(x_t @ w + b, 3, axis=-1)
        hz, hr, hn = jnp.split(h @ u, 3, axis=-1)
        z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
        h = z * h + (1 - z) * jnp.tanh(xn + r * hn)
        return h, h

    h0 = jnp.zeros((x.shape[0], u.shape[0]), x.dtype)
    _, hs = lax.scan(step, h0, x.swapaxes(0, 1))
    return hs.swapaxes(0, 1)


def lstm(params, xs):
    """The last hidden and cell states of a layer without a batch axis."""
    size = params["u"].shape[0]

    def step(state, x):
        h, c = state
        gates = x @ params["w"] + h @ params["u"] + params["b"]
        i, f, g, o = gates.reshape(4, size)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros(size, xs.dtype)
    return lax.scan(step, (zero, zero), xs)[0]


def bidirectional(x, w_fwd, w_bwd, decay):
    """Leaky integrators in both directions, joined on the last axis."""

    def run(w, reverse):
        def step(h, u):
            h = decay * h + jnp.sin(u)
            return h, h

        return lax.scan(step, jnp.zeros_like(x[0] @ w), x @ w, reverse=reverse)[1]

    return jnp.concatenate([run(w_fwd, False), run(w_bwd, True)], axis=-1)


def masked_rnn(x, lengths, w, u):
    """Each sequence of the batch stops at its own length."""

    def step(h, inp):
        t, x_t = inp
        new = jax.nn.softplus(x_t @ w - h @ u)
        return jnp.where((t < lengths)[:, None], new, h), None

    h0 = jnp.zeros((x.shape[1], u.shape[0]), x.dtype)
    return lax.scan(step, h0, (jnp.arange(x.shape[0]), x))[0]


def qrnn(x, w_z, w_f):
    """h_t = f_t h_(t-1) + (1 - f_t) z_t by an associative scan along axis 1."""
    z, f = jnp.tanh(x @ w_z), jax.nn.sigmoid(x @ w_f)

    def combine(left, right):
        return left[0] * right[0], right[0] * left[1] + right[1]

    return lax.associative_scan(combine, (f, (1 - f) * z), axis=1)[1]


def s4_diagonal(u, log_a, b, c, log_dt):
    """Diagonal state space by zero-order hold; the kernel summed over the lags."""
    dt, a = jnp.exp(log_dt), -jnp.exp(log_a)
    length = u.shape[0]
    lags = jnp.arange(length, dtype=u.dtype)
    kernel = jnp.exp(dt * a * lags[:, None]) @ (c * b * jnp.expm1(dt * a) / a)
    lag = jnp.arange(length)[:, None] - jnp.arange(length)[None, :]
    return jnp.where(lag >= 0, kernel[lag], 0) @ u


def selective_scan(x, log_a, w_b, w_c, w_dt, skip):
    """Mamba: h_t = exp(dt_t A) h + dt_t B_t x_t, y_t = C_t h_t + D x_t."""
    dt = jax.nn.softplus(x @ w_dt)
    bs, cs = x @ w_b, x @ w_c

    def step(h, inp):
        x_t, dt_t, b_t, c_t = inp
        h = jnp.exp(-dt_t[:, None] * jnp.exp(log_a)) * h
        h = h + (dt_t * x_t)[:, None] * b_t[None, :]
        return h, h @ c_t + skip * x_t

    return lax.scan(step, jnp.zeros_like(log_a), (x, dt, bs, cs))[1]


def indrnn(x, u, b):
    """Each unit sees only itself; a fori loop with a fixed bound."""

    x = jnp.moveaxis(x, 1, 0)
    body = lambda t, h: jax.nn.relu(x[t] + u * h + b)
    return lax.fori_loop(0, x.shape[0], body, jnp.zeros_like(x[0]))


def moving_average(x, rate):
    """Bias-corrected exponential average from weighted cumulative sums."""
    t = jnp.arange(1, x.shape[1] + 1, dtype=x.dtype)
    growth = rate**-t
    return jnp.cumsum(x * growth, axis=1) / jnp.cumsum(growth)


def kalman(ys, q, r, a):
    """Log likelihood of a scalar linear Gaussian state model."""
    total, m, p = 0.0, 0.0, 1.0
    for y in ys:
        m, p = a * m, a * a * p + jnp.exp(q)
        s = p + jnp.exp(r)
        total -= 0.5 * (jnp.log(2 * jnp.pi * s) + (y - m) ** 2 / s)
        gain = p / s
        m, p = m + gain * (y - m), (1 - gain) * p
    return total


def hmm_forward(log_init, transition, emission, obs):
    """Log evidence of a hidden Markov chain with integer observations."""
    log_t = jax.nn.log_softmax(transition, axis=1)
    log_e = jax.nn.log_softmax(emission, axis=1)
    alpha = jax.nn.log_softmax(log_init) + log_e[:, obs[0]]

    def step(alpha, o):
        return jax.nn.logsumexp(alpha[:, None] + log_t, axis=0) + log_e[:, o], None

    return jax.nn.logsumexp(lax.scan(step, alpha, obs[1:])[0])


FUNCTIONS = (
    Function(
        "elman",
        elman,
        lambda rng: (
            rng.normal(size=(6, 2, 3)),
            rng.normal(size=(2, 4)),
            rng.normal(size=(3, 4)),
            rng.normal(size=(4, 4)) / 2,
            rng.normal(size=4),
        ),
    ),
    Function(
        "gru",
        gru,
        lambda rng: (
            rng.normal(size=(2, 5, 3)),
            rng.normal(size=(3, 12)),
            rng.normal(size=(4, 12)) / 2,
            rng.normal(size=12),
        ),
    ),
    Function(
        "lstm",
        lstm,
        lambda rng: (
            {
                "w": rng.normal(size=(3, 20)),
                "u": rng.normal(size=(5, 20)) / 2,
                "b": rng.normal(size=20),
            },
            rng.normal(size=(7, 3)),
        ),
    ),
    Function(
        "bidirectional",
        bidirectional,
        lambda rng: (
            rng.normal(size=(5, 2, 3)),
            rng.normal(size=(3, 4)),
            rng.normal(size=(3, 4)),
            rng.uniform(0.3, 0.9, size=4),
        ),
    ),
    Function(
        "masked_rnn",
        masked_rnn,
        lambda rng: (
            rng.normal(size=(5, 4, 3)),
            rng.integers(1, 6, size=4),
            rng.normal(size=(3, 2)),
            rng.normal(size=(2, 2)) / 2,
        ),
    ),
    Function(
        "qrnn",
        qrnn,
        lambda rng: (
            rng.normal(size=(3, 7, 2)),
            rng.normal(size=(2, 4)),
            rng.normal(size=(2, 4)),
        ),
    ),
    Function(
        "s4_diagonal",
        s4_diagonal,
        lambda rng: (
            rng.normal(size=9),
            rng.normal(size=4) / 2,
            rng.normal(size=4),
            rng.normal(size=4),
            rng.uniform(-2, -0.5, size=()),
        ),
    ),
    Function(
        "selective_scan",
        selective_scan,
        lambda rng: (
            rng.normal(size=(6, 3)),
            rng.normal(size=(3, 4)) / 2,
            rng.normal(size=(3, 4)),
            rng.normal(size=(3, 4)),
            rng.normal(size=(3, 3)),
            rng.normal(size=3),
        ),
    ),
    Function(
        "indrnn",
        indrnn,
        lambda rng: (
            rng.normal(size=(3, 6, 5)) + 0.5,
            rng.uniform(0.2, 0.9, size=5),
            rng.normal(size=5) / 3,
        ),
    ),
    Function(
        "moving_average",
        moving_average,
        lambda rng: (rng.normal(size=(4, 8)), rng.uniform(0.5, 0.9, size=())),
    ),
    Function(
        "kalman",
        kalman,
        lambda rng: (
            rng.normal(size=7),
            rng.normal(0, 0.5, size=()),
            rng.normal(0, 0.5, size=()),
            rng.uniform(0.5, 1, size=()),
        ),
    ),
    Function(
        "hmm_forward",
        hmm_forward,
        lambda rng: (
            rng.normal(size=3),
            rng.normal(size=(3, 3)),
            rng.normal(size=(3, 5)),
            rng.integers(0, 5, size=8),
        ),
    ),
)
