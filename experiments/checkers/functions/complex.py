"""Functions with complex arguments."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.checkers.functions.function import Function


def mod_relu(z, w, b):
    """relu(|y| + b) y / |y| for y = z W."""
    y = z @ w
    r = jnp.abs(y)
    return jax.nn.relu(r + b) * y / r


def expectation(state, a):
    """<s|H|s> / <s|s> with H = A + A^H."""
    h = a + a.conj().T
    return jnp.vdot(state, h @ state).real / jnp.vdot(state, state).real


def phase_retrieval(z, masks, magnitudes):
    """Squared errors of the measured magnitudes of masked transforms."""
    far = jnp.fft.fft(masks * z, axis=1)
    return jnp.sum((jnp.abs(far) - magnitudes) ** 2, axis=1)


def complex_rnn(xs, lam, b, c):
    """h_t = l / (1 + |l|) h_(t-1) + B x_t, y_t = Re(C h_t), real inputs."""
    decay = lam / (1 + jnp.abs(lam))

    def step(h, x):
        h = decay * h + b @ x
        return h, (c @ h).real

    return lax.scan(step, jnp.zeros_like(lam), xs)[1]


def mobius(z, abcd):
    """(a z + b) / (c z + d), with the logarithm of the derivative's modulus."""
    a, b, c, d = abcd
    below = c * z + d
    return (a * z + b) / below, jnp.log(jnp.abs((a * d - b * c) / below**2))


def rotate_keys(x, angles, table):
    """Rotary positions as complex products: Re(conj(q e^(i t)) k) per pair of rows."""
    q = x * jnp.exp(1j * angles)
    return jnp.einsum("qc,kc->qk", q.conj(), table).real


def beamformer(steering, noise):
    """Capon weights R^-1 a / (a^H R^-1 a) for R = N N^H + I."""
    r = noise @ noise.conj().T + jnp.eye(noise.shape[0], dtype=noise.dtype)
    w = jnp.linalg.solve(r, steering)
    return w / jnp.vdot(steering, w)


def embedding_scores(entities, relations, triples):
    """ComplEx: Re(sum e_s r e_o^*) for integer triples."""
    entities, relations = jnp.asarray(entities), jnp.asarray(relations)
    s, r, o = triples.T
    return jnp.sum(entities[s] * relations[r] * jnp.conj(entities[o]), axis=-1).real


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


FUNCTIONS = (
    Function(
        "mod_relu",
        mod_relu,
        lambda rng: (_normal(rng, 5, 3), _normal(rng, 3, 4), rng.normal(size=4) - 0.5),
    ),
    Function("expectation", expectation, lambda rng: (_normal(rng, 4), _normal(rng, 4, 4))),
    Function(
        "phase_retrieval",
        phase_retrieval,
        lambda rng: (_normal(rng, 7), _normal(rng, 3, 7), rng.uniform(1, 4, size=(3, 7))),
    ),
    Function(
        "complex_rnn",
        complex_rnn,
        lambda rng: (
            rng.normal(size=(6, 2)),
            _normal(rng, 4),
            _normal(rng, 4, 2),
            _normal(rng, 3, 4),
        ),
    ),
    Function("mobius", mobius, lambda rng: (_normal(rng, 3, 5), _normal(rng, 4))),
    Function(
        "rotate_keys",
        rotate_keys,
        lambda rng: (_normal(rng, 4, 3), rng.uniform(0, 6, size=(4, 3)), _normal(rng, 5, 3)),
    ),
    Function("beamformer", beamformer, lambda rng: (_normal(rng, 4), _normal(rng, 4, 4))),
    Function(
        "embedding_scores",
        embedding_scores,
        lambda rng: (
            _normal(rng, 6, 4),
            _normal(rng, 2, 4),
            rng.integers(0, (6, 2, 6), size=(7, 3)),
        ),
    ),
)
