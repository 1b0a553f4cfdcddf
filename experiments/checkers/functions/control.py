"""Reinforcement learning and control: returns, policies, critics and rollouts."""

import jax
import jax.numpy as jnp
from jax import lax

from experiments.checkers.functions.function import Function


def gae(rewards, values, last_value, discounts):
    """A_t = d_t + g_t lambda A_(t+1), time first."""
    following = jnp.concatenate([values[1:], last_value[None]])
    deltas = rewards + discounts * following - values

    def step(adv, inp):
        delta, discount = inp
        adv = delta + discount * 0.95 * adv
        return adv, adv

    return lax.scan(step, jnp.zeros_like(last_value), (deltas, discounts), reverse=True)[1]


def ppo(logits, actions, old_log_p, advantages):
    """Clipped policy loss less an entropy bonus."""
    logp = jax.nn.log_softmax(logits)
    chosen = logp[jnp.arange(actions.shape[0]), actions]
    ratio = jnp.exp(chosen - old_log_p)
    gain = jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages)
    entropy = -jnp.sum(jnp.exp(logp) * logp, axis=-1)
    return -jnp.mean(gain) - 0.01 * jnp.mean(entropy)


def double_q(obs, next_obs, actions, rewards, online, target):
    """The online net picks the next action, the target net values it."""
    q = jnp.tanh(obs @ online[0]) @ online[1]
    pick = jnp.argmax(jnp.tanh(next_obs @ online[0]) @ online[1], axis=1)
    future = (jnp.tanh(next_obs @ target[0]) @ target[1])[jnp.arange(pick.size), pick]
    taken = jnp.sum(q * jax.nn.one_hot(actions, q.shape[1], dtype=q.dtype), axis=1)
    return jnp.mean((rewards + 0.9 * future - taken) ** 2)


def squashed_policy(mean, log_std, noise, critic):
    """tanh-squashed normal actions: alpha log pi - Q."""
    u = mean + jnp.exp(log_std) * noise
    log_pi = -0.5 * noise**2 - log_std - 2 * (jnp.log(2) - u - jax.nn.softplus(-2 * u))
    a = jnp.tanh(u)
    return 0.2 * log_pi.sum(axis=-1) - jnp.einsum("bi,ij,bj->b", a, critic, a)


def v_trace(values, rewards, log_rho):
    """Off-policy targets, batch first, as a Python loop from the end."""
    rho = jnp.minimum(1.5, jnp.exp(log_rho))
    acc = jnp.zeros_like(values[:, 0])
    out = []
    for t in range(rewards.shape[1] - 1, -1, -1):
        delta = rho[:, t] * (rewards[:, t] + 0.9 * values[:, t + 1] - values[:, t])
        acc = delta + 0.9 * rho[:, t] * acc
        out.append(values[:, t] + acc)
    return jnp.stack(out[::-1], axis=1)


def soft_bellman(q0, rewards, transition):
    """Three soft value iterations on a table."""

    def sweep(_, q):
        v = 0.5 * jax.nn.logsumexp(q / 0.5, axis=1)
        return rewards + 0.9 * jnp.einsum("san,n->sa", jax.nn.softmax(transition), v)

    return lax.fori_loop(0, 3, sweep, q0)


def quantile_td(theta, targets):
    """Quantile Huber loss between two sets of return atoms."""
    n = theta.shape[1]
    tau = (jnp.arange(n, dtype=theta.dtype) + 0.5) / n
    gap = targets[:, None, :] - theta[:, :, None]
    big = jnp.abs(gap) > 1
    loss = jnp.where(big, jnp.abs(gap) - 0.5, 0.5 * gap**2)
    return jnp.sum(jnp.abs(tau[:, None] - (gap < 0)) * loss, axis=(1, 2)) / n


def lqr_rollout(gain, x0, a, b):
    """Quadratic cost of linear feedback u = -K x over eight steps."""

    def step(x, _):
        u = -gain @ x
        return a @ x + b @ u, x @ x + 0.1 * u @ u

    x, costs = lax.scan(step, x0, length=8)
    return costs.sum() + 5 * x @ x


def cart_pole(theta, state):
    """Six Euler steps of a pole under a bounded linear policy."""
    for _ in range(6):
        _, v, angle, spin = state
        force = 5 * jnp.tanh(jnp.dot(theta, state))
        accel = (9.8 * jnp.sin(angle) - jnp.cos(angle) * force) / (1 + jnp.sin(angle) ** 2)
        state = state + 0.05 * jnp.stack([v, force - 0.3 * accel, spin, accel])
    return state


def advantage_regression(logits, actions, returns, baseline, beta):
    """Log likelihoods weighted by a softmax of the advantages."""
    weights = jax.nn.softmax((returns - baseline) / beta)
    logp = jax.vmap(lambda row, a: jax.nn.log_softmax(row)[a])(logits, actions)
    return -weights @ logp + 0.5 * jnp.mean((returns - baseline) ** 2)


FUNCTIONS = (
    Function(
        "gae",
        gae,
        lambda rng: (
            rng.normal(size=(7, 2)),
            rng.normal(size=(7, 2)),
            rng.normal(size=2),
            rng.uniform(0.8, 1, size=(7, 2)),
        ),
    ),
    Function(
        "ppo",
        ppo,
        lambda rng: (
            rng.normal(size=(8, 3)),
            rng.integers(0, 3, size=8),
            rng.uniform(-1.6, -0.6, size=8),
            rng.normal(size=8),
        ),
    ),
    Function(
        "double_q",
        double_q,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(5, 3)),
            rng.integers(0, 4, size=5),
            rng.normal(size=5),
            (rng.normal(size=(3, 6)), rng.normal(size=(6, 4))),
            (rng.normal(size=(3, 6)), rng.normal(size=(6, 4))),
        ),
    ),
    Function(
        "squashed_policy",
        squashed_policy,
        lambda rng: (
            rng.normal(size=(5, 3)),
            rng.normal(size=(5, 3)) / 3,
            rng.normal(size=(5, 3)),
            rng.normal(size=(3, 3)),
        ),
    ),
    Function(
        "v_trace",
        v_trace,
        lambda rng: (
            rng.normal(size=(3, 6)),
            rng.normal(size=(3, 5)),
            rng.normal(size=(3, 5)),
        ),
    ),
    Function(
        "soft_bellman",
        soft_bellman,
        lambda rng: (
            rng.normal(size=(4, 3)),
            rng.normal(size=(4, 3)),
            rng.normal(size=(4, 3, 4)),
        ),
    ),
    Function(
        "quantile_td",
        quantile_td,
        lambda rng: (rng.normal(size=(3, 5)), rng.normal(size=(3, 4))),
    ),
    Function(
        "lqr_rollout",
        lqr_rollout,
        lambda rng: (
            rng.normal(size=(2, 3)) / 3,
            rng.normal(size=3),
            rng.normal(size=(3, 3)) / 3,
            rng.normal(size=(3, 2)) / 2,
        ),
    ),
    Function("cart_pole", cart_pole, lambda rng: (rng.normal(size=4), rng.normal(size=4) / 2)),
    Function(
        "advantage_regression",
        advantage_regression,
        lambda rng: (
            rng.normal(size=(6, 4)),
            rng.integers(0, 4, size=6),
            rng.normal(size=6),
            rng.normal(size=6),
            rng.uniform(0.5, 2, size=()),
        ),
    ),
)
