"""n relu units fit a curve on [0, 1]: by construction, and by training.

    y(x) = f(0) + sum_j c_j relu(x - t_j),  t_j = j / n

With c_j the change of slope at t_j, y interpolates f at n + 1 points, and its largest error is at
most max |f''| / (8 n²): twice the units, a quarter of the error.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fcnn

UNITS = (4, 8, 16, 32, 64, 128)
LARGEST_TRAINED = 64
POINTS = 1025  # of the interval, where errors are measured
TRAINING_POINTS, RATE = 129, 5e-3


def curve(seed: int, x):
    """A sum of four sines with random amplitudes and phases."""
    rng = np.random.default_rng(seed)
    k = np.arange(1, 5)
    amplitudes, phases = rng.standard_normal(4) / k, rng.uniform(0, 2 * np.pi, 4)
    return np.sin(2 * np.pi * np.multiply.outer(x, k) + phases) @ amplitudes


def constructed(seed: int, n: int) -> float:
    """Largest error of the network of n units that interpolates curve `seed`."""
    knots = np.linspace(0, 1, n + 1)
    f = curve(seed, knots)
    c = np.diff(n * np.diff(f), prepend=0.0)
    x = np.linspace(0, 1, POINTS)
    with jax.enable_x64(True):
        inputs, weights, biases = map(jnp.asarray, (x[:, None], np.ones((1, n)), -knots[:-1]))
        hidden = fcnn.relu(fcnn.dense(inputs, weights, biases))
        y = fcnn.dense(hidden, jnp.asarray(c[:, None]), jnp.asarray(f[:1]))[:, 0]
        return float(np.abs(np.asarray(y) - curve(seed, x)).max())


def trained(seeds: int, steps: int) -> dict[int, list[float]]:
    """Largest error of trained networks, by units and seed. All train as one program."""
    units = [n for n in UNITS if n <= LARGEST_TRAINED]
    x, dense = np.linspace(0, 1, TRAINING_POINTS), np.linspace(0, 1, POINTS)
    pairs = [(n, seed) for n in units for seed in range(seeds)]
    used = np.array([np.arange(LARGEST_TRAINED) < n for n, _ in pairs], np.float32)
    target = np.array([curve(seed, x) for _, seed in pairs], np.float32)
    keys = jax.random.split(jax.random.key(0), len(pairs))
    run = jax.jit(jax.vmap(lambda *each: _fit(steps, x, dense, *each)))
    right = np.array([curve(seed, dense) for _, seed in pairs])
    errors = np.abs(np.asarray(run(keys, used, target)) - right).max(1)
    return {n: errors[i * seeds : (i + 1) * seeds].tolist() for i, n in enumerate(units)}


def _fit(steps, x, dense, key, used, target):
    """y on `dense` after training on (x, target). Units that are not `used` have no effect."""
    slopes, weights = jax.random.normal(key, (2, LARGEST_TRAINED))
    knots = jax.random.uniform(jax.random.fold_in(key, 1), (LARGEST_TRAINED,))
    params = slopes, -slopes * knots, weights / jnp.sqrt(used.sum()), jnp.zeros(())
    adam = optax.adam(optax.cosine_decay_schedule(RATE, steps))

    def network(params, x):
        w, b, c, d = params
        hidden = fcnn.relu(fcnn.dense(jnp.asarray(x, jnp.float32)[:, None], w[None], b))
        return hidden @ (used * c) + d

    def step(carry, _):
        params, opt_state = carry
        loss = lambda params: jnp.mean((network(params, x) - target) ** 2)
        updates, opt_state = adam.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    (params, _), _ = jax.lax.scan(step, (params, adam.init(params)), length=steps)
    return network(params, dense)
